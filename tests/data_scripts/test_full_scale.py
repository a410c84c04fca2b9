"""The build says which clips exceed full scale, and does not take the overshoot of copies for that."""

import io

import numpy as np
import pytest
import soundfile
from datasets import Audio, load_dataset

from data_scripts.audio import OVERSHOOT, read_waveform
from data_scripts.build import build
from tests.miniature_corpora import CREMA_D_ACTORS

EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "SAD")


def write(folder, peaks: dict[str, float], **options) -> None:
    """Clips of CREMA-D with a tone of a given peak each."""
    folder.mkdir(exist_ok=True)
    tone = np.sin(2 * np.pi * 1_000 * np.arange(6_400) / 16_000)  # has samples at its very peaks
    for emotion, peak in peaks.items():
        path = folder / f"{CREMA_D_ACTORS[0]}_DFA_{emotion}_XX.wav"
        soundfile.write(path, peak * tone, 16_000, **options)


def said_of(folder) -> list[str]:
    said = []
    build({"crema_d": folder}, folder.with_name("corpus"), allow_partial=True, report=said.append)
    return [line for line in said if "full scale" in line]


def test_float_files_beyond_full_scale_are_counted_and_named_the_loudest_first(tmp_path):
    write(tmp_path / "raw", dict(zip(EMOTIONS, (2.0, 3.5, 0.5, 1.75, 9.0), strict=True)), subtype="FLOAT")
    (line,) = said_of(tmp_path / "raw")
    assert line.startswith("4 clips exceed full scale") and "peaks of up to 9.00" in line
    assert "1009_DFA_SAD_XX.wav, 1009_DFA_DIS_XX.wav, 1009_DFA_ANG_XX.wav, ..." in line and "HAP" not in line
    write(tmp_path / "raw", {"SAD": 0.5, "DIS": 3.5, "ANG": 0.5, "HAP": 0.5}, subtype="FLOAT")
    (line,) = said_of(tmp_path / "raw")
    assert line.startswith("1 clip exceeds") and "up to 3.50): 1009_DFA_DIS_XX.wav. " in line
    clips = load_dataset(str(tmp_path / "corpus"), split="validation").cast_column("audio", Audio(decode=False))
    (content,) = [clip["audio"]["bytes"] for clip in clips if "DIS" in clip["source_file"]]
    waveform, _ = soundfile.read(io.BytesIO(content))  # what was said came about
    assert waveform.min() == -1.0 and waveform.max() == pytest.approx(1.0, abs=1e-4)


def test_recordings_at_full_scale_and_their_copies_are_in_order(tmp_path):
    write(tmp_path / "raw", dict.fromkeys(EMOTIONS, 1.0), subtype="FLOAT")
    assert said_of(tmp_path / "raw") == []
    rng = np.random.default_rng(0)
    speech = np.clip(4 * np.cumsum(rng.standard_normal(48_000)) / 100, -1, 1)  # mostly cut off
    copy = tmp_path / "raw" / "1009_DFA_ANG_XX.wav"
    soundfile.write(copy, speech, 48_000)
    peak = np.abs(read_waveform(copy)[0]).max()
    assert 1 < peak < OVERSHOOT and said_of(tmp_path / "raw") == []


def test_the_real_recordings_are_within_it(real_corpora):
    """Among them the loudest of all, and one that Vorbis makes louder than it was."""
    folder = real_corpora / "crema_d" / "AudioWAV"
    for stem in ("1079_IEO_ANG_HI", "1008_IEO_ANG_HI", "1030_IEO_ANG_HI"):
        (path,) = folder.glob(f"{stem}.*")
        assert np.abs(read_waveform(path)[0]).max() < OVERSHOOT
