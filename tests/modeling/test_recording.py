"""Reading recordings: every format by every reader alike, and every fault in one line for the user."""

import io
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.recording_mel_cnn import MOST_CHANNELS, read_recording
from tests.modeling.tiny import voice
from tests.plain_words import assert_plain

ROOT = Path(__file__).parents[2]
RATE = 16_000


def wav(waveform: np.ndarray, rate: int = RATE, **options) -> bytes:
    """A file's content, a WAV of 16 bits unless the options say otherwise."""
    content = io.BytesIO()
    soundfile.write(content, waveform, rate, **{"format": "WAV", **options})
    return content.getvalue()


def patched(content: bytes, chunk: bytes, offset: int, value: bytes) -> bytes:
    """The content with other bytes at so many bytes after the name of a chunk."""
    position = content.index(chunk) + offset
    return content[:position] + value + content[position + len(value) :]


def big_endian(waveform: np.ndarray) -> bytes:
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", RATE, 1, "PCM_16", "BIG", "WAV") as file:
        file.write(waveform)
    return content.getvalue()


VOICE = voice(2.0)
SIXTEEN = {"atol": 1 / 32_768}
LOSSY = {"atol": 0.12}
# What stands in the file, and how near to the voice it is heard. Codecs with blocks of their own add a few samples at the end.
FORMATS = {
    "wav": (wav(VOICE), SIXTEEN),
    "wav-24": (wav(VOICE, subtype="PCM_24"), SIXTEEN),
    "wav-float": (wav(VOICE, subtype="FLOAT"), {"atol": 0}),
    "wav-double": (wav(VOICE, subtype="DOUBLE"), SIXTEEN),
    "wav-8": (wav(VOICE, subtype="PCM_U8"), {"atol": 0.01}),
    "wav-alaw": (wav(VOICE, subtype="ALAW"), {"atol": 0.02}),
    "wav-mulaw": (wav(VOICE, subtype="ULAW"), {"atol": 0.02}),
    "wav-ima-adpcm": (wav(VOICE, subtype="IMA_ADPCM"), LOSSY),
    "wav-ms-adpcm": (wav(VOICE, subtype="MS_ADPCM"), LOSSY),
    "wav-gsm": (wav(VOICE, subtype="GSM610"), {"atol": 0.2}),
    "rifx": (big_endian(VOICE), SIXTEEN),
    "wav-of-a-stream": (patched(patched(wav(VOICE), b"RIFF", 4, b"\xff" * 4), b"data", 4, b"\xff" * 4), SIXTEEN),
    "wav-without-sizes": (patched(patched(wav(VOICE), b"RIFF", 4, b"\0" * 4), b"data", 4, b"\0" * 4), SIXTEEN),
    "rifx-without-sizes": (patched(big_endian(VOICE), b"data", 4, b"\0" * 4), SIXTEEN),
    "wav-stereo": (wav(np.stack([VOICE, VOICE], axis=1)), SIXTEEN),
    "wav-one-ear": (wav(np.stack([VOICE, np.zeros_like(VOICE)], axis=1) * 1.9), {"scale": 0.95, **SIXTEEN}),
    "wav-5.1": (wav(np.stack([VOICE] * 6, axis=1), format="WAVEX"), SIXTEEN),
    "w64": (wav(VOICE, format="W64"), SIXTEEN),
    "rf64": (wav(VOICE, format="RF64"), SIXTEEN),
    "aiff": (wav(VOICE, format="AIFF"), SIXTEEN),
    "aiff-c": (wav(VOICE, format="AIFF", subtype="FLOAT"), {"atol": 0}),
    "au": (wav(VOICE, format="AU"), SIXTEEN),
    "au-without-size": (patched(wav(VOICE, format="AU"), b".snd", 8, b"\0" * 4), SIXTEEN),
    "caf": (wav(VOICE, format="CAF"), SIXTEEN),
    "caf-alac": (wav(VOICE, format="CAF", subtype="ALAC_16"), SIXTEEN),
    "flac": (wav(VOICE, format="FLAC"), SIXTEEN),
    "flac-of-a-stream": (patched(wav(VOICE, format="FLAC"), b"fLaC", 22, b"\0" * 4), SIXTEEN),
    "ogg-vorbis": (wav(VOICE, format="OGG", subtype="VORBIS"), LOSSY),
    "ogg-opus": (wav(VOICE, format="OGG", subtype="OPUS"), {"atol": 0.2}),
    "mp3": (wav(VOICE, format="MP3"), LOSSY),
}
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
