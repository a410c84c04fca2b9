"""The card of a model: under which licence, and what the weights come from."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import save_file

from modeling.publish import publish_model
from modeling.training.model_folder import complete_save, read_base
from tests.tiny_model import write_model

RAVDESS, TESS, CREMA_D = "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "odbl"


def card_of_save(folder: Path, **origin) -> ModelCard:
    """The card that a save gets in the middle of training."""
    save_file({"weight": torch.zeros(1)}, folder / "model.safetensors")
    complete_save(folder, SimpleNamespace(global_step=1, max_steps=2), **origin)
    return ModelCard.load(folder / "README.md")


@pytest.mark.parametrize(
    ("licenses", "strictest"),
    [
        ([CREMA_D, RAVDESS, TESS], RAVDESS),
        ([CREMA_D, RAVDESS], RAVDESS),
        ([TESS, RAVDESS], RAVDESS),
        ([CREMA_D, TESS], TESS),
        ([CREMA_D], CREMA_D),
        ("cc0-1.0", "cc0-1.0"),
        (["cc-by-nc-4.0", TESS], TESS),
        (["cc-by-sa-4.0", "fair-noncommercial-research-license"], "fair-noncommercial-research-license"),
        (["mit", CREMA_D], CREMA_D),
        (["mit", "other"], "other"),
        (["mit", "apache-2.0"], "mit"),
        ([], None),
    ],
)
def test_the_strictest_licence_of_the_data_is_the_models(tmp_path, licenses, strictest):
    assert card_of_save(tmp_path, dataset_card={"license": licenses}).data.license == strictest


@pytest.mark.parametrize(
    ("data", "base", "strictest"),
    [
        ([], [RAVDESS], RAVDESS),
        ([CREMA_D], [RAVDESS], RAVDESS),
        ([RAVDESS], ["mit"], RAVDESS),
        ([RAVDESS], [], RAVDESS),
        ([], ["mit"], None),
        (["mit"], [], None),
        ([], [], None),
    ],
)
def test_the_base_counts_as_the_data_do(tmp_path, data, base, strictest):
    base = {"name": "checkpoint", "license": base}
    assert card_of_save(tmp_path, dataset_card={"license": data}, base=base).data.license == strictest


def test_a_base_in_a_folder_goes_by_its_name(tmp_path, monkeypatch):
    folder = write_model(tmp_path / "checkpoint")
    base = read_base(str(folder))
    assert base == {"name": "checkpoint", "license": [RAVDESS]}
    monkeypatch.chdir(folder)
    assert read_base(".") == base
    card = card_of_save(tmp_path, dataset_card={}, base=base)
    assert "fine-tuned from `checkpoint`" in card.content and "fine-tuned from is under cc-by-nc-sa-4.0" in card.content
    assert card.data.base_model is None and str(tmp_path) not in card.content
    (folder / "README.md").unlink()
    assert read_base(str(folder)) == {"name": "checkpoint", "license": []}


def test_a_base_on_the_hub_is_the_cards_base_model(hub_with_cache, tmp_path):
    publish_model(write_model(tmp_path / "model"), "alice/model", report=lambda line: None)
    base = read_base("alice/model")
    assert base == {"name": "alice/model", "license": [RAVDESS]}
    card = card_of_save(tmp_path, dataset_card={}, base=base)
    assert card.data.base_model == "alice/model" and "fine-tuned from [alice/model](https" in card.content
    del hub_with_cache.repositories["models", "alice/model"].find("main").files["README.md"]
    assert read_base("alice/model") == {"name": "alice/model", "license": []}


def test_a_base_whose_licence_cannot_be_read_is_refused(hub_with_cache, tmp_path):
    with pytest.raises(ValueError, match="--model_name_or_path alice/model: its card, .* name a model's folder"):
        read_base("alice/model")
    folder = write_model(tmp_path / "model")
    (folder / "README.md").write_text("---\nlicense: [\n---\n")
    with pytest.raises(ValueError, match="its card, which states its licence, cannot be read"):
        read_base(str(folder))


def test_without_a_base_the_model_is_trained_from_scratch(tmp_path):
    assert read_base(None) is None
    card = card_of_save(tmp_path, dataset_card={"license": "mit"})
    assert "trained from scratch" in card.content and card.data.base_model is None
