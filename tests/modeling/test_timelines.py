"""Timelines: recordings of any length in windows, of which those without speech have no emotion."""

import numpy as np
import pytest
import soundfile
import torch

from modeling.predict import predict
from tests.modeling.predicted import read_rows, run
from tests.modeling.tiny import EMOTIONS, voice


def test_timeline(recordings, checkpoint, loaded, capsys):
    soundfile.write("long.wav", voice(3.2), 16_000, subtype="FLOAT")
    printed, _, status = run(capsys, checkpoint, "long.wav", "--window", "1", "--hop", "0.5")
    assert status == 0
    assert printed.splitlines()[0].split() == ["file", "start", "end", "emotion", "probability", "then"]
    assert len(printed.splitlines()) == 1 + 6
    predictions = predict(["long.wav"], *loaded, window=1.0, hop=0.5)
    assert [prediction.start for prediction in predictions] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.2])
    assert predictions[-1].end == pytest.approx(3.2)
    assert len(predict(["long.wav"], *loaded, window=1.0)) == 4
    first = loaded[0](torch.from_numpy(voice(3.2)[:16_000])[None]).logits[0].softmax(-1)
    assert [predictions[0].probabilities[name] for name in EMOTIONS] == pytest.approx(first.tolist(), abs=1e-4)


def test_windows_without_speech_have_no_emotion_and_say_why(recordings, checkpoint, capsys):
    time = np.arange(16_000) / 16_000
    parts = [voice(1.0), np.zeros(16_000), 0.3 * np.sin(2 * np.pi * 440 * time), voice(1.0, seed=1)]
    soundfile.write("call.wav", np.concatenate(parts), 16_000)
    printed, _, status = run(capsys, checkpoint, "call.wav", "--window", "1")
    assert status == 0
    _, spoken, silence, tone, _ = printed.splitlines()
    assert any(name in spoken for name in EMOTIONS)
    assert " ".join(silence.split()) == "call.wav 1.00 s 2.00 s no speech (holds only silence)"
    assert " ".join(tone.split()) == "call.wav 2.00 s 3.00 s no speech (holds only a steady tone)"

    for name in ("out.csv", "out.jsonl"):
        assert run(capsys, checkpoint, "call.wav", "--window", "1", "--output", name)[2] == 0
    rows, lines = read_rows("out.csv"), read_rows("out.jsonl")
    assert [list(row) for row in rows] == [["path", "start", "end", "emotion", "probability", "sure", *EMOTIONS]] * 4
    for row, line in zip(rows[1:3], lines[1:3], strict=True):
        assert row["emotion"] == line["emotion"] and row["emotion"].startswith("no speech (holds only")
        assert {row[name] for name in ("probability", "sure", *EMOTIONS)} == {""}
        assert line["probability"] is line["sure"] is line["probabilities"] is None
    assert rows[0]["emotion"] in EMOTIONS and rows[3]["sure"] == "True"


def test_a_file_without_speech_is_told_as_without_a_timeline(recordings, checkpoint, capsys):
    soundfile.write("silent.wav", np.zeros(48_000), 16_000)
    whole = run(capsys, checkpoint, "silent.wav", "clips/a.wav", "--output", "whole.csv")
    line = run(capsys, checkpoint, "silent.wav", "clips/a.wav", "--window", "1", "--output", "line.csv")
    assert whole == line and whole[2] == 1 and "silent.wav holds only silence. Check" in whole[1]
    assert [row["path"] for row in read_rows("line.csv")] == ["clips/a.wav"]
