"""Containers and codecs: libsndfile reads whatever it can, the program ffmpeg, where it is installed, the rest.

What is opened is the content alone, never what a name or a playlist points to. Nothing here is resampled or mixed.
"""

import io
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

try:  # who hands over arrays needs it not, and transformers demands whatever is imported outside of a `try`
    import soundfile
except (ImportError, OSError):  # OSError: the library libsndfile is missing
    soundfile = None

PACKAGES = "Recordings are read by two packages, of which one is missing: pip install soundfile soxr"
PRINTING = threading.Lock()  # who has diverted the standard error
BY_MPG123 = re.compile(
    rb"\s*$|\[\S*libmpg123\S*\] |Note: .*(MPEG|resync|input|available|frame|RIFF|ID3)|Warning: .*(Xing|ID3|frame|stream|MPEG|byte)"
)
BLOCK = 1 << 20  # samples of all channels that are decoded at once
UNKNOWN = 1 << 62  # frames from which on libsndfile's count stands for "not stated"
STREAMED = 0x7FFF0000  # a RIFF or AIFF size from here on, or 0, stands for "not known": it was written to a pipe
OGG_HEADER = 27  # bytes before the segment table of a page
OGG_LARGEST_PAGE = 65_307  # bytes
OGG_LAST_PAGE = 4  # flag of the page that ends a stream
# FFmpeg's names of formats that hold sound themselves: playlists, which would open other files, are not among them.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,ac3,amr,asf,caf,wav,w64,aiff,au,ogg,mp3,flac,wv,tta,ape,flv"
LARGEST_ALLOCATION = 100_000_000  # bytes that ffmpeg may ask for at once
AU_HEADER = 24  # bytes: magic, offset and size of the data, encoding, rate, channels


@dataclass
class Sound:
    """A recording that is open: its header, and its samples.

    Args:
        sampling_rate: Hz.
        n_channels: Of every block.
        n_frames: As the header says; None where it does not.
        blocks: Float32 of shape `(n_frames, n_channels)`, decoded when they are asked for. Exceptions are the decoder's.
        is_cut_off: Whether the container ends before it says it does, which libsndfile passes over.
    """

    sampling_rate: int
    n_channels: int
    n_frames: int | None
    blocks: Iterable[np.ndarray]
    is_cut_off: bool = False


@contextmanager
def open_sound(source: str | os.PathLike | bytes, name: str, longest: float) -> Iterator[Sound]:
    """Opens a file or its content.

    Args:
        source: A path, or bytes.
        name: What messages call it.
        longest: Limit of what ffmpeg decodes, seconds.

    Raises:
        ValueError: It is not there or no audio.
        ImportError: soundfile is not installed.
    """
    if soundfile is None:
        raise ImportError(PACKAGES)
    is_path = isinstance(source, (str, os.PathLike))
    with _open_file(source, name) if is_path else io.BytesIO(source) as file:
        content = Content(file)
        _check_content(content, name)
        try:
            with _silent_mpg123():
                decoder = soundfile.SoundFile(content)
        except Exception:  # noqa: BLE001 (of half a dozen classes, and in the decoder's words)
            decoder = None
        if decoder is not None:
            with decoder:
                decoder.seekable = lambda: False  # else soundfile seeks after every block, which lossy codecs hear
                n_frames = decoder.frames if decoder.frames < UNKNOWN else None
                blocks = _blocks(decoder)
                yield Sound(decoder.samplerate, decoder.channels, n_frames, blocks, _is_cut_off(content))
        elif is_path:
            with _open_by_ffmpeg(source, name, longest) as sound:
                yield sound
        else:
            with tempfile.NamedTemporaryFile() as copy:  # MP4 may end with its table of contents, so a pipe will not do
                copy.write(source)
                copy.flush()
                with _open_by_ffmpeg(copy.name, name, longest) as sound:
                    yield sound


