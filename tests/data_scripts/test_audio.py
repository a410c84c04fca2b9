import io

import numpy as np
import pytest
import soundfile

from data_scripts.audio import read_waveform, to_flac
from tests.miniature_corpora import write_clip

FORMATS = [("wav", None), ("flac", None), ("ogg", "VORBIS"), ("opus", None), ("mp3", None), ("aiff", None)]


def pitch_of(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return np.argmax(spectrum) * 16_000 / len(waveform)


@pytest.mark.parametrize("suffix, subtype", FORMATS)
@pytest.mark.parametrize("sampling_rate", [16_000, 48_000])
def test_every_format_and_rate_comes_out_at_16_khz_with_its_pitch(tmp_path, suffix, subtype, sampling_rate):
    options = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {"subtype": subtype}
    path = write_clip(tmp_path / f"clip.{suffix}", 440, 1.0, sampling_rate, **options)
    waveform, source_sampling_rate = read_waveform(path)
    assert source_sampling_rate == sampling_rate
    assert waveform.ndim == 1 and len(waveform) == pytest.approx(16_000, rel=0.1)
    assert pitch_of(waveform) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("sampling_rate", [8_000, 24_414, 44_100, 96_000])
def test_odd_rates(tmp_path, sampling_rate):
    waveform, source_sampling_rate = read_waveform(write_clip(tmp_path / "clip.wav", 440, 1.0, sampling_rate))
    assert source_sampling_rate == sampling_rate
    assert len(waveform) == pytest.approx(16_000, abs=2)
    assert pitch_of(waveform) == pytest.approx(440, abs=3)


def test_aiff_c_under_a_wav_name(tmp_path):
    path = tmp_path / "YAF_germ_angry.wav"
    with open(path, "wb") as file:
        soundfile.write(file, 0.1 * np.ones(24_414), 24_414, format="AIFF", subtype="FLOAT")
    assert path.read_bytes()[8:12] == b"AIFC"
    waveform, source_sampling_rate = read_waveform(path)
    assert (len(waveform), source_sampling_rate) == (16_000, 24_414)


def test_stereo_is_mixed_down(tmp_path):
    left, right = 0.5 * np.ones(16_000), -0.25 * np.ones(16_000)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), 16_000)
    waveform, _ = read_waveform(tmp_path / "stereo.wav")
    assert waveform == pytest.approx(np.full(16_000, 0.125), abs=1e-4)


def test_16_bit_clips_at_16_khz_come_back_bit_for_bit(tmp_path):
    samples = np.random.default_rng(0).integers(-(1 << 15), 1 << 15, 16_000).astype(np.int16)
    samples[:2] = -(1 << 15), (1 << 15) - 1
    soundfile.write(tmp_path / "clip.wav", samples, 16_000)
    decoded, sampling_rate = soundfile.read(io.BytesIO(to_flac(read_waveform(tmp_path / "clip.wav")[0])), dtype="int16")
    assert sampling_rate == 16_000
    assert np.array_equal(decoded, samples)


def test_beyond_full_scale_is_clipped_and_never_wraps(tmp_path):
    soundfile.write(tmp_path / "loud.wav", 2 * np.sin(np.arange(8_000) / 20), 16_000, subtype="FLOAT")
    decoded, _ = soundfile.read(io.BytesIO(to_flac(read_waveform(tmp_path / "loud.wav")[0])))
    assert np.max(np.abs(np.diff(decoded))) < 0.2


@pytest.mark.parametrize("suffix, subtype", FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_truncated_clip_is_an_error_that_names_the_file(tmp_path, suffix, subtype, share):
    options = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {"subtype": subtype}
    path = write_clip(tmp_path / f"clip.{suffix}", seconds=2.0, **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match=str(path)):
        read_waveform(path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "0 bytes"),
        (b"not audio", "cannot be read as audio"),
        (b"<!DOCTYPE html><html>404</html>", "cannot be read as audio"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    ],
)
def test_a_file_that_is_no_audio_is_an_error_that_names_it(tmp_path, content, message):
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_waveform(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("n_samples", [0, 1])
def test_a_clip_without_samples_is_an_error(tmp_path, n_samples):
    soundfile.write(tmp_path / "clip.wav", np.zeros(n_samples), 48_000)
    with pytest.raises(ValueError, match="is empty"):
        read_waveform(tmp_path / "clip.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_clip_that_is_not_finite_is_an_error(tmp_path, value):
    soundfile.write(tmp_path / "clip.wav", np.array([0.0, value, 0.0, 0.0]), 16_000, subtype="FLOAT")
    with pytest.raises(ValueError, match="NaN or infinite"):
        read_waveform(tmp_path / "clip.wav")
