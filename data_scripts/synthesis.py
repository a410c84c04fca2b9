"""A synthetic voice that says a text with an emotion.

A voice is a train of glottal pulses and breath through the resonances of a vocal tract (source and filter, Fant 1960). Each
letter of the text is a phone; each speaker has a pitch, a tract length, a tempo and a breathiness; each emotion bends
pitch, energy, tempo and voice quality in the directions known from acted speech (Juslin and Laukka 2003), and every clip
strays from them.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import istft, stft

from data_scripts.schema import SAMPLING_RATE

HOP = 128  # samples between frames
WINDOW = 512  # samples
FRAME_RATE = SAMPLING_RATE / HOP  # Hz
FREQUENCIES = np.fft.rfftfreq(WINDOW, 1 / SAMPLING_RATE)  # (n_bins,), Hz
STRAY = 0.35  # how far clips stray from their emotion; larger makes the emotions harder to tell


@dataclass(frozen=True)
class Voice:
    """A speaker."""

    pitch: float  # Hz
    tract: float  # formants relative to an average man's
    tempo: float
    breath: float
    tilt: float  # dB per octave


@dataclass(frozen=True)
class Prosody:
    """What an emotion does to a voice; the defaults do nothing."""

    pitch: float = 0.0  # semitones
    range: float = 2.0  # semitones of accents
    slope: float = -2.0  # semitones from beginning to end
    energy: float = 0.0  # dB
    tempo: float = 1.0
    breath: float = 1.0
    tilt: float = 0.0  # dB per octave; positive is brighter
    tremor: float = 0.1  # semitones of irregular pitch


PROSODIES = {
    "neutral": Prosody(),
    "calm": Prosody(pitch=-1.5, range=1.2, slope=-1.0, energy=-4, tempo=0.85, breath=2.0, tilt=-2),
    "happy": Prosody(pitch=4.0, range=4.5, slope=1.0, energy=3, tempo=1.1, tilt=1.5),
    "sad": Prosody(pitch=-2.0, range=1.0, slope=-4.0, energy=-7, tempo=0.72, breath=3.0, tilt=-3, tremor=0.25),
    "angry": Prosody(pitch=2.5, range=3.5, slope=-4.0, energy=8, tempo=1.15, breath=0.6, tilt=4, tremor=0.35),
    "fearful": Prosody(pitch=6.0, range=1.5, slope=0.5, energy=0, tempo=1.25, breath=2.5, tilt=-1, tremor=0.6),
    "disgust": Prosody(pitch=-3.0, range=3.0, slope=-5.0, energy=1, tempo=0.85, breath=1.2, tilt=1, tremor=0.7),
    "surprised": Prosody(pitch=4.0, range=3.0, slope=9.0, energy=2, tempo=0.95, breath=1.3, tilt=0.5),
}
VOWELS = {  # the first three formants of a man's vowel, Hz (Peterson and Barney 1952)
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
CONSONANTS = {  # letters -> voicing, hiss, centre of the hiss (Hz), duration (s)
    "mnlrwyvz": (0.5, 0.02, 4000, 0.06),
    "sxcfh": (0.0, 0.4, 5000, 0.09),
    "bdgj": (0.2, 0.1, 2500, 0.05),
    "ptkq": (0.0, 0.15, 3500, 0.06),
    " '": (0.0, 0.0, 1000, 0.03),
}
PHONES = {letter: (1.0, 0.0, 1000, 0.09, formants) for letter, formants in VOWELS.items()} | {
    letter: (*phone, (300, 1300, 2500)) for letters, phone in CONSONANTS.items() for letter in letters
}


def speak(text: str, voice: Voice, prosody: Prosody, rng: np.random.Generator) -> np.ndarray:
    """Says a text: waveform (n_samples,), float64 at ``SAMPLING_RATE``."""
    phones = [PHONES[letter] for letter in text.lower()]
    tempo = voice.tempo * prosody.tempo
    repeats = [max(1, round(FRAME_RATE * phone[3] / tempo * rng.uniform(0.8, 1.2))) for phone in phones]
    silences = tuple(rng.integers(6, 30, size=2))  # frames before and after

    def track(values: list) -> np.ndarray:
        spoken = np.repeat(np.array(values), repeats, axis=0)
        return uniform_filter1d(np.pad(spoken, [silences, (0, 0)], mode="edge"), 5, axis=0)

    speaking = uniform_filter1d(np.pad(np.ones(sum(repeats)), silences), 5)  # (n_frames,)
    voicing, hiss, centre = track([phone[:3] for phone in phones]).T  # each (n_frames,)
    formants = track([phone[4] for phone in phones]) * voice.tract  # (n_frames, n_formants)

    pitch = np.repeat(voice.pitch * intonation(prosody, len(speaking), rng), HOP) / SAMPLING_RATE  # cycles per sample
    pulses = (np.diff(np.floor(np.cumsum(pitch)), prepend=0) - pitch) / np.sqrt(pitch)  # unit power at every pitch
    noise = spectrum(rng.standard_normal(len(pulses)))[:, : len(speaking)]  # (n_bins, n_frames)
    source = spectrum(pulses)[:, : len(speaking)] + 0.08 * voice.breath * prosody.breath * noise
    octaves = np.log2(np.maximum(FREQUENCIES, 100) / 500)[:, None]
    tract = resonances(formants) * 10 ** ((voice.tilt + prosody.tilt) * octaves / 20)
    friction = np.exp(-(((FREQUENCIES[:, None] - centre) / 1500) ** 2))
    _, waveform = istft(
        (source * tract * voicing + noise * friction * hiss) * speaking, nperseg=WINDOW, noverlap=WINDOW - HOP
    )

    level = 10 ** ((prosody.energy + rng.uniform(-3, 3) - 26) / 20)
    background = 10 ** (rng.uniform(-65, -50) / 20) * rng.standard_normal(len(waveform))
    return np.clip(level * waveform / np.sqrt(np.mean(waveform**2)) + background, -1, 1)


def intonation(prosody: Prosody, n_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Pitch relative to the speaker's own: (n_frames,)."""
    time = np.linspace(0, 1, n_frames)
    accents = np.sin(2 * np.pi * (rng.uniform() + rng.uniform(2, 3) * time))
    tremor = 2 * uniform_filter1d(rng.standard_normal(n_frames), 3)
    semitones = prosody.pitch + prosody.range * accents + prosody.slope * (time**2 - 0.5) + prosody.tremor * tremor
    return 2 ** (semitones / 12)


