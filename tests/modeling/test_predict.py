"""Prediction: what is found, what is heard, what is written, and what is said where something is wrong."""

import csv
import json
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from torchaudio.functional import resample

from modeling import engine
from modeling import predict as script
from modeling.predict import load_model, predict
from modeling.recordings import find_audio
from tests.modeling.tiny import EMOTIONS, save_checkpoint, voice


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return load_model(folder)


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Three clips of different formats, rates and channels, in folders, beside other files; the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips" / "deep").mkdir(parents=True)
    soundfile.write("clips/a.wav", voice(1.0), 16_000, subtype="FLOAT")
    soundfile.write("clips/B.FLAC", np.stack([voice(0.5, 44_100)] * 2, axis=1), 44_100)
    soundfile.write("clips/deep/c.ogg", voice(2.0, 8_000), 8_000)
    (tmp_path / "clips" / "notes.txt").write_text("none of this is audio")
    (tmp_path / "clips" / "._a.wav").write_bytes(b"what a file manager left")
    return tmp_path


def run(capsys, folder, *arguments) -> tuple[str, str, int]:
    """Standard output and error of the script, and its exit status."""
    try:
        script.main([*map(str, arguments), "--model", str(folder)])
        code = 0
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    return (captured.out, captured.err, code) if isinstance(code, int) else (captured.out, captured.err + code, 1)


def read_rows(name: str) -> list[dict]:
    lines = Path(name).read_text(encoding="utf-8-sig").splitlines()
    return list(csv.DictReader(lines)) if name.endswith(".csv") else [json.loads(line) for line in lines]


def test_what_a_path_names(recordings):
    names = ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]
    assert [str(path) for path in find_audio("clips")] == names
    assert [str(path) for path in find_audio("clips/a.wav")] == names[1:2]
    assert [str(path) for path in find_audio("clips/*.wav")] == names[1:2]
    assert [str(path) for path in find_audio("clips/**/*.ogg")] == names[2:]
    assert [str(path) for path in find_audio("cl*")] == names
    assert [str(path) for path in find_audio("clips/notes.txt")] == ["clips/notes.txt"]
    shutil.copy("clips/a.wav", "clips/take [1].wav")
    assert [str(path) for path in find_audio("clips/take [1].wav")] == ["clips/take [1].wav"]


@pytest.mark.parametrize(
    ("argument", "fact"),
    [("clips/*.mp3", "nothing matches"), ("absent.wav", "there is no file"), ("empty", "no audio in empty")],
)
def test_path_that_names_nothing(recordings, argument, fact):
    (recordings / "empty").mkdir()
    with pytest.raises(ValueError, match=fact):
        find_audio(argument)


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
    monkeypatch.setattr(engine, "BATCH", {"cpu": 2})
    monkeypatch.setattr(engine, "WAITING", 1)
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


def test_table(recordings, folder, capsys):
    printed, error, status = run(capsys, folder, "clips", "clips/a.wav")
    assert (error, status) == ("", 0)
    header, *lines = printed.splitlines()
    assert header.split() == ["file", "emotion", "probability", "then"]
    assert [line.split()[0] for line in lines] == ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]
    assert all(any(name in line for name in EMOTIONS) for line in lines)


def test_not_sure(recordings, tmp_path, capsys):
    save_checkpoint(tmp_path / "unsure", unsure_threshold=0.99)
    printed, _, _ = run(capsys, tmp_path / "unsure", "clips/a.wav", "--output", "out.csv")
    assert printed == ""
    assert "not sure" in run(capsys, tmp_path / "unsure", "clips/a.wav")[0]
    (row,) = read_rows("out.csv")
    assert row["sure"] == "False" and row["emotion"] in EMOTIONS


def test_csv_and_json_lines_say_the_same(recordings, folder, capsys):
    for name in ("out.csv", "out.jsonl"):
        assert run(capsys, folder, "clips", "--output", name) == ("", "", 0)
    rows, lines = read_rows("out.csv"), read_rows("out.jsonl")
    assert list(rows[0]) == ["path", "start", "end", "emotion", "probability", "sure", *EMOTIONS]
    for row, line in zip(rows, lines, strict=True):
        assert (row["path"], row["emotion"]) == (line["path"], line["emotion"])
        assert float(row["end"]) == line["end"]
        assert {name: float(row[name]) for name in EMOTIONS} == pytest.approx(line["probabilities"])
        assert line["probability"] == max(line["probabilities"].values()) == line["probabilities"][line["emotion"]]
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert line["sure"] is True
    assert [path.name for path in recordings.iterdir() if path.name.startswith(".")] == []


