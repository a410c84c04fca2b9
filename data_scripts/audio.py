"""One recording in, whatever libsndfile reads; 16 kHz mono FLAC out."""

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

from data_scripts.schema import SAMPLING_RATE

FULL_SCALE = 1 << 15  # of 16-bit samples
STREAMED = (
    0x7FFF0000  # a RIFF or AIFF size from here on, or 0, stands for "not known" when the file was written to a pipe
)
OGG_HEADER = 27  # bytes before the segment table of a page
OGG_LAST_PAGE = 4  # flag of the page that ends a stream


def read_waveform(path: Path) -> tuple[np.ndarray, int]:
    """Decodes by content, whatever the suffix says, mixes down and resamples.

    Args:
        path: the file.

    Returns:
        The waveform (n_samples,), float32 at ``SAMPLING_RATE``, and the file's own sampling rate in Hz.

    Raises:
        ValueError: unreadable, truncated, empty or not finite.
    """
    data = path.read_bytes()
    remedy = "Fetch the file again or remove it"
    if data.startswith(b"version https://git-lfs"):
        raise ValueError(f"{path} is a git LFS pointer, not audio. Run `git lfs pull` in the corpus's repository")
    if not data:
        raise ValueError(f"{path} is empty: 0 bytes. {remedy}")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            sampling_rate, n_samples = file.samplerate, file.frames
            waveform = file.read(dtype="float32", always_2d=True).mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} cannot be decoded ({error.error_string}). {remedy}") from None
    if len(waveform) < n_samples or is_cut_off(data):
        raise ValueError(
            f"{path} is truncated: {len(data)} bytes, {len(waveform)} samples, fewer than it says. {remedy}"
        )
    if not np.isfinite(waveform).all():
        raise ValueError(f"{path} has {np.sum(~np.isfinite(waveform))} samples that are not finite. {remedy}")
    resampled = soxr.resample(waveform, sampling_rate, SAMPLING_RATE)
    if len(resampled) == 0:
        raise ValueError(f"{path} is empty: {len(waveform)} samples at {sampling_rate} Hz. {remedy}")
    return resampled, sampling_rate


def is_cut_off(data: bytes) -> bool:
    """Whether a file ends before its container does, which libsndfile passes over in RIFF, AIFF and Ogg."""
    if data[:4] in (b"RIFF", b"FORM"):
        size = int.from_bytes(data[4:8], "little" if data[:4] == b"RIFF" else "big")
        return len(data) + 1 < size + 8 and size < STREAMED  # some writers leave out the last byte, of padding
    if data[:4] == b"OggS":
        page = data[data.rfind(b"OggS") :]
        if len(page) < OGG_HEADER or not page[5] & OGG_LAST_PAGE:
            return True
        segments = page[OGG_HEADER : OGG_HEADER + page[26]]
        return len(page) < OGG_HEADER + page[26] + sum(segments)
    return False


def to_flac(waveform: np.ndarray) -> bytes:
    """Encodes a waveform (n_samples,) at ``SAMPLING_RATE`` in 16 bits; 16-bit sources come back bit for bit."""
    samples = np.clip(np.rint(waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
