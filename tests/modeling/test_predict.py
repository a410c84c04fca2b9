"""Prediction: what is heard in files, and what is said where something is wrong."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from torchaudio.functional import resample

from modeling import listener
from modeling import predict as script
from modeling.predict import load_model, predict
from modeling.recordings import find_audio
from tests.modeling.predicted import read_rows, run
from tests.modeling.tiny import EMOTIONS, voice


def test_predictions_are_those_of_the_model(recordings, loaded):
    model, feature_extractor = loaded
    predictions = predict(find_audio("clips"), model, feature_extractor)
    assert [prediction.path.name for prediction in predictions] == ["B.FLAC", "a.wav", "c.ogg"]
    assert [prediction.end for prediction in predictions] == pytest.approx([0.5, 1.0, 2.0])
    probabilities = model(torch.from_numpy(voice(1.0))[None]).logits[0].softmax(-1)
    of_a = predictions[1].probabilities
    assert [of_a[name] for name in EMOTIONS] == pytest.approx(probabilities.tolist(), abs=1e-4)
    assert list(of_a.values()) == sorted(of_a.values(), reverse=True)
    assert predictions[1].emotion == EMOTIONS[probabilities.argmax()]
    heard = resample(torch.from_numpy(voice(0.5, 44_100)), 44_100, 16_000)
    expected = model(heard[None]).logits[0].softmax(-1)
    assert [predictions[0].probabilities[name] for name in EMOTIONS] == pytest.approx(expected.tolist(), abs=0.01)


def test_many_files_of_all_lengths_in_order(tmp_path, loaded, monkeypatch):
    monkeypatch.setattr(script, "TOGETHER", 3)  # three groups, which two processes hear
    monkeypatch.setattr(script, "n_processors", lambda: 2)
    monkeypatch.setattr(listener, "BATCH", {"cpu": 2})
    monkeypatch.setattr(listener, "WAITING", 1)
    paths = []
    for number, seconds in enumerate([0.3, 2.5, 0.05, 1.0, 3.0, 0.4, 0.2, 1.7]):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], voice(seconds, seed=number), 16_000, subtype="FLOAT")
    together = predict(paths, *loaded)
    assert [prediction.path for prediction in together] == paths
    for path, prediction in zip(paths, together, strict=True):
        (alone,) = predict([path], *loaded)
        assert prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-4)


def test_bad_file_is_raised_without_a_handler(recordings, loaded):
    with pytest.raises(ValueError, match="notes.txt cannot be read"):
        predict(["clips/notes.txt"], *loaded)


def test_bad_files_are_reported_and_the_rest_go_on(recordings, checkpoint, capsys):
    soundfile.write("clips/empty.wav", np.zeros(0, np.float32), 16_000)
    soundfile.write("clips/nan.wav", np.array([0.1, np.nan], np.float32), 16_000, subtype="FLOAT")
    (recordings / "clips" / "broken.wav").write_bytes(b"RIFF and no more")
    _, error, status = run(capsys, checkpoint, "clips", "absent.wav", "--output", "out.jsonl")
    assert status == 1
    for fact in ("clips/empty.wav is", "0 samples", "clips/nan.wav has", "NaN", "clips/broken.wav", "absent.wav"):
        assert fact in error
    assert len(error.strip().splitlines()) == 4
    assert [row["path"] for row in read_rows("out.jsonl")] == ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]


def test_who_goes_on_gives_the_digits_of_an_uninterrupted_run(tmp_path, loaded):
    paths = []
    for number in range(5):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], voice(0.3 + 0.1 * number, seed=number), 16_000)
    whole = list(script.predict_each(paths, *loaded))
    rest = list(script.predict_each(paths, *loaded, known=set(paths[:3])))
    assert [(one.path, one.probabilities) for (one,) in rest] == [(one.path, one.probabilities) for (one,) in whole[3:]]


@pytest.mark.parametrize("name", ["embeddings.npz", "embeddings.parquet"])
def test_embeddings_are_what_the_head_is_given(recordings, checkpoint, loaded, capsys, name):
    assert run(capsys, checkpoint, "clips", "--embeddings", name)[2] == 0
    if name.endswith(".npz"):
        saved = np.load(name)
        paths, embeddings = saved["path"].tolist(), saved["embedding"]
    else:
        saved = pq.read_table(name)
        paths, embeddings = saved["path"].to_pylist(), np.stack(saved["embedding"].to_numpy())
    assert paths == ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"] and embeddings.dtype == np.float16
    with torch.inference_mode():
        expected = loaded[0].mel_cnn(torch.from_numpy(voice(1.0))[None]).pooler_output[0]
    np.testing.assert_allclose(embeddings[1], expected, rtol=2e-3, atol=2e-3)


def test_too_long_for_one_clip(recordings, checkpoint, capsys, monkeypatch):
    monkeypatch.setattr(script, "LONGEST", 1.5)
    _, error, status = run(capsys, checkpoint, "clips")
    assert status == 1
    assert "c.ogg lasts 2 s; 1.5 s at most" in error and "--window" in error
    assert run(capsys, checkpoint, "clips", "--window", "1")[2] == 0


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["--hop", "1"], "--window"),
        (["--window", "0"], "0 s is no length"),
        (["--window", "-3"], "no length"),
        (["--window", "nan"], "no length"),
        (["--window", "three"], "three"),
        (["--window", "601"], "601 s is too long: 600 s at most"),
        (["--output", "out.xlsx"], ".csv or .jsonl"),
        (["--output", "absent/out.csv"], "no folder absent"),
        (["--explain", "out.txt"], ".png"),
        (["--explain", "out.png", "--window", "1"], "leave --window out"),
        (["--embeddings", "out.npz", "--window", "1"], "leave --window out"),
        (["--embeddings", "out.txt"], ".npz or .parquet"),
        (["--explain", "out.png"], "3 were found"),
    ],
)
def test_arguments_that_do_not_fit(recordings, checkpoint, capsys, arguments, fact):
    _, error, status = run(capsys, checkpoint, "clips", *arguments)
    assert status == 2 and fact in error
    assert sorted(path.name for path in recordings.iterdir()) == ["clips"]


def test_progress_on_many(recordings, checkpoint, capsys):
    assert run(capsys, checkpoint, "clips")[1] == ""
    for number in range(12):
        shutil.copy("clips/a.wav", f"clips/{number}.wav")
    assert "15/15" in run(capsys, checkpoint, "clips")[1]


@pytest.mark.parametrize("name", ["evidence.png", "evidence.svg"])
def test_picture_of_the_evidence(recordings, checkpoint, capsys, name):
    printed, _, status = run(capsys, checkpoint, "clips/a.wav", "--explain", name)
    assert status == 0 and "clips/a.wav" in printed
    content = (recordings / name).read_bytes()
    assert len(content) > 5_000
    assert content.startswith(b"\x89PNG") or b"time (s)" in content
    _, _, status = run(capsys, checkpoint, "clips/notes.txt", "--explain", "none.png")
    assert status == 1 and not (recordings / "none.png").exists()


def test_no_model(recordings, capsys, tmp_path, monkeypatch):
    for model in ("build/model", "absent", tmp_path):
        _, error, status = run(capsys, model, "clips")
        assert status == 1 and f"no model in {model}" in error and "uv run train.py" in error
    assert "--revision" in run(capsys, "build/model", "clips")[1]
    monkeypatch.setattr(script.load_model, "__defaults__", (tmp_path / "absent", None))
    with pytest.raises(ValueError, match=r"--model build/model"):
        load_model()
