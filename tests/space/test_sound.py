"""Decoding, loudness and pitch."""

import subprocess

import numpy as np
import pytest
import sound
import soundfile

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from tests.space.conftest import required
from tests.space.made_up import RATE, hum


@pytest.mark.parametrize("name", ["happy.wav", "happy.mp3", "happy.flac", "happy.ogg", "stereo.wav", "phone.wav"])
def test_any_format_rate_and_channel_count_gives_the_same_answer(listener, clips, name):
    waveform = sound.load(clips[name], listener.feature_extractor)
    assert waveform.shape[0] == pytest.approx(2 * RATE, rel=0.05)
    assert listener.hear(waveform).emotion == "happy"


@pytest.mark.parametrize("name", ["happy.m4a", "happy.webm"])
def test_what_phones_record_is_read_where_ffmpeg_is(listener, clips, tmp_path, name):
    command = [
        required("ffmpeg"),
        "-v",
        "error",
        "-i",
        clips["stereo.wav"],
        "-c:a",
        "libopus" if "webm" in name else "aac",
    ]
    subprocess.run([*command, tmp_path / name], check=True)
    waveform = sound.load(tmp_path / name, listener.feature_extractor)
    assert waveform.shape[0] == pytest.approx(2 * RATE, rel=0.05)
    assert listener.hear(waveform).emotion == "happy"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (None, "Record or upload a clip first."),
        ("empty.wav", "empty"),
        ("broken.wav", "broken.wav cannot be read"),
        ("text.mp3", "text.mp3 cannot be read"),
        ("truncated.flac", "."),
        ("short.wav", "0.02 s; at least 0.1 s"),
        ("silent.wav", "only silence"),
        ("nan.wav", "NaN or infinite"),
        ("endless.flac", "61 s; 60 s at most .* or use the tab for long recordings"),
    ],
)
def test_a_bad_file_is_a_sentence(clips, name, sentence):
    with pytest.raises(ValueError, match=sentence) as problem:
        sound.load(name and clips[name], MelCNNFeatureExtractor())
    assert str(problem.value).endswith(".")
    assert "/" not in str(problem.value)


def test_a_header_that_promises_too_much_is_not_believed(tmp_path):
    """64 channels of silence compress to nothing, and would fill the memory."""
    path = tmp_path / "bomb.wav"
    soundfile.write(path, np.zeros((30 * 48_000, 64), dtype=np.int16), 48_000, subtype="PCM_16")
    with pytest.raises(ValueError, match="92,160,000 samples in 64 channels"):
        sound.load(path, MelCNNFeatureExtractor())


def test_loudness_of_a_full_scale_sine_is_3_db_below_full_scale():
    sine = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    levels = sound.loudness(sine, RATE)
    assert len(levels) == 100
    assert levels[5:-5] == pytest.approx(-3.01, abs=0.05)
    assert sound.loudness(np.zeros(RATE), RATE).max() < -100


@pytest.mark.parametrize("frequency", [70, 150, 300, 450, 550])
def test_pitch_of_a_hum(frequency):
    track = sound.pitch(hum(frequency, 1.5), RATE)
    assert len(track) == 150
    assert np.nanmedian(track) == pytest.approx(frequency, rel=0.01)


def test_nothing_voiced_has_no_pitch_and_a_tiny_clip_no_error():
    silence_then_hum = np.concatenate([np.zeros(RATE, dtype=np.float32), hum(200, 1)])
    track = sound.pitch(silence_then_hum, RATE)
    assert np.isnan(track[:90]).all()
    assert len(sound.pitch(hum(200, 0.1), RATE)) == 10


@pytest.mark.parametrize("seconds", [9.99, 10.01, 31.7, 60])
def test_a_long_clip_has_no_more_pitches_than_a_picture_shows(seconds):
    track = sound.pitch(hum(200, seconds), RATE)
    assert sound.MOST_PITCHES / 2 <= len(track) <= sound.MOST_PITCHES
    assert np.nanmedian(track) == pytest.approx(200, rel=0.01)