def test_bad_files_are_reported_and_the_rest_go_on(recordings, folder, capsys):
    soundfile.write("clips/empty.wav", np.zeros(0, np.float32), 16_000)
    soundfile.write("clips/nan.wav", np.array([0.1, np.nan], np.float32), 16_000, subtype="FLOAT")
    (recordings / "clips" / "broken.wav").write_bytes(b"RIFF and no more")
    _, error, status = run(capsys, folder, "clips", "absent.wav", "--output", "out.jsonl")
    assert status == 1
    for fact in ("clips/empty.wav is", "0 samples", "clips/nan.wav has", "NaN", "clips/broken.wav", "absent.wav"):
        assert fact in error
    assert len(error.strip().splitlines()) == 4
    assert [row["path"] for row in read_rows("out.jsonl")] == ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]


def test_nothing_is_written_where_nothing_was_heard(recordings, folder, capsys):
    (recordings / "out.csv").write_text("from before")
    _, error, status = run(capsys, folder, "clips/notes.txt", "--output", "out.csv")
    assert status == 1 and "clips/notes.txt cannot be read" in error
    assert (recordings / "out.csv").read_text() == "from before"
    assert run(capsys, folder, "absent.wav")[2] == 1


def interrupted_at(monkeypatch, name: str) -> None:
    """Ctrl-C comes when this file is read; every file is heard by itself."""
    read = engine.read_recording

    def interrupt(path, *arguments):
        if Path(path).name == name:
            raise KeyboardInterrupt
        return read(path, *arguments)

    monkeypatch.setattr(script, "TOGETHER", 1)
    monkeypatch.setattr(script, "n_processors", lambda: 0)
    monkeypatch.setattr(engine, "read_recording", interrupt)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_an_interrupted_run_keeps_its_answers_and_goes_on(recordings, folder, capsys, monkeypatch, name):
    (recordings / name).write_text("from before")
    with monkeypatch.context() as patch:
        interrupted_at(patch, "c.ogg")
        _, said, status = run(capsys, folder, "clips", "--output", name)
    assert status == 1 and said.startswith("interrupted; 2 of 3 files are answered, in ") and "same command" in said
    assert (recordings / name).read_text() == "from before"
    partial = (recordings / f"{name}.partial").read_bytes()
    assert b"clips/a.wav" in partial
    (recordings / f"{name}.partial").write_bytes(partial + b"clips/c.ogg,0.0,2")  # killed in the middle of a line

    _, said, status = run(capsys, folder, "clips", "--output", name, "--window", "1")
    assert status == 1 and "holds answers of an earlier run with --window None, this one has 1.0" in said
    monkeypatch.setattr(script, "TOGETHER", 1)
    read = Mock(side_effect=engine.read_recording)
    monkeypatch.setattr(script, "n_processors", lambda: 0)
    monkeypatch.setattr(engine, "read_recording", read)
    assert run(capsys, folder, "clips", "--output", name)[2] == 0
    assert read.call_count == 1
    assert [row["path"] for row in read_rows(name)] == ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]
    resumed = (recordings / name).read_bytes()
    assert run(capsys, folder, "clips", "--output", name)[2] == 0
    assert (recordings / name).read_bytes() == resumed  # as if nothing had come in between
    assert sorted(path.name for path in recordings.iterdir()) == ["clips", name]


def test_an_interrupted_table_is_printed_as_far_as_it_goes(recordings, folder, capsys, monkeypatch):
    interrupted_at(monkeypatch, "a.wav")
    printed, said, status = run(capsys, folder, "clips")
    assert status == 1 and "B.FLAC" in printed and said.startswith("interrupted; 1 of 3 files are answered, above")


def test_who_goes_on_gives_the_digits_of_an_uninterrupted_run(tmp_path, loaded):
    paths = []
    for number in range(5):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], voice(0.3 + 0.1 * number, seed=number), 16_000)
    whole = list(script.predict_each(paths, *loaded))
    rest = list(script.predict_each(paths, *loaded, known=set(paths[:3])))
    assert [(one.path, one.probabilities) for (one,) in rest] == [(one.path, one.probabilities) for (one,) in whole[3:]]


@pytest.mark.parametrize("name", ["embeddings.npz", "embeddings.parquet"])
def test_embeddings_are_what_the_head_is_given(recordings, folder, loaded, capsys, name):
    assert run(capsys, folder, "clips", "--embeddings", name)[2] == 0
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


def test_a_full_disk_keeps_the_answers(recordings, folder, capsys, monkeypatch, tiny_disk):
    with pytest.raises(OSError), open(tiny_disk / "ballast", "wb") as ballast:
        while True:
            ballast.write(bytes(512))
    _, said, status = run(capsys, folder, "clips", "--output", tiny_disk / "out.csv")
    assert status == 1 and "disk is full" in said and len(said.splitlines()) == 1
    (tiny_disk / "ballast").unlink()
    assert run(capsys, folder, "clips", "--output", tiny_disk / "out.csv")[2] == 0
    assert len(read_rows(str(tiny_disk / "out.csv"))) == 3


