"""Sound files to waveforms, and what can be followed in a waveform without a model: loudness and pitch."""

import os

import numpy as np
from sentences import TOO_SHORT

SHORTEST_CLIP = 0.1  # seconds
LONGEST_CLIP = 60  # seconds
LONGEST_RECORDING = 15 * 60  # seconds
SILENT_CLIP = -60.0  # dB below full scale; recordings of actors go down to -50
FRAME = 0.025  # seconds
TRACK_STEP = 0.01  # seconds
LOWEST_PITCH, HIGHEST_PITCH = 60.0, 600.0  # Hz
LOUDNESS_RANGE = (-60.0, 0.0)  # dB below full scale, of a picture
MOST_PITCHES = 1_000  # in one clip
# What the browser is asked for, a microphone as it is: what makes a call pleasant takes away how something is said.
UNPROCESSED = {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}


def load(path: str | None, feature_extractor, longest: float = LONGEST_CLIP) -> np.ndarray:
    """Reads a file as the checkpoint does, `(n_samples,)` at its sampling rate.

    Args:
        path: The file.
        feature_extractor: The checkpoint's, which reads files of any format, rate and number of channels.
        longest: What is allowed, seconds.

    Raises:
        ValueError: In a sentence for the visitor: nothing there, unreadable, too short, too long, no speech.
    """
    if not path:
        raise ValueError("Record or upload a clip first.")
    elsewhere = " or use the tab for long recordings" if longest < LONGEST_RECORDING else ""
    name, rate = os.path.basename(path), feature_extractor.sampling_rate
    waveform = feature_extractor.read(path, longest, name, remedy=f"Cut it{elsewhere}.")
    if len(waveform) < SHORTEST_CLIP * rate:
        raise ValueError(TOO_SHORT.format(name, f"{len(waveform) / rate:.2f}", SHORTEST_CLIP))
    if reason := feature_extractor.why_no_speech(waveform):
        raise ValueError(f"{name} {reason}")
    return waveform


def loudness(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Root mean square in frames of 25 ms every 10 ms, dB below full scale, `(n_frames,)`."""
    frame, step = round(FRAME * sampling_rate), round(TRACK_STEP * sampling_rate)
    padded = np.pad(waveform.astype(np.float64), (frame // 2, frame))
    energy = np.concatenate([[0.0], np.cumsum(padded**2)])
    starts = np.arange(0, len(waveform), step)
    return 10 * np.log10(np.maximum(energy[starts + frame] - energy[starts], 0) / frame + 1e-12)


def pitch(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Fundamental frequency, Hz, `(n_frames,)`, every 10 ms of a clip of ten seconds, and as many times in a longer one.

    YIN (de Cheveigné and Kawahara, 2002): the first lag at which a frame all but repeats itself. NaN where none does.
    """
    levels = loudness(waveform, sampling_rate)
    stride = -(-len(levels) // MOST_PITCHES)
    width, longest, step = (round(seconds * sampling_rate) for seconds in (0.03, 1 / LOWEST_PITCH, TRACK_STEP * stride))
    padded = np.pad(waveform, ((width + longest) // 2, width + longest))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width + longest)[: len(waveform) : step]
    length = -(-(2 * width + longest) // 256) * 256  # a Fourier transform of a round length takes a third of the time
    spectrum = np.fft.rfft(frames, length)
    likeness = np.fft.irfft(spectrum * np.fft.rfft(frames[:, :width], length).conj(), length)[:, : longest + 1]
    energy = np.cumsum(np.pad(frames.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    energy = energy[:, width:] - energy[:, : longest + 1]  # of the part that starts at each lag
    difference = np.maximum(energy[:, :1] + energy - 2 * likeness, 0)
    lags = np.arange(1, longest + 1)
    relative = difference[:, 1:] * lags / np.maximum(np.cumsum(difference[:, 1:], axis=1), 1e-9)
    dips = (relative[:, 1:-1] < 0.3) & (relative[:, 1:-1] <= relative[:, :-2]) & (relative[:, 1:-1] < relative[:, 2:])
    dips &= lags[1:-1] > sampling_rate / HIGHEST_PITCH
    first = dips.argmax(axis=1) + 1
    before, dip, after = (np.take_along_axis(relative, first[:, None] + shift, axis=1)[:, 0] for shift in (-1, 0, 1))
    bend = np.where(dips.any(axis=1), before - 2 * dip + after, 1)
    lag = lags[first] + (before - after) / (2 * np.maximum(bend, 1e-9))
    voiced = dips.any(axis=1) & (levels[::stride] > SILENT_CLIP)
    track = np.where(voiced, sampling_rate / lag, np.nan)
    neighbours = np.lib.stride_tricks.sliding_window_view(np.pad(track, 2, constant_values=np.nan), 5)
    steady = voiced & (np.isfinite(neighbours).sum(axis=1) >= 3)
    return np.where(steady, np.nanmedian(np.where(steady[:, None], neighbours, 0), axis=1), np.nan)
