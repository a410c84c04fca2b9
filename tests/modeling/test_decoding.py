"""Containers and codecs: every format is heard alike by everybody who reads, with ffmpeg and without."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.recording_mel_cnn import read_recording
from tests.modeling.formats import FORMATS, RATE, VOICE, patched, wav

ROOT = Path(__file__).parents[2]
BY_FFMPEG = {  # what only ffmpeg reads: suffix and encoder
    "m4a-aac": ("m4a", "aac"),
    "m4a-alac": ("m4a", "alac"),
    "caf-of-a-stream": ("caf", "pcm_s16le"),
    "webm-opus": ("webm", "libopus"),
    "wavpack": ("wv", "wavpack"),
    "wma": ("wma", "wmav2"),
}


def by_build(path: Path) -> np.ndarray:
    from data_scripts.audio import read_waveform

    return read_waveform(path)[0]


def by_training(path: Path) -> np.ndarray:
    from datasets import Dataset

    from modeling.training.data import Clips, DataArguments

    rows = Dataset.from_dict({"audio": [{"path": str(path), "bytes": None}], "emotion": [0]})
    return Clips(rows, DataArguments(), RATE)[0]["input_values"]


def by_prediction(path: Path) -> np.ndarray:
    return read_recording(path, RATE).waveform


def by_space(path: Path) -> np.ndarray:
    if str(ROOT / "space") not in sys.path:
        sys.path.insert(0, str(ROOT / "space"))
    from sound import load

    return load(path, MelCNNFeatureExtractor())


def by_bytes(path: Path) -> np.ndarray:
    return MelCNNFeatureExtractor().read(path.read_bytes())


def by_pieces(path: Path) -> np.ndarray:
    return np.concatenate(list(MelCNNFeatureExtractor().stream({"path": str(path), "bytes": None})))


READERS = [by_build, by_training, by_prediction, by_space, by_bytes, by_pieces]


@pytest.mark.parametrize("ffmpeg", [True, False], ids=["with-ffmpeg", "without-ffmpeg"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_reader_hears_every_format_alike(name, ffmpeg, tmp_path, monkeypatch):
    content, nearness = FORMATS[name]
    path = tmp_path / "clip.wav"  # whatever it is: the name says nothing
    path.write_bytes(content)
    if not ffmpeg:
        monkeypatch.setenv("PATH", str(tmp_path))
    nearness = dict(nearness)
    expected = VOICE * nearness.pop("scale", 1.0)
    heard = [read(path) for read in READERS]
    assert 0 <= len(heard[0]) - len(expected) <= 2_048
    np.testing.assert_allclose(heard[0][: len(expected)], expected, rtol=0, **nearness)
    for other in heard[1:]:
        np.testing.assert_array_equal(other, heard[0])


@pytest.mark.parametrize("name", BY_FFMPEG)
def test_what_libsndfile_cannot_read_ffmpeg_does(name, tmp_path):
    suffix, encoder = BY_FFMPEG[name]
    if not shutil.which("ffmpeg"):
        pytest.fail("ffmpeg is missing") if "CI" in os.environ else pytest.skip("needs the program ffmpeg")
    stereo = np.stack([VOICE, VOICE], axis=1)
    command = ["ffmpeg", "-v", "error", "-i", "pipe:0", "-c:a", encoder, str(tmp_path / f"clip.{suffix}")]
    subprocess.run(command, input=wav(stereo), check=True)
    path = (tmp_path / f"clip.{suffix}").rename(tmp_path / "clip.wav")
    if name == "caf-of-a-stream":
        path.write_bytes(patched(path.read_bytes(), b"data", 4, b"\xff" * 8))
    heard = [read(path) for read in READERS]
    assert len(heard[0]) == pytest.approx(len(VOICE), abs=2_048)
    assert np.sqrt((heard[0] ** 2).mean() / (VOICE**2).mean()) == pytest.approx(1, abs=0.05)  # the gain
    for other in heard[1:]:
        np.testing.assert_array_equal(other, heard[0])


def test_a_file_is_opened_by_its_content_not_by_its_name(tmp_path):
    """By name, libsndfile takes `._1.mp3` beside `1.mp3` for a resource fork, and `.raw` for samples without a header."""
    (tmp_path / "1.mp3").write_bytes(FORMATS["mp3"][0])
    (tmp_path / "._1.mp3").write_bytes(b"\0\5\x16\7" + bytes(120))
    shutil.copy(tmp_path / "1.mp3", tmp_path / "1.raw")
    heard = [MelCNNFeatureExtractor().read(tmp_path / name) for name in ("1.mp3", "1.raw")]
    np.testing.assert_array_equal(*heard)


def test_the_decoder_of_mp3_prints_nothing_and_others_may(capfd):
    content = bytearray(FORMATS["mp3"][0])
    content[1_000:9_000:97] = bytes(len(content[1_000:9_000:97]))
    speaking = threading.Event()

    def speak():
        while not speaking.wait(0.001):
            os.write(2, b"another thread\n")

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        for _ in range(20):
            read_recording(bytes(content), RATE)
    finally:
        speaking.set()
        thread.join()
    said = capfd.readouterr().err
    assert set(said.splitlines()) == {"another thread"}
