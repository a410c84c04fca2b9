"""One writer at a time: a lock on a folder or file that says who holds it, and that ends with its holder."""

import errno
import fcntl
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from data_scripts.terminal import say_aside

POLL = 0.2  # s
PATIENCE = 3.0  # s until waiting is said
GRACE = 5.0  # s, by when a fork that a killed holder had just made has come to itself and let go of the lock
_held: dict[tuple[Path, int], int] = {}  # (output, thread) -> file descriptor


class Busy(ValueError):
    """Another process writes there now; the message says which, and since when."""


@contextmanager
def lock(output: Path, wait: float = 0.0, report: Callable[[str], None] = say_aside) -> Iterator[bool]:
    """Keeps other processes and threads from writing a folder or file, as long as they ask for the lock as well.

    The kernel takes the lock from a process that dies, however it dies. The lock lies beside the output, as
    ``.<name>.lock``, and is gone when it is released.

    Args:
        output: the folder or file, resolved; it need not exist.
        wait: for another holder, s.
        report: told that there is one to be waited for.

    Yields:
        Whether the lock was taken here: False where this thread held it before.

    Raises:
        Busy: another process or thread holds it.
        ValueError: nothing can be locked there.
    """
    held = output, threading.get_ident()
    if held in _held:
        yield False
        return
    path = lock_file(output)
    start, said = time.monotonic(), False
    while (descriptor := _try(path, output)) is None:
        waited = time.monotonic() - start
        if waited >= (max(wait, GRACE) if _holder_is_dead(path) else wait):
            raise Busy(f"{output} is being written by {_holder(path)}: wait until that has ended, or give another name")
        if waited >= PATIENCE and not said:
            report(f"waiting for {_holder(path)}, which writes {output}")
            said = True
        time.sleep(POLL)
    _held[held] = descriptor
    try:
        with suppress(OSError):  # on a full disk the lock holds all the same, but is silent
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_myself()).encode(), 0)
        yield True
    finally:
        if _held.pop(held, None) is not None:  # not in a fork of the holder
            with suppress(OSError):
                path.unlink()  # before it is released: whoever opens the name now makes a lock of its own
            os.close(descriptor)


def lock_file(output: Path) -> Path:
    """Where the lock of an output lies."""
    return output.with_name(f".{output.name}.lock")


def _try(path: Path, output: Path) -> int | None:
    """A descriptor that holds the lock; None where somebody else has it."""
    for last in (*[False] * 9, True):
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            if error.errno == errno.ENOENT and not last:
                continue  # another run, which has ended, removed the folder, which it had made
            raise ValueError(
                f"{output} cannot be written, because {path} cannot be made: {error.strerror}; name an output where you "
                "may write"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:  # its holder removed it between the two looks
            pass
        except OSError as error:
            os.close(descriptor)
            raise ValueError(
                f"{output} cannot be protected from a second run, because the file system of {path.parent} has no locks "
                f"({error.strerror}); name an output on another disk"
            ) from error
        os.close(descriptor)
    return None


def _myself() -> dict:
    """The holder, without the command's arguments: a token may stand among them."""
    return {
        "program": Path(sys.argv[0]).name,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
    }


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} ({holder['program']}) on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _holder_is_dead(path: Path) -> bool:
    with suppress(OSError, ValueError, KeyError, TypeError):
        holder = json.loads(path.read_text())
        if holder["host"] == socket.gethostname():
            try:
                os.kill(holder["pid"], 0)
            except ProcessLookupError:
                return True
    return False


def _forget() -> None:
    """A fork would keep the lock for as long as it lives, even if the holder is gone."""
    for descriptor in _held.values():
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