class Content:
    """A file to be read by libsndfile: without a name, from which that would guess, and with the size that it may lack.

    Its methods never raise: they are called back from C, where an exception would be printed and passed over.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self.repair = None
        self.seek(0)
        self.repair = _missing_size(self.read(1 << 16), self.size)

    def read(self, count: int) -> bytes:
        start = self.tell()
        try:
            data = self._file.read(max(count, 0))
        except OSError:
            return b""
        if self.repair is not None and start < self.repair + 4 and self.repair < start + len(data):
            data = bytearray(data)
            for position in range(max(self.repair, start), min(self.repair + 4, start + len(data))):
                data[position - start] = 0xFF
        return bytes(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size}[whence]
        return self._file.seek(min(max(base + offset, 0), UNKNOWN))

    def tell(self) -> int:
        return self._file.tell()


def _missing_size(head: bytes, size: int) -> int | None:
    """Where a WAV or AU that was streamed or cut off states that it has 0 bytes of samples, which follow all the same."""
    if head[:4] == b".snd" and head[8:12] == b"\0" * 4:
        return 8
    if head[:4] not in (b"RIFF", b"RIFX") or head[8:12] != b"WAVE":
        return None
    byte_order = "little" if head[:4] == b"RIFF" else "big"
    position = 12
    while position + 8 <= len(head):
        chunk, length = head[position : position + 4], int.from_bytes(head[position + 4 : position + 8], byte_order)
        if chunk == b"data":
            follows = head[position + 8 : position + 12]
            is_empty = position + 8 >= size or follows in (b"LIST", b"id3 ", b"ID3 ")
            return None if length or is_empty else position + 4
        position += 8 + length + length % 2
    return None


def _open_file(path: str | os.PathLike, name: str) -> BinaryIO:
    try:
        if not os.path.exists(path):
            raise ValueError(f"{name} is not there. Check the spelling.")
        if not os.path.isfile(path):
            raise ValueError(f"{name} is no file. Give the recording itself.")
        return open(path, "rb")
    except OSError as error:
        raise ValueError(
            f"{name} cannot be opened ({os.strerror(error.errno or 0)}). Give it read permission."
        ) from None


def _check_content(content: Content, name: str) -> None:
    if content.size == 0:
        raise ValueError(f"{name} is empty: 0 bytes. Fetch or record it again, or leave it out.")
    content.seek(0)
    if content.read(64).startswith(b"version https://git-lfs"):
        raise ValueError(
            f"{name} is a git LFS pointer, not audio. Run `git lfs pull` in the repository that it is from."
        )
    content.seek(0)


def _blocks(decoder) -> Iterator[np.ndarray]:
    silent = _silent_mpg123 if decoder.format == "MP3" or "MPEG" in decoder.subtype else nullcontext
    while True:
        with silent():
            block = decoder.read(max(BLOCK // decoder.channels, 1), dtype="float32", always_2d=True)
        if not len(block):
            return
        yield block


@contextmanager
def _silent_mpg123() -> Iterator[None]:
    """Keeps off the terminal what the decoder of MP3 prints about damaged frames, with places in its source.

    It writes to the standard error by itself, and libsndfile has no way to tell it not to. Lines of others are passed on.
    """
    with PRINTING:
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        with tempfile.TemporaryFile() as printed:
            os.dup2(printed.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                os.close(kept)
                printed.seek(0)
                for line in printed:
                    if not BY_MPG123.match(line):
                        os.write(2, line)


def _is_cut_off(content: Content) -> bool:
    """Whether a file ends before its container does, which libsndfile passes over in RIFF, AIFF and Ogg."""
    position = content.tell()
    content.seek(0)
    head = content.read(8)
    content.seek(max(content.size - OGG_LARGEST_PAGE, 0))
    tail = content.read(OGG_LARGEST_PAGE)
    content.seek(position)
    if head[:4] in (b"RIFF", b"RIFX", b"FORM"):
        size = int.from_bytes(head[4:8], "little" if head[:4] == b"RIFF" else "big")
        return content.size + 1 < size + 8 and size < STREAMED  # some writers leave out the last byte, of padding
    if head[:4] == b"OggS":
        page = tail[max(tail.rfind(b"OggS"), 0) :]
        if len(page) < OGG_HEADER or not page[5] & OGG_LAST_PAGE:
            return True
        segments = page[OGG_HEADER : OGG_HEADER + page[26]]
        return len(page) < OGG_HEADER + page[26] + sum(segments)
    return False


@contextmanager
def _open_by_ffmpeg(path: str | os.PathLike, name: str, longest: float) -> Iterator[Sound]:
    program = shutil.which("ffmpeg")
    if not program:
        raise ValueError(
            f"{name} cannot be read as audio here. Save it as WAV, FLAC, MP3 or OGG, or install the program ffmpeg, which "
            "reads M4A and WebM too."
        )
    command = [program, "-nostdin", "-v", "quiet", "-max_alloc", str(LARGEST_ALLOCATION), "-threads", "1"]
    command += ["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-i", f"file:{os.fspath(path)}"]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32be", "-threads", "1", "-f", "au"]
    command += [] if longest == float("inf") else ["-t", str(longest + 1)]
    process = subprocess.Popen(
        [*command, "pipe:1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    # Ten minutes take a second or two; a damaged file must not hold everybody up.
    watchdog = threading.Timer(10 + longest / 30 if longest < 1e6 else threading.TIMEOUT_MAX, process.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        header = process.stdout.read(AU_HEADER)
        magic, offset, _, _, sampling_rate, n_channels = np.frombuffer(header.ljust(AU_HEADER, b"\0"), ">u4").tolist()
        if magic.to_bytes(4, "big") != b".snd":
            raise ValueError(
                f"{name} cannot be read as audio. Save it again as WAV, FLAC, MP3 or OGG, or leave it out."
            )
        process.stdout.read(offset - AU_HEADER)
        yield Sound(sampling_rate, n_channels, None, _blocks_from(process, n_channels))
    finally:
        watchdog.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _blocks_from(process: subprocess.Popen, n_channels: int) -> Iterator[np.ndarray]:
    size = 4 * n_channels * max(BLOCK // n_channels, 1)
    while content := process.stdout.read(size):
        whole = len(content) // (4 * n_channels) * 4 * n_channels
        yield np.frombuffer(content[:whole], ">f4").astype(np.float32).reshape(-1, n_channels)
    if process.wait():
        raise ValueError("ffmpeg broke off")
