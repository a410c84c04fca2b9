"""A file of answers that grows as they come, and that is whole, or says by its name that it is not."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data_scripts.staging import claim, settled, whole_file
from data_scripts.terminal import say_aside

SYNC_EVERY = 5.0  # s, the most that a crash of the machine costs


class GrowingFile:
    """Takes records at its end, each of them whole or not at all.

    Attributes:
        path: where they are until the file is whole.
        content: what an earlier run has left, to be gone on with; empty in a new file.
        n_bytes: its size.
    """

    def __init__(self, path: Path, descriptor: int):
        self.path, self._descriptor, self._synced = path, descriptor, time.monotonic()
        self.content = path.read_bytes()
        self.n_bytes = len(self.content)

    def truncate(self, n_bytes: int) -> None:
        """Drops what comes after so many bytes of an earlier run: the last record may be cut off."""
        os.ftruncate(self._descriptor, n_bytes)
        self.content, self.n_bytes = self.content[:n_bytes], n_bytes

    def append(self, records: bytes) -> None:
        """Appends records, which a reader of the file finds there at once.

        Raises:
            OSError: the disk is full, say; the records that were there before stay, whole.
        """
        rest = memoryview(records)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except BaseException:
            os.ftruncate(self._descriptor, self.n_bytes)
            raise
        self.n_bytes += len(records)
        if time.monotonic() - self._synced > SYNC_EVERY:
            os.fsync(self._descriptor)
            self._synced = time.monotonic()


@contextmanager
def growing_file(output: Path, settings: dict, report: Callable[[str], None] = say_aside) -> Iterator[GrowingFile]:
    """A file that is called ``<output>.partial`` while it grows, and takes its name when the block ends well.

    However the block ends otherwise, what was appended stays under that name, and the next run with the same settings goes
    on with it. A file to which nothing was appended is not there. Until the end, ``output`` is as it was.

    Args:
        output: the file.
        settings: name -> value of what determines the answers, as JSON knows them.
        report: called with one sentence for what is put right or gone on with.

    Raises:
        Busy: another run writes there.
        ValueError: an earlier run has left answers by other settings; both values are named.
    """
    output = settled(output)
    partial, note = output.with_name(f"{output.name}.partial"), output.with_name(f".{output.name}.partial.json")
    with claim(output, report=report):
        if partial.exists() and partial.stat().st_size:
            _compare(partial, note, settings)
        else:
            with whole_file(note) as staging:
                staging.write_text(json.dumps(settings))
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            file = GrowingFile(partial, descriptor)
            yield file
            if file.n_bytes:
                os.fsync(descriptor)
                os.replace(partial, output)
        finally:
            os.close(descriptor)
            if partial.exists() and not partial.stat().st_size:
                partial.unlink()
            if not partial.exists():
                note.unlink(missing_ok=True)


def _compare(partial: Path, note: Path, settings: dict) -> None:
    """Refuses to go on with answers of another model, or by other options."""
    try:
        earlier = json.loads(note.read_text())
    except (OSError, ValueError):
        earlier = {}
    # As JSON gives them back: a tuple is a list.
    for name, value in json.loads(json.dumps(settings)).items():
        if earlier.get(name) != value:
            raise ValueError(
                f"{partial} holds answers of an earlier run with {name} {earlier.get(name, 'unknown')!r}, this one has "
                f"{value!r}: run that command again, or remove the file to begin anew"
            )
