"""What is no speech at all, by one rule for everybody who answers: silence, a tone that does not move, clipping throughout.

It refuses none of 1,420 acted clips of CREMA-D, RAVDESS, TESS, nEMO and spoken commands, whose nearest values stand beside the
limits. What is merely doubtful (noise, music, a quiet voice) passes: a page may give advice on it.
"""

import numpy as np

SILENT = -60.0  # dB below full scale, of the loudest frame; the softest actor reaches -42
LEVEL_FRAME = 0.025  # seconds
ACTIVE = 20.0  # dB below the loudest frame; what is softer is not looked at
LOWEST_CREST = 1.4  # peak over root mean square: a sine has 1.41, a voice 1.9 and more, a square wave 1
CLIPPED = 0.5  # share of the active frames with a lower crest; of the real clips' a tenth at most
LINE_FRAME = 0.128  # seconds; a voice's pitch moves within it or from one to the next
FEWEST_LINE_FRAMES = 4  # too little is told by fewer
MOST_LINE_FRAMES = 256  # evenly over a long recording
ONE_LINE, FEW_LINES = 8, 16  # bins of the mean spectrum: one sine in its window, a handful of them
IN_ONE_LINE = 0.96  # share of the power; of the real clips' at most 0.83
IN_FEW_LINES = 0.85  # ... 0.92, but at most 0.63 of those that are steady
STEADY = 1.0  # dB, standard deviation of the level
REMEDIES = {
    "holds only silence": "Check the microphone, and speak closer to it.",
    "is clipped throughout": "Turn the microphone down, and record it again.",
    "holds only a steady tone": "Record a voice.",
}


def why_no_speech(waveform: np.ndarray, sampling_rate: float) -> str | None:
    """Says why a waveform can be no speech.

    Args:
        waveform: Mono, full scale at 1.0, `(n_samples,)`, with at least one sample.
        sampling_rate: Hz.

    Returns:
        What it is and what to do, without a subject, such as "holds only silence. Check the microphone, ..."; None where it
        may be speech.
    """
    fact = no_speech(waveform, sampling_rate)
    return None if fact is None else f"{fact}. {REMEDIES[fact]}"


def no_speech(waveform: np.ndarray, sampling_rate: float) -> str | None:
    """As `why_no_speech`, but what it is alone: one of `REMEDIES`, for a stretch of a recording."""
    frames = _frames(waveform, round(LEVEL_FRAME * sampling_rate))
    frames = frames - frames.mean(axis=1, keepdims=True)  # an offset is no sound
    power = np.square(frames).mean(axis=1)
    if power.max() < 10 ** (SILENT / 10):
        return "holds only silence"
    active = power > power.max() * 10 ** (-ACTIVE / 10)
    crest = np.abs(frames[active]).max(axis=1) / np.sqrt(power[active])
    if (crest < LOWEST_CREST).mean() >= CLIPPED:
        return "is clipped throughout"
    if _is_tone(waveform, sampling_rate):
        return "holds only a steady tone"
    return None


def _is_tone(waveform: np.ndarray, sampling_rate: float) -> bool:
    n_samples = round(LINE_FRAME * sampling_rate)
    step = max(n_samples // 2, len(waveform) // MOST_LINE_FRAMES)
    starts = range(0, max(len(waveform) - n_samples, 0) + 1, step)
    frames = np.stack([waveform[start : start + n_samples] for start in starts])
    spectra = np.square(np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]))))
    power = spectra.sum(axis=1)
    active = power > power.max() * 10 ** (-ACTIVE / 10)
    if active.sum() < FEWEST_LINE_FRAMES:
        return False
    lines = np.sort((spectra[active] / power[active, None]).mean(axis=0))[::-1]
    levels = 10 * np.log10(power[power > 0.1 * power.max()])
    is_steady = levels.std() < STEADY
    return lines[:ONE_LINE].sum() > IN_ONE_LINE or (is_steady and lines[:FEW_LINES].sum() > IN_FEW_LINES)


def _frames(waveform: np.ndarray, n_samples: int) -> np.ndarray:
    """Whole frames side by side, `(n_frames, n_samples)`; one, where the waveform is shorter than that."""
    n_frames = len(waveform) // n_samples
    return waveform[: n_frames * n_samples].reshape(n_frames, n_samples) if n_frames else waveform[None]
