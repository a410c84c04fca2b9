"""What is no speech at all, and that voices are not taken for it."""

import numpy as np
import pytest

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.recording_mel_cnn import read_recording
from modeling.speech_mel_cnn import why_no_speech
from tests.modeling.tiny import voice

RATE = 16_000
TIME = np.arange(2 * RATE) / RATE
NOISE = np.random.default_rng(0).standard_normal(2 * RATE)


def tone(*frequencies: float, level: float = 0.3) -> np.ndarray:
    return level * sum(np.sin(2 * np.pi * frequency * TIME) for frequency in frequencies)


@pytest.mark.parametrize(
    ("waveform", "fact"),
    [
        (np.zeros(2 * RATE), "silence"),
        (np.zeros(1), "silence"),
        (np.full(2 * RATE, 0.1), "silence"),  # an offset is no sound
        (1e-4 * NOISE, "silence"),
        (tone(440), "steady tone"),
        (tone(440, level=0.01), "steady tone"),
        (tone(440) + 0.02 * NOISE, "steady tone"),
        (tone(350, 440, level=0.2), "steady tone"),  # a dial tone
        (tone(262, 330, 392, level=0.2), "steady tone"),
        (tone(440) * np.exp(-2 * TIME), "steady tone"),
        (np.concatenate([np.zeros(RATE), tone(1_000)[:RATE]]), "steady tone"),
        (np.sign(tone(440)), "clipped"),
        (np.clip(10 * NOISE, -1, 1), "clipped"),
        (np.clip(1e4 * voice(2.0), -1, 1), "clipped"),
    ],
)
def test_no_speech(waveform, fact):
    reason = MelCNNFeatureExtractor().why_no_speech(waveform.astype(np.float32))
    assert fact in reason and reason.endswith(".")


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.5, 2.0, 20.0])
@pytest.mark.parametrize("gain", [0.2, 1.0, 8.0])
def test_voices_pass_quiet_loud_short_and_long(seconds, gain):
    for seed in range(4):
        waveform = np.clip(gain * voice(seconds, seed=seed), -1, 1)
        assert why_no_speech(waveform, RATE) is None


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_other_rates(rate):
    time = np.arange(2 * rate) / rate
    assert "steady tone" in why_no_speech((0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), rate)
    assert why_no_speech(voice(2.0, rate), rate) is None


def test_real_voices_pass(real_corpora):
    """All validation clips of CREMA-D and RAVDESS: at most two of a thousand may be refused."""
    crema_d = {"1009", "1011", "1022", "1034", "1039", "1047", "1066", "1070", "1082"}
    clips = [path for path in sorted((real_corpora / "crema_d").rglob("*")) if path.name[:4] in crema_d]
    clips += [path for path in (real_corpora / "ravdess").rglob("*") if path.stem[-2:] in ("01", "02", "03", "04")]
    clips = [path for path in clips if path.is_file() and path.suffix != ".csv"][::8]
    refused = [path for path in clips if why_no_speech(read_recording(path, RATE).waveform, RATE)]
    assert len(clips) > 100 and len(refused) <= 0.002 * len(clips), refused
