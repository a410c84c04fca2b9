"""Sound files to waveforms, and what can be followed in a waveform without a model: loudness and pitch."""

import os
import shutil
import subprocess

import numpy as np
import soundfile
from transformers.audio_utils import load_audio

SHORTEST_CLIP = 0.1  # seconds
LONGEST_CLIP = 60  # seconds
LONGEST_RECORDING = 15 * 60  # seconds
MOST_SAMPLES = 100_000_000  # of one file before resampling, all channels: 400 MB in memory
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,amr,asf,caf"  # what phones and browsers record
SILENT_CLIP = -60.0  # dB below full scale; recordings of actors go down to -50
FRAME = 0.025  # seconds
TRACK_STEP = 0.01  # seconds
LOWEST_PITCH, HIGHEST_PITCH = 60.0, 600.0  # Hz
LOUDNESS_RANGE = (-60.0, 0.0)  # dB below full scale, of a picture
MOST_PITCHES = 1_000  # in one clip


def load(path: str | None, sampling_rate: int, longest: float = LONGEST_CLIP) -> np.ndarray:
    """Decodes a file of any rate and channel count to mono, `(n_samples,)`.

    Args:
        path: The file.
        sampling_rate: Of the waveform that is returned, Hz.
        longest: What is allowed, seconds.

    Raises:
        ValueError: In a sentence for the visitor: nothing there, unreadable, too short, too long, silent.
    """
    if not path:
        raise ValueError("Record or upload a clip first.")
    if os.path.getsize(path) == 0:
        raise ValueError("This file is empty. Record again, or choose another file.")
    try:
        header = soundfile.info(path)
    except soundfile.LibsndfileError:
        waveform = _load_with_ffmpeg(path, sampling_rate, longest)
    else:
        _check_duration(header.frames / header.samplerate, longest)
        if header.frames * header.channels > MOST_SAMPLES:
            raise ValueError(
                f"This file holds {header.frames * header.channels:,} samples in {header.channels} channels; "
                f"{MOST_SAMPLES:,} is the most. Save it in mono, or at a lower sampling rate."
            )
        try:
            waveform = load_audio(str(path), sampling_rate=sampling_rate, backend="soundfile")
        except (soundfile.LibsndfileError, RuntimeError):
            raise ValueError("This file breaks off or is damaged. Save it again, or choose another one.") from None
    _check_duration(len(waveform) / sampling_rate, longest)
    if not np.isfinite(waveform).all():
        raise ValueError("This file holds samples that are not numbers. Save it again as 16-bit audio.")
    if loudness(waveform, sampling_rate).max() < SILENT_CLIP:
        raise ValueError("I hear only silence in this clip. Check the microphone, and speak closer to it.")
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
    spectrum = np.fft.rfft(frames, 2 * width + longest)
    likeness = np.fft.irfft(spectrum * np.fft.rfft(frames[:, :width], 2 * width + longest).conj())[:, : longest + 1]
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


def _load_with_ffmpeg(path: str, sampling_rate: int, longest: float) -> np.ndarray:
    if not (program := shutil.which("ffmpeg")):
        raise ValueError("I cannot read this file. Upload it as WAV, FLAC, MP3 or OGG.")
    command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]
    command += ["-i", f"file:{path}", "-vn", "-ac", "1", "-ar", str(sampling_rate), "-t", str(longest + 1)]
    try:
        decoded = subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, check=True, timeout=60)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        decoded = None
    if not (decoded and decoded.stdout):
        raise ValueError("I cannot read this file as audio. Upload it as WAV, FLAC, MP3, OGG or M4A.")
    return np.frombuffer(decoded.stdout, dtype=np.float32).copy()


def _check_duration(seconds: float, longest: float) -> None:
    if seconds < SHORTEST_CLIP:
        raise ValueError(
            f"This clip lasts {seconds:.2f} s; at least {SHORTEST_CLIP:g} s is needed. Record a little more."
        )
    if seconds > longest:
        lasts, most = (f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} minutes" for value in (seconds, longest))
        elsewhere = " or use the tab for long recordings" if longest < LONGEST_RECORDING else ""
        raise ValueError(f"This clip lasts {lasts}; {most} is the most here. Cut it{elsewhere}.")
