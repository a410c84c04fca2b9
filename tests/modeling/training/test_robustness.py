"""Degradations do what their names say."""

import numpy as np
import pytest

from modeling.training.robustness import CONDITIONS, SAMPLING_RATE

GENERATOR_SEED = 5
SECONDS = 2


def chirp() -> np.ndarray:
    """From 100 to 7,500 Hz, louder in the second half."""
    time = np.arange(SECONDS * SAMPLING_RATE) / SAMPLING_RATE
    loudness = np.where(time < SECONDS / 2, 0.05, 0.2)
    return (loudness * np.sin(2 * np.pi * (100 * time + 1_850 * time**2))).astype(np.float32)


def voices() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(length) * 0.1 for length in range(8_000, 48_000, 4_000)]


def degrade(name: str, waveform: np.ndarray) -> np.ndarray:
    return CONDITIONS[name](waveform, np.random.default_rng(GENERATOR_SEED), voices())


def level(waveform: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(waveform, dtype=np.float64)))


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_is_finite_repeatable_and_as_long_as_the_clip(name):
    degraded = degrade(name, chirp())
    assert np.isfinite(degraded).all()
    assert len(degraded) == (SAMPLING_RATE if name == "the loudest second" else len(chirp()))
    np.testing.assert_array_equal(degraded, degrade(name, chirp()))


@pytest.mark.parametrize("kind", ["white noise", "babble"])
@pytest.mark.parametrize("ratio", [20, 10, 0])
def test_noise_lies_as_far_below_the_clip_as_it_says(kind, ratio):
    noise = degrade(f"{kind}, {ratio} dB", chirp()) - chirp()
    assert level(chirp()) - level(noise) == pytest.approx(ratio, abs=0.1)


def test_digital_silence_stays_silent_under_noise():
    silence = np.zeros(SAMPLING_RATE, np.float32)
    assert not degrade("babble, 0 dB", silence).any()


def power(waveform: np.ndarray, low: float, high: float) -> float:
    frequency = np.fft.rfftfreq(len(waveform), 1 / SAMPLING_RATE)
    return (np.abs(np.fft.rfft(waveform)) ** 2)[(frequency >= low) & (frequency < high)].sum()


def test_telephone_passes_its_band_alone():
    called = degrade("telephone, G.711", chirp())
    assert power(called, 450, 3_000) > 0.7 * power(chirp(), 450, 3_000)
    assert power(called, 0, 180) < 0.05 * power(chirp(), 0, 180)
    assert power(called, 4_000, 8_000) < 0.05 * power(chirp(), 4_000, 8_000)


def test_mp3_keeps_what_is_loud_and_changes_it():
    coded = degrade("MP3, 32 kbit/s", chirp())
    assert power(coded, 200, 6_000) == pytest.approx(power(chirp(), 200, 6_000), rel=0.1)
    assert level(coded - chirp()) > level(chirp()) - 60


def test_gain_clips_at_full_scale():
    assert level(degrade("gain of -20 dB", chirp())) == pytest.approx(level(chirp()) - 20, abs=0.01)
    assert np.abs(degrade("gain of +10 dB", chirp() * 4)).max() == 1.0


def test_reverberation_goes_on_after_the_sound():
    click = np.zeros(SAMPLING_RATE, np.float32)
    click[100] = 1.0
    wet = degrade("reverberation, 0.5 s", click)
    assert np.abs(wet[:100]).max() < 1e-6
    assert level(wet[2_000:3_000]) - level(wet[6_000:7_000]) == pytest.approx(30, abs=2)  # 60 dB in 0.5 s


def test_the_loudest_second_is_the_loudest():
    assert level(degrade("the loudest second", chirp())) == pytest.approx(level(chirp()[SAMPLING_RATE:]), abs=0.01)
    short = chirp()[:5_000]
    np.testing.assert_array_equal(degrade("the loudest second", short), short)
