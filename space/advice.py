"""Whether somebody speaks in a recording, and what is wrong with it: by rules that can be read, without a model.

The rules were set on training speakers and on music, tones and noises, and refuse less than 0.2 % of acted anger, fear
and the rest: a detector of voices that was made for telephones would refuse ten times as much of it.
"""

from dataclasses import dataclass

import numpy as np
from sound import SILENT_CLIP, TRACK_STEP, loudness, pitch

AUDIBLE = 25.0  # dB below the loudest; what is softer is not looked at
FRAME, STEP = 1024, 320  # samples of a spectrum, and from one to the next; at 16 kHz as the checkpoint's
STEADY = 1.2  # dB of standard deviation; every voice moves more
STRUCK = 3.0  # dB; what hisses and moves more is struck or clicks
LASTING = 0.9  # likeness of spectra a tenth of a second apart; speech stays below 0.85
LASTING_DEEP, DEEP = 0.83, 0.6  # likeness of a sound most of whose energy lies below a voice's, and its share
FLAT = 0.003  # octaves of standard deviation within 90 ms; notes are flatter, voices glide
MOSTLY = 0.5  # share of the voiced sound
ENOUGH = 20  # windows of 90 ms that a share can be taken of
HISS = 0.28  # flatness of the spectrum; noise is near 1
VOICE_BAND = 150.0, 4000.0  # Hz
RUMBLE = 0.08  # share of the energy that lies in the voice's band
UNVOICED = 0.03  # seconds

CLIPPED = 0.02  # share of the loud samples that are at full scale
QUIET = -42.0  # dB below full scale
NOISY = 12.0  # dB from the softest fifth to the loudest
MOSTLY_SILENCE = 0.7  # share of the recording
SHORT, LONG = 1.0, 5.0  # seconds; silence is spoken of from LONG on
FULL_SCALE = 0.99
APART = 5  # spectra; a tenth of a second

SENTENCES = {  # what both pages say; a figure stands at {}
    "no_voice": "holds no voice, only {}. Record speech, with as little else as possible.",
    "short": "This clip lasts {} s. Two seconds or more are heard better.",
    "clipped": "The sound is clipped. Turn the microphone down, or speak from further away.",
    "quiet": "This is very quiet ({} dB). Speak closer to the microphone.",
    "noisy": "There is noise around the voice. A quieter room helps.",
    "mostly_silence": "Only {}% of this is speech. Cut away the silence.",
}
UNLIKE = "This sounds unlike the recordings that I learned from. Expect me to err more often."


@dataclass(frozen=True)
class Nature:
    """What kind of sound a recording holds, of its audible part.

    Args:
        spread: Standard deviation of the level, dB.
        voiced: Seconds of voiced sound.
        flat_pitch: Share of the voiced sound whose pitch does not move.
        lasting: Likeness of the spectrum to itself a tenth of a second later, median.
        hiss: Flatness of the spectrum, median.
        voice_band: Share of the energy between 150 and 4,000 Hz.
    """

    spread: float
    voiced: float
    flat_pitch: float
    lasting: float
    hiss: float
    voice_band: float

    @classmethod
    def of(cls, waveform: np.ndarray, rate: int, levels: np.ndarray) -> "Nature":
        """Measures a waveform, `(n_samples,)`, that is not silent; `levels` is its loudness."""
        pitches = pitch(waveform, rate)
        audible = levels > max(np.percentile(levels, 95) - AUDIBLE, SILENT_CLIP)
        stride = -(-len(levels) // len(pitches))
        pitches = np.where(audible[::stride], pitches, np.nan)
        width = max(9 // stride, 2)
        tracks = np.lib.stride_tricks.sliding_window_view(
            np.pad(np.log2(pitches), (0, width), constant_values=np.nan), width
        )
        moves = tracks[np.isfinite(tracks).all(axis=1)].std(axis=1)
        power = _spectra(waveform)
        energy = power.sum(axis=1)
        heard = energy > max(np.percentile(energy, 95), 1e-12) * 10 ** (-AUDIBLE / 10)
        frequencies = np.fft.rfftfreq(FRAME, 1 / rate)
        band = (frequencies > VOICE_BAND[0]) & (frequencies < VOICE_BAND[1])
        bins = power[heard][:, 4:] + 1e-12
        return cls(
            float(levels[audible].std()),
            float(np.isfinite(pitches).sum() * TRACK_STEP * stride),
            float((moves < FLAT).mean()) if len(moves) * stride >= ENOUGH else 0.0,
            _likeness(power, heard),
            float(np.median(np.exp(np.log(bins).mean(axis=1)) / bins.mean(axis=1))),
            float(power[:, band].sum() / max(power.sum(), 1e-12)),
        )

    @property
    def kind(self) -> str | None:
        """What it is if it is no voice; None where it may be one."""
        # Speech that drowns in hiss is unvoiced too, and moves between these bounds.
        hiss = self.hiss > HISS and not STEADY < self.spread < STRUCK
        if self.voiced < UNVOICED and (self.spread < STEADY or hiss or self.voice_band < RUMBLE):
            return "noise"
        if self.spread < STEADY:
            return "a steady tone"
        deep = self.lasting > LASTING_DEEP and self.voice_band < DEEP
        if self.lasting > LASTING or self.flat_pitch > MOSTLY or deep:
            return "tones or music"
        return None


def no_voice(waveform: np.ndarray, rate: int) -> str | None:
    """Why a clip holds no voice; None where it may hold one, or is silent.

    The checkpoint's feature extractor has a rule for what can be no speech at all; this one looks closer. Like its
    sentence, this one has no subject.
    """
    levels = loudness(waveform, rate)
    if levels.max() <= SILENT_CLIP:  # there is nothing to be judged
        return None
    kind = Nature.of(waveform, rate, levels).kind
    return kind and SENTENCES["no_voice"].format(kind)


def about_sound(waveform: np.ndarray, rate: int) -> list[str]:
    """What is wrong with a recording, each in a sentence that says what to do."""
    levels = loudness(waveform, rate)
    loudest, softest = np.percentile(levels, [95, 10])
    audible = levels > max(loudest - AUDIBLE, SILENT_CLIP)
    loud = np.abs(waveform) > 0.5 * np.abs(waveform).max()
    found = []
    if len(waveform) < SHORT * rate:
        found.append(SENTENCES["short"].format(f"{len(waveform) / rate:.1f}"))
    if np.abs(waveform).max() > FULL_SCALE and (np.abs(waveform) > FULL_SCALE).sum() > CLIPPED * loud.sum():
        found.append(SENTENCES["clipped"])
    if loudest < QUIET:
        found.append(SENTENCES["quiet"].format(f"{loudest:.0f}"))
    elif loudest - softest < NOISY:
        found.append(SENTENCES["noisy"])
    if 1 - audible.mean() > MOSTLY_SILENCE and len(waveform) > LONG * rate:
        found.append(SENTENCES["mostly_silence"].format(int(100 * audible.mean())))
    return found


def _spectra(waveform: np.ndarray) -> np.ndarray:
    """Power, `(n_frames, n_bins)`."""
    padded = np.pad(waveform, (0, max(FRAME - len(waveform), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::STEP]
    return np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2


def _likeness(power: np.ndarray, heard: np.ndarray) -> float:
    """Median cosine between spectra a tenth of a second apart, where both are heard."""
    shape = np.sqrt(power)
    shape /= np.maximum(np.linalg.norm(shape, axis=1, keepdims=True), 1e-12)
    both = heard[:-APART] & heard[APART:]
    return float(np.median((shape[:-APART] * shape[APART:]).sum(axis=1)[both])) if both.any() else 0.0
