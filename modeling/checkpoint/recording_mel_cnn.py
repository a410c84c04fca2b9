"""Recordings of any format in, mono waveforms out, by one rule for everybody who hears. It needs neither torch nor transformers.

What a header says is checked before anything is decoded, and decoding stops at the limits, so that no file costs more memory
or time than an honest one of the longest length.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real

import numpy as np

from .decoding_mel_cnn import PACKAGES, Sound, open_sound

try:  # who hands over arrays needs it not, and transformers demands whatever is imported outside of a `try`
    import soxr
except ImportError:
    soxr = None

LONGEST = 600  # seconds that are heard at once
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000  # Hz
MOST_CHANNELS = 64
MOST_VALUES = 250_000  # samples of all channels for every second of the limit: five channels at 48 kHz throughout
LARGEST_PEAK = 100.0  # 40 dB above full scale: no recording, but integers that were cast to floats and not scaled
CUT = "Cut it into pieces."


@dataclass(frozen=True)
class Recording:
    """A recording as it is heard.

    Args:
        waveform: Mean of the channels, float32 with full scale at 1.0, `(n_samples,)`.
        source_sampling_rate: The file's own, Hz.
        is_cut_off: Whether the file holds less than it says; what is there was read.
    """

    waveform: np.ndarray
    source_sampling_rate: int
    is_cut_off: bool


def read_recording(
    source: str | os.PathLike | bytes | dict,
    sampling_rate: float,
    longest: float = LONGEST,
    name: str | None = None,
    remedy: str = CUT,
) -> Recording:
    """Reads a recording of any format, rate and number of channels.

    Args:
        source: A path; the content of a file; or a row of an audio column, undecoded (`{"bytes", "path"}`) or as an array
            (`{"array", "sampling_rate"}`).
        sampling_rate: Of the waveform that is returned, Hz.
        longest: Limit, seconds.
        name: What messages call the recording; its path where absent.
        remedy: What they say of one that is too long.

    Raises:
        ValueError: It is not there, cannot be read, is empty, damaged, too long, not finite, not scaled, or of no sensible
            rate or number of channels. The message is for the user: it names the recording, the fact and the remedy.
        ImportError: soundfile or soxr is not installed.
    """
    name = name or _name_of(source)
    with _opened(source, name, longest, remedy) as sound:
        waveform = np.empty(0, np.float32)
        for piece in sound.pieces(sampling_rate):
            n_samples = len(waveform)
            waveform.resize(n_samples + len(piece), refcheck=False)  # in place: a long recording is not held twice
            waveform[n_samples:] = piece
    return Recording(waveform, sound.sampling_rate, sound.is_cut_off)


def stream_recording(
    source: str | os.PathLike | bytes | dict,
    sampling_rate: float,
    longest: float = float("inf"),
    name: str | None = None,
    remedy: str = CUT,
) -> Iterator[np.ndarray]:
    """The samples of [`read_recording`] in pieces, for recordings that are too long to be held in memory."""
    with _opened(source, name or _name_of(source), longest, remedy) as sound:
        yield from sound.pieces(sampling_rate)


@contextmanager
def _opened(source, name: str, longest: float, remedy: str) -> Iterator["_Checked"]:
    if soxr is None:
        raise ImportError(PACKAGES)
    if isinstance(source, dict) and source.get("array") is not None:
        yield _Checked(_of_array(source["array"], source.get("sampling_rate"), name), name, longest, remedy)
        return
    if isinstance(source, dict):
        source = source.get("path") if source.get("bytes") is None else source["bytes"]
    if source is None:
        raise ValueError(f"{name} is null: there is neither content nor a path. Leave it out.")
    if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
        raise ValueError(  # noqa: TRY004 (a column may hold anything: whoever reads it expects one class)
            f"{name} is given as {type(source).__name__}, but a path, bytes or an undecoded row is needed. For a dataset: "
            'cast_column("audio", Audio(decode=False)).'
        )
    with open_sound(source, name, longest) as sound:
        yield _Checked(sound, name, longest, remedy)


class _Checked:
    """A sound whose header makes sense, and whose samples are checked as they are decoded."""

    def __init__(self, sound: Sound, name: str, longest: float, remedy: str):
        self.sound, self.name, self.longest, self.remedy = sound, name, longest, remedy
        self.sampling_rate, self.n_heard = sound.sampling_rate, 0
        if not LOWEST_RATE <= sound.sampling_rate <= HIGHEST_RATE:
            raise ValueError(
                f"{name} says that its sampling rate is {sound.sampling_rate:,} Hz; {LOWEST_RATE:,} to {HIGHEST_RATE:,} Hz "
                "are heard. Save it again at 16,000 Hz."
            )
        if not 1 <= sound.n_channels <= MOST_CHANNELS:
            raise ValueError(
                f"{name} says that it has {sound.n_channels:,} channels; 1 to {MOST_CHANNELS} are heard. Save it in mono."
            )
        if sound.n_frames is not None:
            self._check_length(sound.n_frames, "lasts")

    @property
    def is_cut_off(self) -> bool:
        return self.sound.is_cut_off or (self.sound.n_frames or 0) > self.n_heard

    def pieces(self, sampling_rate: float) -> Iterator[np.ndarray]:
        """The mean of the channels at another rate, of at least one sample in all."""
        n_samples = 0
        for piece in _resampled(self.mono(), self.sampling_rate, sampling_rate):
            n_samples += len(piece)
            yield piece
        if n_samples == 0:
            raise ValueError(
                f"{self.name} is empty: {self.n_heard} samples at {self.sampling_rate:,} Hz. Record it again or leave it out."
            )

    def mono(self) -> Iterator[np.ndarray]:
        """The mean of the channels, block by block."""
        blocks = iter(self.sound.blocks)
        while True:
            try:
                block = next(blocks, None)
            except Exception:  # noqa: BLE001 (of any class, and in the decoder's words)
                raise ValueError(
                    f"{self.name} breaks off or is damaged. Fetch it again, save it again, or leave it out."
                ) from None
            if block is None:
                return
            self._check_samples(block)
            self.n_heard += len(block)
            self._check_length(self.n_heard, "lasts more than")
            yield block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]

    def _check_length(self, n_frames: int, lasts: str) -> None:
        seconds = n_frames / self.sampling_rate
        if seconds > self.longest:
            raise ValueError(
                f"{self.name} {lasts} {seconds:,.0f} s; {self.longest:,g} s at most are heard at once. {self.remedy}"
            )
        if n_frames * self.sound.n_channels > MOST_VALUES * self.longest:
            raise ValueError(
                f"{self.name} holds {n_frames * self.sound.n_channels:,} samples in {self.sound.n_channels} channels; "
                f"{MOST_VALUES * self.longest:,.0f} is the most. Save it in mono, or at a lower sampling rate."
            )

    def _check_samples(self, block: np.ndarray) -> None:
        if not len(block):
            return
        peak = max(block.max(), -block.min())  # NaN where there is a NaN
        if peak <= LARGEST_PEAK:
            return
        if np.isfinite(peak):
            raise ValueError(
                f"{self.name} has a peak of {peak:g}, but full scale is 1.0. Divide what were 16-bit integers by 32768."
            )
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        seconds = (self.n_heard + bad[0]) / self.sampling_rate
        raise ValueError(
            f"{self.name} has samples that are NaN or infinite, the first after {seconds:.2f} s. Save it again as 16-bit "
            "audio, or leave it out."
        )


def _resampled(blocks: Iterable[np.ndarray], rate: float, target: float) -> Iterator[np.ndarray]:
    if rate == target:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, target, 1, dtype="float32")  # to the bit what soxr.resample makes of the whole
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _of_array(array, rate: float | None, name: str) -> Sound:
    """A decoded row, `(n_samples,)`, or with channels on the shorter axis."""
    try:
        array = np.asarray(array)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if not isinstance(rate, Real) or not np.issubdtype(array.dtype, np.floating) or array.ndim not in (1, 2):
        raise ValueError(
            f"{name} is an array of {array.dtype} with shape {array.shape} and sampling_rate {rate}, but floats with full "
            "scale at 1.0, of shape (n_samples,), and their rate are needed. Divide 16-bit integers by 32768."
        )
    frames = array.reshape(-1, 1) if array.ndim == 1 else array if len(array) >= array.shape[1] else array.T
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        return Sound(rate, frames.shape[1], len(frames), [frames.astype(np.float32)])


def _name_of(source) -> str:
    name = source.get("path") if isinstance(source, dict) else source
    return os.fspath(name) if isinstance(name, (str, os.PathLike)) and name else "the recording"
