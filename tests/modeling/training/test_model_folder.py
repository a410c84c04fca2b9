"""The card of a model: under which licence, and what the weights come from."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import save_file

from modeling.training.model_folder import complete_save

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
