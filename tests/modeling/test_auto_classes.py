"""A checkpoint folder alone, without this repository: saved, loaded by Auto classes elsewhere, saved and loaded again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification, MelCNNModel
from tests.modeling.tiny import EMOTIONS, save_checkpoint, tiny_model, voice

MODELING = Path(__file__).parents[2] / "modeling"
TRAVELLING = {path.name for path in MODELING.glob("*_mel_cnn.py")}
FILES = {"config.json", "model.safetensors", "preprocessor_config.json"} | TRAVELLING

ELSEWHERE = """
import importlib.util, json, shutil, sys
import numpy as np, torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification, pipeline

assert importlib.util.find_spec("modeling") is None
waveform = np.load("waveform.npy")
trust = {"trust_remote_code": True}
results, facts = {}, {}

def logits(folder, **options):
    extractor = AutoFeatureExtractor.from_pretrained(folder, **trust)
    model = AutoModelForAudioClassification.from_pretrained(folder, **trust, **options)
    inputs = extractor(waveform, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        return model, extractor, model(**inputs).logits.numpy()

model, extractor, results["logits"] = logits("checkpoint")
config = AutoConfig.from_pretrained("checkpoint", **trust)
facts["classes"] = [type(x).__name__ for x in (config, extractor, model)]
facts["labels"] = list(config.id2label.values())
encoder = AutoModel.from_pretrained("checkpoint", **trust)
facts["encoder"] = type(encoder).__name__
results["embedding"] = encoder(torch.from_numpy(waveform)[None]).pooler_output.detach().numpy()
classifier = pipeline("audio-classification", model="checkpoint", trust_remote_code=True, top_k=None)
facts["pipeline"] = classifier(waveform)
spans, probabilities = model.timeline(waveform, 0.5, 0.25)
facts["windows"] = len(spans)
results["saliency"] = model.saliency(torch.from_numpy(waveform)[None]).numpy()

model.save_pretrained("again")
extractor.save_pretrained("again")
encoder.save_pretrained("encoder")
tuned = AutoModelForAudioClassification.from_pretrained(
    "checkpoint", num_labels=3, ignore_mismatched_sizes=True, **trust
)
tuned.save_pretrained("tuned")
extractor.save_pretrained("tuned")
shutil.rmtree("checkpoint")
results["again"] = logits("again")[2]
results["tuned"] = logits("tuned")[2]
encoder = AutoModel.from_pretrained("encoder", **trust)
results["encoder"] = encoder(torch.from_numpy(waveform)[None]).pooler_output.detach()
results["half"] = logits("again", dtype="float16")[2]
np.savez("results.npz", **results)
json.dump(facts, open("facts.json", "w"))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """What a process without this repository found; one process, because its imports take the time."""
    folder = tmp_path_factory.mktemp("elsewhere")
    model = save_checkpoint(folder / "checkpoint")
    np.save(folder / "waveform.npy", voice(1.0))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_HOME": str(folder / "home"), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return folder, model, json.loads((folder / "facts.json").read_text()), np.load(folder / "results.npz")


def test_classes_and_labels(elsewhere):
    _, _, facts, _ = elsewhere
    assert facts["classes"] == ["MelCNNConfig", "MelCNNFeatureExtractor", "MelCNNForAudioClassification"]
    assert facts["encoder"] == "MelCNNModel"
    assert facts["labels"] == list(EMOTIONS)


def test_results_are_the_same(elsewhere):
    _, model, facts, results = elsewhere
    waveform = torch.from_numpy(voice(1.0))[None]
    logits = model(waveform).logits.detach()
    np.testing.assert_allclose(results["logits"], logits, atol=1e-6)
    np.testing.assert_allclose(results["embedding"], model.base_model(waveform).pooler_output.detach(), atol=1e-6)
    np.testing.assert_allclose(results["saliency"], model.saliency(waveform), atol=1e-4)
    probabilities = dict(zip(EMOTIONS, logits.softmax(-1)[0].tolist(), strict=True))
    assert {row["label"]: pytest.approx(row["score"], abs=1e-5) for row in facts["pipeline"]} == probabilities
    assert facts["windows"] == 3


def test_saved_again_and_loaded_from_there(elsewhere):
    folder, _, _, results = elsewhere
    np.testing.assert_array_equal(results["again"], results["logits"])
    np.testing.assert_array_equal(results["encoder"], results["embedding"])
    np.testing.assert_allclose(results["half"], results["logits"], atol=0.05)
    assert {path.name for path in (folder / "again").iterdir() if path.is_file()} == FILES
    assert "--" not in (folder / "again" / "config.json").read_text()


def test_other_labels_by_auto_class(elsewhere):
    _, _, _, results = elsewhere
    assert results["tuned"].shape == (1, 3)
    assert np.isfinite(results["tuned"]).all()


@pytest.mark.parametrize("architecture", ["residual", "plain"])
def test_round_trip_is_bit_exact(architecture, tmp_path):
    model = save_checkpoint(tmp_path, architecture=architecture)
    loaded = MelCNNForAudioClassification.from_pretrained(tmp_path)
    assert not loaded.training
    assert list(loaded.state_dict()) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    waveform = torch.from_numpy(voice(0.5))[None]
    # The weights are the same bits; where they lie in memory may change the order of a sum.
    torch.testing.assert_close(loaded(waveform).logits, model(waveform).logits, atol=1e-6, rtol=0)
    assert json.loads(loaded.config.to_json_string()) == json.loads((tmp_path / "config.json").read_text())


def test_folder_holds_safetensors_and_code_only(tmp_path):
    save_checkpoint(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == FILES
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["auto_map"] == {
        "AutoConfig": "configuration_mel_cnn.MelCNNConfig",
        "AutoModel": "modeling_mel_cnn.MelCNNModel",
        "AutoModelForAudioClassification": "modeling_mel_cnn.MelCNNForAudioClassification",
    }
    extractor = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert extractor["auto_map"] == {"AutoFeatureExtractor": "feature_extraction_mel_cnn.MelCNNFeatureExtractor"}


def test_names_of_the_weights_do_not_change():
    """Published checkpoints hang on these names."""
    names = [
        name for name in tiny_model(depths=(1,)).state_dict() if "num_batches" not in name and "running" not in name
    ]
    norm, block = ("weight", "bias"), "mel_cnn.encoder.stages.0.0."
    assert names == [
        "mel_cnn.log_mel.mel_spectrogram.spectrogram.window",
        "mel_cnn.log_mel.mel_spectrogram.mel_scale.fb",
        "mel_cnn.encoder.stem.0.weight",
        *(f"mel_cnn.encoder.stem.1.{part}" for part in norm),
        f"{block}convolution_1.weight",
        *(f"{block}norm_1.{part}" for part in norm),
        f"{block}convolution_2.weight",
        *(f"{block}{layer}.{part}" for layer in ("norm_2", "squeeze", "excite") for part in norm),
        "mel_cnn.pooling.projection.weight",
        *(f"mel_cnn.pooling.{layer}.{part}" for layer in ("norm", "attention.0", "attention.2") for part in norm),
        *(f"mel_cnn.unlikeness.{part}" for part in ("directions", "whitening", "centres")),
        *(f"classifier.{part}" for part in norm),
    ]


def test_encoder_of_a_classifier(tmp_path):
    model = save_checkpoint(tmp_path)
    encoder, report = MelCNNModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"]
    for name, tensor in model.base_model.state_dict().items():
        assert torch.equal(encoder.state_dict()[name], tensor), name
    encoder.save_pretrained(tmp_path / "encoder")
    classifier, report = MelCNNForAudioClassification.from_pretrained(tmp_path / "encoder", output_loading_info=True)
    assert report["missing_keys"] == {"classifier.weight", "classifier.bias"}
    assert torch.equal(classifier.base_model.pooling.projection.weight, model.base_model.pooling.projection.weight)


def test_other_labels(tmp_path):
    model = save_checkpoint(tmp_path)
    names = {0: "bored", 1: "curious", 2: "tired"}
    tuned, report = MelCNNForAudioClassification.from_pretrained(
        tmp_path,
        num_labels=3,
        id2label=names,
        label2id={name: index for index, name in names.items()},
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    assert {key for key, *_ in report["mismatched_keys"]} == {"classifier.weight", "classifier.bias"}
    for name, tensor in model.base_model.state_dict().items():
        assert torch.equal(tuned.base_model.state_dict()[name], tensor), name
    assert tuned.classifier.weight.shape == (3, 32) and torch.isfinite(tuned.classifier.weight).all()
    assert 0.005 < tuned.classifier.weight.std() < 0.1
    before = tuned.classifier.weight.detach().clone()
    optimizer = torch.optim.SGD(tuned.parameters(), lr=0.1)
    tuned(torch.from_numpy(voice(0.5))[None], labels=torch.tensor([2])).loss.backward()
    optimizer.step()
    assert not torch.equal(tuned.classifier.weight, before)
    tuned.save_pretrained(tmp_path / "tuned")
    assert MelCNNForAudioClassification.from_pretrained(tmp_path / "tuned").config.id2label == names


def test_other_labels_without_saying_so_is_an_error(tmp_path):
    save_checkpoint(tmp_path)
    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        MelCNNForAudioClassification.from_pretrained(tmp_path, num_labels=3)


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_missing_front_end_is_refilled(tmp_path, dtype):
    model = save_checkpoint(tmp_path)
    drop_weights(tmp_path, "log_mel")
    loaded = MelCNNForAudioClassification.from_pretrained(tmp_path, dtype=dtype)
    for name, buffer in model.base_model.log_mel.named_buffers():
        assert torch.equal(loaded.base_model.log_mel.get_buffer(name), buffer), name


def test_missing_weights_are_named_and_initialised(tmp_path):
    save_checkpoint(tmp_path)
    drop_weights(tmp_path, "classifier", "norm", "convolution_2")
    loaded, report = MelCNNForAudioClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert {"classifier.weight", "mel_cnn.pooling.norm.running_var"} <= report["missing_keys"]
    assert all(torch.isfinite(tensor).all() for tensor in loaded.state_dict().values())
    assert torch.equal(loaded.base_model.pooling.norm.running_var, torch.ones(16))
    assert loaded.classifier.weight.any() and not loaded.classifier.bias.any()
    assert torch.isfinite(loaded(torch.from_numpy(voice(0.5))[None]).logits).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_model_from_a_configuration_alone(dtype):
    with torch.device("meta"):
        MelCNNForAudioClassification(tiny_model().config)
    model = MelCNNForAudioClassification._from_config(tiny_model().config, dtype=dtype).eval()
    assert model.dtype == dtype
    for name, buffer in tiny_model().base_model.log_mel.named_buffers():
        assert torch.equal(model.base_model.log_mel.get_buffer(name), buffer), name
    assert torch.isfinite(model(torch.from_numpy(voice(0.5))[None]).logits).all()


def drop_weights(folder, *parts: str) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not any(part in name for part in parts)}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def test_device_map(tmp_path):
    model = save_checkpoint(tmp_path)
    waveform = torch.from_numpy(voice(0.5))[None]
    for device_map in ("cpu", "auto"):
        loaded = MelCNNForAudioClassification.from_pretrained(tmp_path, device_map=device_map)
        logits = loaded(waveform.to(loaded.device)).logits.cpu()
        torch.testing.assert_close(logits, model(waveform).logits, atol=1e-4, rtol=0)


def test_feature_extractor_round_trip(tmp_path):
    MelCNNFeatureExtractor(sampling_rate=8_000, padding_side="right").save_pretrained(tmp_path)
    loaded = MelCNNFeatureExtractor.from_pretrained(tmp_path)
    assert (loaded.sampling_rate, loaded.padding_value, loaded.padding_side) == (8_000, 0.0, "right")