def test_names_that_mean_harm(recordings, folder, capsys):
    shutil.move("clips/a.wav", "clips/\x1b[2J\ta.wav")
    shutil.copy("clips/B.FLAC", "=B.FLAC")
    printed, _, _ = run(capsys, folder, "clips", "=B.FLAC")
    assert "\x1b" not in printed and r"\x1b[2J\ta.wav" in printed
    Path("clips/\x1b]0;.wav").write_bytes(b"no sound")
    assert "\x1b" not in run(capsys, folder, "clips")[1]
    run(capsys, folder, "=B.FLAC", "--output", "out.csv")
    assert Path("out.csv").read_bytes().splitlines()[1].startswith(b"'=B.FLAC,")


def test_timeline(recordings, folder, loaded, capsys):
    soundfile.write("long.wav", voice(3.2), 16_000, subtype="FLOAT")
    printed, _, status = run(capsys, folder, "long.wav", "--window", "1", "--hop", "0.5")
    assert status == 0
    assert printed.splitlines()[0].split() == ["file", "start", "end", "emotion", "probability", "then"]
    assert len(printed.splitlines()) == 1 + 6
    predictions = predict(["long.wav"], *loaded, window=1.0, hop=0.5)
    assert [prediction.start for prediction in predictions] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.2])
    assert predictions[-1].end == pytest.approx(3.2)
    assert len(predict(["long.wav"], *loaded, window=1.0)) == 4
    first = loaded[0](torch.from_numpy(voice(3.2)[:16_000])[None]).logits[0].softmax(-1)
    assert [predictions[0].probabilities[name] for name in EMOTIONS] == pytest.approx(first.tolist(), abs=1e-4)


def test_too_long_for_one_clip(recordings, folder, capsys, monkeypatch):
    monkeypatch.setattr(script, "LONGEST", 1.5)
    _, error, status = run(capsys, folder, "clips")
    assert status == 1
    assert "c.ogg lasts 2 s; 1.5 s at most" in error and "--window" in error
    assert run(capsys, folder, "clips", "--window", "1")[2] == 0


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["--hop", "1"], "--window"),
        (["--window", "0"], "0 s is no length"),
        (["--window", "-3"], "no length"),
        (["--window", "nan"], "no length"),
        (["--window", "three"], "three"),
        (["--output", "out.xlsx"], ".csv or .jsonl"),
        (["--output", "absent/out.csv"], "no folder absent"),
        (["--explain", "out.txt"], ".png"),
        (["--explain", "out.png", "--window", "1"], "leave --window out"),
        (["--embeddings", "out.npz", "--window", "1"], "leave --window out"),
        (["--embeddings", "out.txt"], ".npz or .parquet"),
        (["--explain", "out.png"], "3 were found"),
    ],
)
def test_arguments_that_do_not_fit(recordings, folder, capsys, arguments, fact):
    _, error, status = run(capsys, folder, "clips", *arguments)
    assert status == 2 and fact in error
    assert sorted(path.name for path in recordings.iterdir()) == ["clips"]


def test_progress_on_many(recordings, folder, capsys):
    assert run(capsys, folder, "clips")[1] == ""
    for number in range(12):
        shutil.copy("clips/a.wav", f"clips/{number}.wav")
    assert "15/15" in run(capsys, folder, "clips")[1]


@pytest.mark.parametrize("name", ["evidence.png", "evidence.svg"])
def test_picture_of_the_evidence(recordings, folder, capsys, name):
    printed, _, status = run(capsys, folder, "clips/a.wav", "--explain", name)
    assert status == 0 and "clips/a.wav" in printed
    content = (recordings / name).read_bytes()
    assert len(content) > 5_000
    assert content.startswith(b"\x89PNG") or b"time (s)" in content
    _, _, status = run(capsys, folder, "clips/notes.txt", "--explain", "none.png")
    assert status == 1 and not (recordings / "none.png").exists()


def test_no_model(recordings, capsys, tmp_path, monkeypatch):
    for model in ("build/model", "absent", tmp_path):
        _, error, status = run(capsys, model, "clips")
        assert status == 1 and f"no model in {model}" in error and "uv run train.py" in error
    assert "--revision" in run(capsys, "build/model", "clips")[1]
    monkeypatch.setattr(script.load_model, "__defaults__", (tmp_path / "absent", None))
    with pytest.raises(ValueError, match=r"--model build/model"):
        load_model()
