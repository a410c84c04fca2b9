"""A tiny checkpoint as ONNX: equal to PyTorch's, whole, and of use without torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import torch

import modeling.export
from modeling.export import CHECKPOINT, main
from modeling.loading import load_model
from modeling.quantize import inputs
from tests.modeling.tiny import EMOTIONS, batch, save_checkpoint, voice


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, torch.nn.Module]:
    """The folder of an exported tiny model, without a quantised one, and the model."""
    folder = tmp_path_factory.mktemp("model")
    model = save_checkpoint(folder, unsure_threshold=0.4)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where no build/corpus is
        main([str(folder)])
    return folder, model


def session(folder: Path, name: str = "model") -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(folder / "onnx" / f"{name}.onnx", providers=["CPUExecutionProvider"])


def test_folder(exported):
    folder, _ = exported
    assert {path.name for path in (folder / "onnx").iterdir()} == {"model.onnx", "model.json"}


def test_what_a_runtime_needs_besides(exported):
    folder, _ = exported
    description = json.loads((folder / "onnx" / "model.json").read_text())
    assert description["labels"] == list(EMOTIONS)
    assert (description["sampling_rate"], description["unsure_threshold"]) == (16_000, 0.4)
    assert description["parity"]["largest_difference"]["probabilities"] < 1e-4
    metadata = session(folder).get_modelmeta().custom_metadata_map
    for name in ("labels", "sampling_rate", "unsure_threshold", "calibration_temperature"):
        assert json.loads(metadata[name]) == description[name]
    proto = onnx.load(folder / "onnx" / "model.onnx")
    axes = [[axis.dim_param for axis in value.type.tensor_type.shape.dim] for value in proto.graph.input]
    assert axes == [["batch", "n_samples"]] * 2


@pytest.mark.parametrize("seconds", [0.05, 0.1, 1.0, 2.345, 10.0])
def test_clips_of_any_length(exported, seconds):
    folder, model = exported
    clip = voice(seconds)
    logits, probabilities, embedding, evidence = session(folder).run(
        ["logits", "probabilities", "embedding", "evidence"], inputs(clip)
    )
    with torch.no_grad():
        waveform = torch.from_numpy(clip)[None]
        expected = model(waveform).logits
        np.testing.assert_allclose(logits, expected.numpy(), atol=1e-5)
        np.testing.assert_allclose(probabilities, expected.softmax(-1).numpy(), atol=1e-5)
        np.testing.assert_allclose(embedding, model.mel_cnn(waveform).pooler_output.numpy(), atol=1e-5)
        np.testing.assert_allclose(evidence, model.saliency(waveform).numpy(), atol=1e-4)


def test_adapted_as_its_description_says(tmp_path, monkeypatch):
    """By numpy, onnxruntime and model.json alone, as `model.adapt` does it."""
    monkeypatch.chdir(tmp_path)
    model = save_checkpoint(
        tmp_path, calibration_temperature=1.5, unlike_temperature=0.75, uncommon_labels=[1], unsure_threshold=0.4
    )
    torch.nn.init.normal_(model.classifier.bias)
    torch.nn.init.normal_(model.classifier.weight)
    unlikeness = model.mel_cnn.unlikeness
    identity = np.eye(len(unlikeness.whitening))
    unlikeness.fit(np.zeros(unlikeness.directions.shape), identity, np.zeros(unlikeness.centres.shape))
    clips = [voice(3.0, seed=seed) * gain for seed, gain in enumerate((0.05, 1, 0.2, 0.7))]
    with torch.no_grad():
        middle = np.median([model(torch.from_numpy(clip)[None]).unlikeness.item() for clip in clips])
    unlikeness.fit(np.zeros(unlikeness.directions.shape), identity * 1.1 / middle, np.zeros(unlikeness.centres.shape))
    model.save_pretrained(tmp_path)
    main([str(tmp_path)])

    described = json.loads((tmp_path / "onnx" / "model.json").read_text())
    adapting, common = described["adapting"], described["adapting"]["common_labels"]
    outputs = [session(tmp_path).run(["logits", "unlikeness"], inputs(clip)) for clip in clips]
    low, high = adapting["slightly_unlike"], adapting["clearly_unlike"]
    excess = np.array([(unlike[0] - low) / (high - low) for _, unlike in outputs]).clip(0, 1)
    assert common == [0, 2, 3] and len(set(excess)) > 2  # the clips are calibrated in different ways
    temperatures = described["calibration_temperature"] * (1 + adapting["unlike_temperature"] * excess)
    favour = np.mean([logits[0] * by for (logits, _), by in zip(outputs, temperatures, strict=True)], axis=0)
    contents = bytearray((tmp_path / "onnx" / "model.onnx").read_bytes())
    bias = np.frombuffer(contents, "<f4", len(described["labels"]), adapting["bias_offset"])
    np.testing.assert_array_equal(bias, model.classifier.bias.detach().numpy())
    share = len(clips) / (len(clips) + adapting["half_way"])
    bias[common] -= share * (favour[common] - favour[common].mean())  # in the contents

    adapted = model.adapt([torch.from_numpy(clip) for clip in clips])
    runnable = onnxruntime.InferenceSession(bytes(contents), providers=["CPUExecutionProvider"])
    probabilities, evidence = runnable.run(["probabilities", "evidence"], inputs(clips[0]))
    with torch.no_grad():
        waveform = torch.from_numpy(clips[0])[None]
        expected, before = (network(waveform).logits.softmax(-1).numpy() for network in (adapted, model))
        np.testing.assert_allclose(probabilities, expected, atol=1e-4)
        np.testing.assert_allclose(evidence, adapted.saliency(waveform).numpy(), atol=1e-4)
    assert np.abs(before - expected).max() > 0.01


def test_padded_batch(exported):
    folder, model = exported
    padded = batch(0.2, 1.0, 0.7)
    feeds = {"input_values": padded["input_values"].numpy(), "attention_mask": padded["attention_mask"].long().numpy()}
    with torch.no_grad():
        expected = model(**padded).logits.numpy()
    np.testing.assert_allclose(session(folder).run(["logits"], feeds)[0], expected, atol=1e-5)


def test_snippet_runs_without_torch(exported, tmp_path):
    """The one in the docstring, in a process where neither torch nor transformers can be imported."""
    folder, model = exported
    clip = voice(1.0)
    soundfile.write(tmp_path / "clip.wav", clip, 16_000, subtype="FLOAT")
    snippet = modeling.export.__doc__.partition("onnxruntime and soundfile:\n")[2].replace("\n    ", "\n")
    snippet = snippet.replace("modeling/checkpoint", str(folder))
    blocked = "import sys\nfor name in ('torch', 'torchaudio', 'transformers'): sys.modules[name] = None\n"
    command = [sys.executable, "-I", "-c", blocked + snippet]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    with torch.no_grad():
        likeliest = model(torch.from_numpy(clip)[None]).logits.argmax().item()
    assert EMOTIONS[likeliest] in run.stdout


def test_plain_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = save_checkpoint(tmp_path / "model", architecture="plain")
    main([str(tmp_path / "model"), "--output", str(tmp_path / "exported")])
    logits = session(tmp_path / "exported").run(["logits"], inputs(voice(0.5)))[0]
    with torch.no_grad():
        np.testing.assert_allclose(logits, model(torch.from_numpy(voice(0.5))[None]).logits.numpy(), atol=1e-5)


def test_quantised_model_is_judged_and_kept_or_left_out(exported, tiny_corpus, tmp_path, monkeypatch, capsys):
    from tests.tiny_model import write_model

    folder = write_model(tmp_path / "model")
    for most_lost, kept in ((1.0, True), (-1.0, False)):
        monkeypatch.setattr("modeling.quantize.MOST_LOST", most_lost)
        main([str(folder), "--dataset_name", str(tiny_corpus)])
        assert (folder / "onnx" / "model_quantized.onnx").is_file() == kept
        judgement = json.loads((folder / "onnx" / "model.json").read_text())["quantized"]
        assert judgement["kept"] == kept and judgement["n_clips"] > 0
        assert set(judgement["accuracy"]) == {"model", "model_quantized"}
        assert ("left out" in capsys.readouterr().out) == (not kept)
        if kept:
            runnable = session(folder, "model_quantized")
            assert json.loads(runnable.get_modelmeta().custom_metadata_map["sampling_rate"]) == 16_000
            assert [output.name for output in runnable.get_outputs()] == [
                "logits",
                "probabilities",
                "embedding",
                "unlikeness",
            ]
            np.testing.assert_allclose(runnable.run(["probabilities"], inputs(voice(1.0)))[0].sum(), 1, atol=1e-5)


def test_strayed_model_is_not_written(tmp_path, monkeypatch):
    save_checkpoint(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modeling.export.TOLERANCE", -1.0)
    with pytest.raises(SystemExit, match="stray from PyTorch's"):
        main([str(tmp_path)])
    assert not (tmp_path / "onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["nowhere"], "no folder on this machine"), (["nowhere", "--output", "out"], "there is no model in nowhere")],
)
def test_what_cannot_be_exported_is_a_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert sentence in f"{error.value}{capsys.readouterr().err}"


def test_checkpoint_of_the_repository():
    """What was exported into modeling/checkpoint/onnx is the checkpoint beside it."""
    folder = CHECKPOINT / "onnx"
    if not folder.is_dir():
        pytest.skip("modeling/checkpoint/onnx is not there: uv run -m modeling.export writes it")
    assert sum(path.stat().st_size for path in folder.glob("*.onnx")) < 10_000_000
    model, _ = load_model()
    clip = voice(2.0)
    with torch.no_grad():
        expected = model.cpu()(torch.from_numpy(clip)[None]).logits.softmax(-1).numpy()
    exact = session(CHECKPOINT).run(["probabilities"], inputs(clip))[0]
    np.testing.assert_allclose(exact, expected, atol=1e-4)
    if (folder / "model_quantized.onnx").is_file():
        small = session(CHECKPOINT, "model_quantized").run(["probabilities"], inputs(clip))[0]
        assert np.abs(small - expected).max() < 0.15
