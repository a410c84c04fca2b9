"""Clips are all heard before training: every fault is named, what is there is reported, and it is remembered."""

from pathlib import Path

import datasets.config
import numpy as np
import pytest
import soundfile

from modeling.training import checking
from modeling.training.checking import check_clips
from modeling.training.data import DataArguments, load
from tests.modeling.tiny import voice

RATE = 16_000


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A table of four recordings by two speakers and one of nobody known; an empty memory."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    Path("own").mkdir()
    for number in range(4):
        soundfile.write(f"own/{number}.wav", voice(0.2 + number, seed=number), RATE)
    rows = [
        f"{number}.wav,{'low' if number < 2 else 'high'},{('anna', 'ben', '', 'ben')[number]}" for number in range(4)
    ]
    Path("own/train.csv").write_text("\n".join(["audio,label,speaker_id", *rows]))
    return Path("own")


def check(**options) -> list[str]:
    lines = []
    arguments = DataArguments(dataset_name="own", label_column_name="label", **options)
    check_clips(load(arguments, report=lines.append), arguments, report=lines.append)
    return lines


def test_what_was_found_is_reported(own):
    assert check() == [
        "train: 4 clips, 0.00 h; 0.2 to 3.2 s, 1.7 s in the median; 16,000 Hz",
        "  classes: high 2, low 2",
        "  speakers: 2; clips of nobody known: 1",
    ]


def test_every_fault_is_named_in_one_message(own):
    (own / "0.wav").unlink()
    (own / "1.wav").write_bytes(b"")
    soundfile.write(own / "2.wav", np.full((RATE, 2), 3e38), RATE, subtype="FLOAT")
    soundfile.write(own / "3.wav", np.zeros(1), 48_000)
    with pytest.raises(ValueError) as error:
        check()
    lines = str(error.value).splitlines()
    assert lines[0] == "4 of 4 clips cannot be heard:"
    for line, fact in zip(
        lines[1:], ["is not there", "0 bytes", "has a peak of 3e+38", "1 samples at 48,000"], strict=True
    ):
        assert line.startswith("  train: own/") and fact in line


def test_what_is_no_speech_or_breaks_off_is_said(own):
    soundfile.write(own / "0.wav", np.zeros(RATE), RATE)
    content = (own / "3.wav").read_bytes()
    (own / "3.wav").write_bytes(content[: len(content) // 2])
    report = "\n".join(check())
    assert "1 break off and are heard as far as they go: own/3.wav" in report
    assert "no speech, but trained on all the same: own/0.wav (holds only silence)" in report


def test_it_is_remembered_until_a_file_or_a_rule_changes(own, monkeypatch):
    heard = []
    monkeypatch.setattr(
        checking,
        "_hear",
        lambda recordings, index, rate, hear=checking._hear: (heard.append(index), hear(recordings, index, rate))[1],
    )
    first = check()
    assert sorted(heard) == [0, 1, 2, 3]
    heard.clear()
    assert check() == first and not heard
    soundfile.write(own / "2.wav", voice(1.0), RATE)
    check()
    assert heard == [2]
    heard.clear()
    monkeypatch.setattr(checking, "RULES", checking.RULES[:1])
    check()
    assert len(heard) == 4


def test_a_fault_is_never_remembered(own):
    (own / "1.wav").write_bytes(b"torn")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"own/1\.wav cannot be read as audio"):
            check()
    soundfile.write(own / "1.wav", voice(0.3), RATE)
    assert check()


def test_without_a_place_to_remember_it_goes_on(own, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "file")
    assert any("not remembered" in line for line in check())
