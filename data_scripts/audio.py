"""One recording in, 16 kHz mono FLAC out."""

import io
from pathlib import Path

import numpy as np
import soundfile

from data_scripts.schema import SAMPLING_RATE
from modeling.recording_mel_cnn import read_recording

FULL_SCALE = 1 << 15  # of 16-bit samples
# Peak, full scale being 1.0, above which a clip was not recorded so but holds floats of another scale. Copies overshoot: of
# 14,647 recordings, the loudest are at 1.20 (CREMA-D as Ogg Vorbis), and recordings that were cut off at full scale come to
# 1.42 when they are resampled.
OVERSHOOT = 1.5


def read_waveform(path: Path) -> tuple[np.ndarray, int]:
    """Reads a recording by the reader that the model uses too, and refuses one that breaks off.

    Elsewhere what is left of such a file is heard. In a corpus it would stand for the whole clip, under the corpus's name.

    Args:
        path: the file.

    Returns:
        The waveform (n_samples,), float32 at ``SAMPLING_RATE``, and the file's own sampling rate in Hz.

    Raises:
        ValueError: unreadable, truncated, empty, not finite, or as `read_recording` says.
    """
    recording = read_recording(path, SAMPLING_RATE)
    if recording.is_cut_off:
        seconds = len(recording.waveform) / SAMPLING_RATE
        raise ValueError(
            f"{path} is truncated: it breaks off after {seconds:.2f} s, before its end. Fetch the file again or remove it"
        )
    return recording.waveform, recording.source_sampling_rate


def to_flac(waveform: np.ndarray) -> bytes:
    """Encodes a waveform (n_samples,) at ``SAMPLING_RATE`` in 16 bits; 16-bit sources come back bit for bit."""
    samples = np.clip(np.rint(waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
