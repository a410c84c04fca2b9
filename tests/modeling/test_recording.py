"""Reading recordings: rates, arrays, and every fault in one line for the user."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.recording_mel_cnn import MOST_CHANNELS
from tests.modeling.formats import FORMATS, RATE, VOICE, patched, wav
from tests.modeling.tiny import voice
from tests.plain_words import assert_plain

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_every_rate_keeps_length_and_level(rate):
    content = wav(voice(2.0, rate), rate, subtype="FLOAT")
    waveform = MelCNNFeatureExtractor().read(content)
    assert waveform.dtype == np.float32 and waveform.shape == (2 * RATE,)
    level = np.sqrt((waveform**2).mean())
    assert level == pytest.approx(np.sqrt((voice(2.0, rate) ** 2).mean()), rel=0.05)


@pytest.mark.parametrize("shape", [(RATE,), (RATE, 1), (RATE, 2), (2, RATE)])
def test_a_row_may_hold_an_array(shape):
    array = np.broadcast_to(VOICE[:RATE, None] if shape[0] == RATE and len(shape) > 1 else VOICE[:RATE], shape)
    waveform = MelCNNFeatureExtractor().read({"array": array.tolist(), "sampling_rate": RATE, "path": None})
    np.testing.assert_allclose(waveform, VOICE[:RATE], atol=1e-6)


PLAYLIST = b"ffconcat version 1.0\nfile neighbour.wav\n"
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nneighbour.wav\n#EXT-X-ENDLIST\n"
LARGE = 3e38 * np.ones((RATE, 2))
REFUSALS = {
    "nothing": (b"", "is empty: 0 bytes"),
    "text": (b"not a sound\n" * 100, "cannot be read as audio"),
    "page": (b"<!DOCTYPE html><html>404</html>", "cannot be read as audio"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    "concat": (PLAYLIST, "cannot be read as audio"),
    "hls": (HLS, "cannot be read as audio"),
    "no-samples": (wav(np.zeros(0)), "is empty: 0 samples at 16,000 Hz"),
    "no-samples-but-tags": (wav(np.zeros(0)) + b"LIST\x04\0\0\0INFO", "is empty: 0 samples"),
    "one-sample": (wav(np.zeros(1), 48_000), "is empty: 1 samples at 48,000 Hz"),
    "nan": (wav(np.array([0.0, np.nan] * RATE), subtype="FLOAT"), "NaN or infinite, the first after 0.00 s"),
    "infinite": (wav(np.array([0.0] * RATE + [np.inf]), subtype="FLOAT"), "NaN or infinite, the first after 1.00 s"),
    "unscaled": (wav(VOICE * 32_768, subtype="FLOAT"), r"has a peak of \d+\.\d+, but full scale is 1.0.*32768"),
    "overflow": (wav(LARGE, subtype="FLOAT"), "has a peak of 3e\\+38"),
    "slow": (patched(wav(VOICE), b"fmt ", 12, (1).to_bytes(4, "little")), "sampling rate is 1 Hz; 1,000 to 768,000 Hz"),
    "fast": (patched(wav(VOICE), b"fmt ", 12, (1_270_000_000).to_bytes(4, "little")), "1,270,000,000 Hz; 1,000 to"),
    "channels": (wav(np.zeros((10, 300)), format="WAVEX"), f"300 channels; 1 to {MOST_CHANNELS} are heard"),
    "long": (wav(np.zeros(61 * RATE, np.int16)), "lasts 61 s; 60 s at most"),
    "long-opus": (wav(np.zeros(600 * 8_000), 8_000, format="OGG", subtype="OPUS"), "lasts 600 s; 60 s at most"),
    "wide": (wav(np.zeros((59 * 8_000, 64), np.int16), 8_000, format="WAVEX"), "30,208,000 samples in 64 channels"),
    "flac-that-lies": (patched(wav(VOICE, format="FLAC"), b"fLaC", 21, b"\xff" * 5), "lasts 4,294,967 s"),
    "flac-that-breaks-off": (wav(VOICE, format="FLAC")[:9_000], "breaks off or is damaged"),
    "header-alone": (b"RIFF\x24\0\0\0WAVEthis is not a sound", "cannot be read as audio"),
}


@pytest.mark.parametrize("form", ["path", "bytes", "row"])
@pytest.mark.parametrize("ffmpeg", [True, False], ids=["with-ffmpeg", "without-ffmpeg"])
def test_a_refusal_names_file_fact_and_remedy_and_no_library(ffmpeg, form, tmp_path, monkeypatch, capfd):
    """A playlist, moreover, is not answered from its neighbour."""
    monkeypatch.chdir(tmp_path)
    Path("neighbour.wav").write_bytes(wav(VOICE))
    if not ffmpeg:
        monkeypatch.setenv("PATH", str(tmp_path))
    for name, (content, fact) in REFUSALS.items():
        path = Path(f"{name}.wav")
        path.write_bytes(content)
        source = {"path": path, "bytes": content, "row": {"bytes": content, "path": str(path)}}[form]
        with pytest.raises(ValueError, match=fact) as error:
            MelCNNFeatureExtractor().read(source, longest=60, name=str(path) if form == "bytes" else None)
        message = str(error.value)
        assert message.startswith(f"{name}.wav ") and message.endswith((".", "32768.", "repository that it is from."))
        assert_plain(message)
    assert "Traceback" not in capfd.readouterr().err


def test_what_is_no_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder.wav").mkdir()
    os.mkfifo("pipe.wav")
    read = MelCNNFeatureExtractor().read
    for source, fact in [
        ("absent.wav", r"absent\.wav is not there"),
        ("folder.wav", r"folder\.wav is no file"),
        ("pipe.wav", r"pipe\.wav is no file"),
        ("a\0.wav", "is not there"),
        ({"bytes": None, "path": None}, "the recording is null"),
        (None, "the recording is null"),
        (3, "given as int"),
        (VOICE, "given as ndarray"),
        ({"array": [1, 2, 3], "sampling_rate": RATE}, "int64.*32768"),
        ({"array": [0.1, 0.2], "sampling_rate": None}, "sampling_rate None"),
        ({"array": [[0.1], [0.1, 0.2]], "sampling_rate": RATE}, "n_samples"),
    ]:
        with pytest.raises(ValueError, match=fact):
            read(source)


def test_damaged_files_are_heard_or_refused(monkeypatch):
    """Bytes that were changed, cut out and put in, at random; no exception but a sentence, and only finite samples."""
    generator = np.random.default_rng(0)
    contents = [content for content, _ in FORMATS.values()]
    extractor, n_heard, n_trials = MelCNNFeatureExtractor(), 0, 600
    for trial in range(n_trials):
        if trial == 40:  # to start ffmpeg takes as long as to read twenty files
            monkeypatch.setenv("PATH", "")
        content = bytearray(contents[trial % len(contents)][: generator.integers(200, 20_000)])
        for _ in range(generator.integers(1, 8)):
            where, length = (
                int(generator.integers(len(content) * generator.choice([0.01, 1.0]) + 1)),
                generator.integers(1, 9),
            )
            content[where : where + length] = generator.bytes(
                length if generator.random() < 0.7 else generator.integers(9)
            )
        try:
            waveform = extractor.read(bytes(content), name="damaged.wav")
        except ValueError as error:
            assert str(error).startswith("damaged.wav ") and "\n" not in str(error)
        else:
            assert np.isfinite(waveform).all() and np.abs(waveform).max() < 1_000
            n_heard += 1
    assert 0 < n_heard < n_trials


@pytest.mark.slow
def test_arrays_are_classified_where_soundfile_is_not_installed(tmp_path):
    """A checkpoint loads, and hears arrays; a file is refused with the names of the packages."""
    script = f"""
import sys
sys.modules.update({{"soundfile": None, "soxr": None}})
import numpy as np
from transformers import AutoFeatureExtractor
extractor = AutoFeatureExtractor.from_pretrained({str(ROOT / "modeling" / "checkpoint")!r}, trust_remote_code=True)
assert extractor(np.zeros(9, np.float32), sampling_rate=16_000)["input_values"][0].shape == (9,)
try:
    extractor.read("clip.wav")
except ImportError as error:
    assert "pip install soundfile soxr" in str(error)
else:
    raise SystemExit("was read")
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script], check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