def resonances(formants: np.ndarray) -> np.ndarray:
    """Gain of a vocal tract with formants (n_frames, n_formants) in Hz at each frequency: (n_bins, n_frames)."""
    bandwidths = 60 + 0.05 * formants
    distance = FREQUENCIES[:, None, None] ** 2 - formants**2
    gain = formants**2 / np.sqrt(distance**2 + (FREQUENCIES[:, None, None] * bandwidths) ** 2)
    return np.prod(np.sqrt(np.minimum(gain, 20)), axis=2) + 0.02


def spectrum(signal: np.ndarray) -> np.ndarray:
    return stft(signal, nperseg=WINDOW, noverlap=WINDOW - HOP)[2]


def strayed(prosody: Prosody, rng: np.random.Generator) -> Prosody:
    """A prosody that shows its emotion more or less, each trait on its own."""
    neutral = vars(Prosody())
    traits = {
        name: value + STRAY * rng.standard_normal() * (value - neutral[name]) for name, value in vars(prosody).items()
    }
    pitch = traits["pitch"] + 2 * STRAY * rng.standard_normal()
    tempo = traits["tempo"] * 2 ** (STRAY / 4 * rng.standard_normal())
    return replace(prosody, **traits | {"pitch": pitch, "tempo": tempo, "breath": abs(traits["breath"])})
