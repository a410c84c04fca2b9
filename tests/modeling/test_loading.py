"""Checkpoints: what is loaded, and what is refused because it would guess or run code that nobody has read."""

import json
import shutil

import huggingface_hub
import pytest
import torch

from modeling.loading import load_model
from tests.modeling.tiny import save_checkpoint, voice


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(folder)
    return folder


@pytest.mark.parametrize("revision", ["main", "v1.0", "5d1c1c6", "5D" * 20])
def test_revision_that_can_move_is_refused(revision):
    with pytest.raises(ValueError, match=f"{revision}.*40 digits"):
        load_model("alice/model", revision)


def test_code_of_another_repository_is_refused(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "model")
    config = json.loads((copied / "config.json").read_text())
    config["auto_map"]["AutoConfig"] = f"mallory/model--{config['auto_map']['AutoConfig']}"
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="mallory/model.*--revision"):
        load_model(copied)


@pytest.mark.parametrize("name", ["model.safetensors", "preprocessor_config.json"])
def test_incomplete_model_is_refused(folder, tmp_path, name):
    copied = shutil.copytree(folder, tmp_path / "model")
    (copied / name).unlink()
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_model(copied)


def test_model_that_would_guess_is_refused(folder, tmp_path):
    save_checkpoint(tmp_path)
    load_model(tmp_path)[0].mel_cnn.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"lacks classifier.bias, classifier.weight"):
        load_model(tmp_path)


def test_model_from_the_hub_at_a_commit(hub, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    api = huggingface_hub.HfApi(endpoint=hub.endpoint)
    api.create_repo("alice/model")
    commit = api.upload_folder(repo_id="alice/model", folder_path=folder, ignore_patterns="*__pycache__*").oid
    (tmp_path / "worse").write_text("raise SystemExit('code that nobody has read')")
    api.upload_file(repo_id="alice/model", path_in_repo="modeling_mel_cnn.py", path_or_fileobj=tmp_path / "worse")
    with pytest.raises(ValueError, match="--revision"):
        load_model("alice/model")
    model, feature_extractor = load_model("alice/model", commit)
    expected, _ = load_model(folder)
    waveform = torch.from_numpy(voice(0.5))[None]
    torch.testing.assert_close(model(waveform).logits, expected(waveform).logits)
    assert feature_extractor.sampling_rate == 16_000
