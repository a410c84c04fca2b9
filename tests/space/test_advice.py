"""Whether somebody speaks: tones, noises and music are no voices; real voices are, also angry and fearful ones, also in noise."""

from pathlib import Path

import advice
import numpy as np
import pytest
import soundfile
import soxr

from tests.space.made_up import RATE, hum

TIME = np.arange(3 * RATE) / RATE
RNG = np.random.default_rng(0)


def note(frequency: float, seconds: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * frequency * n * time) / n**1.5 for n in range(1, 8) if frequency * n < RATE / 2)
    return harmonics * np.minimum(1, time / 0.01) * np.exp(-2 * time)


def chords() -> np.ndarray:
    steps = [(0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)]
    return np.concatenate([sum(note(220 * 2 ** (step / 12), 0.75) for step in chord) for chord in steps])


def coloured(power: float) -> np.ndarray:
    """Noise whose power falls with a power of the frequency."""
    spectrum = np.fft.rfft(RNG.standard_normal(len(TIME)))
    return np.fft.irfft(spectrum * np.maximum(np.fft.rfftfreq(len(TIME), 1 / RATE), 20) ** (-power / 2))


SOUNDS = {
    "tone": np.sin(2 * np.pi * 440 * TIME),
    "buzz": sum(np.sin(2 * np.pi * 120 * n * TIME) / n for n in range(1, 20)),
    "hum of the mains": sum(np.sin(2 * np.pi * 50 * n * TIME) / n for n in range(1, 20)),
    "siren": np.sin(2 * np.pi * np.cumsum(700 + 300 * np.sin(np.pi * TIME)) / RATE),
    "beeps": np.sin(2 * np.pi * 1000 * TIME) * (TIME * 2 % 1 < 0.5),
    "white noise": RNG.standard_normal(len(TIME)),
    "pink noise": coloured(1),
    "brown noise": coloured(2),
    "wind": coloured(2) * (1 + 0.8 * np.sin(2 * np.pi * 0.7 * TIME)),
    "melody": np.concatenate([note(220 * 2 ** (step / 12), 0.25) for step in (0, 4, 7, 12, 7, 4) * 2]),
    "chords": chords(),
}


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("level", [-12, -40])
def test_what_is_no_voice_is_said_to_be_none(name, level):
    sound = SOUNDS[name] * 10 ** (level / 20) / np.abs(SOUNDS[name]).max()
    assert "holds no voice, only" in (advice.no_voice(sound.astype(np.float32), RATE) or "")


@pytest.mark.parametrize("pitch", [80, 150, 300, 550])
def test_what_moves_like_a_voice_may_be_one_and_needs_no_advice(pitch):
    sound = hum(pitch, 2)
    assert advice.no_voice(sound, RATE) is None
    assert advice.about_sound(sound, RATE) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda voice: np.clip(8 * voice, -1, 1), "clipped"),
        (lambda voice: 0.003 * voice, "very quiet"),
        (lambda voice: voice + 0.06 * RNG.standard_normal(len(voice)).astype(np.float32), "noise around the voice"),
        (lambda voice: np.pad(voice, (0, 8 * RATE)), "of this is speech"),
        (lambda voice: voice[: RATE // 2], "lasts 0.5 s"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said_with_what_to_do(change, words):
    (sentence,) = advice.about_sound(change(hum(200, 2)), RATE)
    assert words in sentence


def real(corpora: Path, limit: int) -> list[np.ndarray]:
    """Anger and fear of the validation speakers, the same number of either, at 16 kHz."""
    paths = [
        path
        for speaker in ("1009", "1034", "1070", "1082")
        for path in sorted((corpora / "crema_d").rglob(f"{speaker}_*_[AF][NE][GA]_*"))
    ]
    paths += [
        path for path in sorted((corpora / "ravdess").rglob("03-01-0[56]-*")) if path.stem[-2:] in ("01", "02", "03")
    ]
    clips = []
    for path in paths[:: -(-len(paths) // limit)]:
        waveform, rate = soundfile.read(path, dtype="float32", always_2d=True)
        clips.append(soxr.resample(waveform.mean(1), rate, RATE))
    return clips


def test_anger_and_fear_of_people_are_voices_also_in_noise(real_corpora):
    """A sample, for time's sake: all 972 validation clips were heard as voices, clean, when the rules were set."""
    for clip in real(real_corpora, 40):
        noise = RNG.standard_normal(len(clip)).astype(np.float32)
        noise *= np.sqrt(np.mean(clip**2) / np.mean(noise**2))
        for sound in (clip, clip + 0.1 * noise, clip + 0.3 * noise):
            assert advice.no_voice(sound, RATE) is None
