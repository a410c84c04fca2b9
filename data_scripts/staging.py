"""Output that appears whole or not at all, whatever comes in between: a second run, a kill, a full disk."""

import ctypes
import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from data_scripts.locks import lock
from data_scripts.terminal import say_aside

EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h
TEMPORARY = "mel-emotion-"  # and eight digits, the name of a temporary folder
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def claim(*outputs: Path, wait: float = 0.0, report: Callable[[str], None] = say_aside) -> Iterator[None]:
    """Keeps other runs away from folders or files while the block runs, and first puts right what a killed run left there.

    Whoever works long on an output claims it before anything is done: the second run is refused at once, at no cost. Within
    a claim, the same thread may write the output by the functions below.

    Args:
        outputs: they need not exist.
        wait: for another run that holds them, s.
        report: called with one sentence for whatever is put back or cleared.

    Raises:
        Busy: another run writes there; its process, host and time are named.
        ValueError: nothing can be written or locked there.
    """
    with ExitStack() as stack:
        for output in sorted({settled(output) for output in outputs}):
            stack.callback(_remove_empty, _make_parents(output))
            if stack.enter_context(lock(output, wait, report)):
                _recover(output, report)
        yield


@contextmanager
def whole_folder(output: Path, wait: float = 0.0, report: Callable[[str], None] = say_aside) -> Iterator[Path]:
    """A folder beside ``output`` that takes its place when the block ends well, and otherwise vanishes.

    Where the file system can, old and new change places in one step. Killed at any moment, ``output`` is there, old or new;
    on other file systems the next run puts it back. Arguments and errors are those of `claim`.
    """
    output = settled(output)
    check_place(output)
    with scratch_folder(output, wait, report) as staging:
        yield staging
        _take_place(staging, output)


@contextmanager
def whole_files(
    folder: Path, last: str, wait: float = 0.0, report: Callable[[str], None] = say_aside
) -> Iterator[Path]:
    """A hidden folder whose files take their places among those of ``folder`` when the block ends well.

    Each file is whole at any moment; the set is when the one called ``last`` is new. Arguments and errors are otherwise those
    of `claim`.
    """
    folder = settled(folder)
    check_place(folder)
    with scratch_folder(folder, wait, report) as staging:
        yield staging
        sync(staging)
        folder.mkdir(exist_ok=True)
        for path in sorted(staging.iterdir(), key=lambda path: (path.name == last, path.name)):
            os.replace(path, folder / path.name)
        _sync_one(folder)


def check_place(output: Path) -> None:
    """Raises ValueError where a folder cannot be replaced, because it is the root of a disk."""
    if os.path.ismount(output):
        raise ValueError(f"{output} is the root of a disk and cannot be replaced; name a folder in it")


@contextmanager
def scratch_folder(output: Path, wait: float = 0.0, report: Callable[[str], None] = say_aside) -> Iterator[Path]:
    """A hidden folder beside ``output`` that vanishes when the block ends; what a killed run left of it is cleared first."""
    output = settled(output)
    with claim(output, wait=wait, report=report):
        staging = _staging(output)
        staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def temporary_folder(report: Callable[[str], None] = say_aside) -> Iterator[Path]:
    """A folder where the system keeps temporary files, which only its user may read and which vanishes when the block ends.

    Those that killed runs left are cleared first: a folder is somebody's for as long as it is locked.
    """
    place = Path(tempfile.gettempdir())
    for name in {path.name.split(".")[1] for path in place.glob(f".{TEMPORARY}*")}:
        with suppress(ValueError, OSError), claim(place / name, report=report):  # or it is in use, or another user's
            pass
    with scratch_folder(place / f"{TEMPORARY}{secrets.token_hex(4)}", report=report) as folder:
        folder.chmod(0o700)
        yield folder


@contextmanager
def whole_file(output: Path, wait: float = 0.0, report: Callable[[str], None] = say_aside) -> Iterator[Path]:
    """As `whole_folder`, for a file: the block writes it under the name that it is given."""
    output = settled(output)
    with claim(output, wait=wait, report=report):
        staging = _staging(output)
        try:
            yield staging
            sync(staging)
            os.replace(staging, output)
            _sync_one(output.parent)
        finally:
            staging.unlink(missing_ok=True)


def what_stands(output: Path) -> tuple[int, int] | None:
    """What is at a path now, to be compared by `standing` later; None where nothing is."""
    with suppress(OSError):
        found = os.stat(output)
        return found.st_ino, found.st_mtime_ns
    return None


def standing(output: Path, before: tuple[int, int] | None) -> str:
    """Says what became of an output since `what_stands` was asked."""
    now = what_stands(output)
    if now is None:
        return f"{output} was not written"
    return f"{output} is as it was" if now == before else f"{output} is whole and new"


def settled(output: Path) -> Path:
    """The path itself, not the links that lead to it: a link to a folder on another disk stays, its folder is replaced.

    Raises:
        ValueError: it has no name, as `/`, or the links lead in a circle.
    """
    try:
        output = Path(output).resolve()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{output} cannot be written, because it cannot be followed: {error}") from None
    if not output.name:
        raise ValueError(f"{output} is no name for an output; name a folder in it")
    return output


def sync(path: Path) -> None:
    """Has a file, or a folder with all that is in it, written to the disk itself, so that a crash does not lose it."""
    for entry in sorted(path.rglob("*")) if path.is_dir() else ():
        if not entry.is_symlink():
            _sync_one(entry)
    _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:  # some file systems do it for files alone
            raise
    finally:
        os.close(descriptor)


def _make_parents(output: Path) -> list[Path]:
    """Makes the folders above an output; returns those that were not there, the lowest first."""
    missing = [folder for folder in output.parents if not folder.exists()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{output} cannot be written, because the folder {output.parent} cannot be made: {error.strerror}"
        ) from error
    return missing


def _remove_empty(folders: list[Path]) -> None:
    """Who writes nothing leaves no folders either."""
    for folder in folders:
        with suppress(OSError):  # there is something in it, or another run has been faster
            folder.rmdir()


def _staging(output: Path) -> Path:
    return output.with_name(f".{output.name}.building-{os.getpid()}")


def _recover(output: Path, report: Callable[[str], None]) -> None:
    """Puts back what a killed run was about to replace, and clears the rest. Nobody else writes: the lock is held."""
    # `partial`, `replaced` and a mere number are names of earlier versions.
    ours = re.compile(rf"\.{re.escape(output.name)}\.(building-[^.]+(\.previous)?|partial|replaced|\d+)")
    leftovers = {path.name: path for path in output.parent.iterdir() if ours.fullmatch(path.name)}
    for name in sorted(leftovers):
        if os.path.lexists(output) or not name.endswith((".previous", ".replaced")):
            continue
        # The old was put aside only when the new was whole.
        new = leftovers.get(name.removesuffix(".previous").replace(".replaced", ".partial"))
        chosen = new if new and new != leftovers[name] else leftovers[name]
        os.rename(chosen, output)
        del leftovers[chosen.name]
        report(f"{output} was put in its place again from {chosen.name}: a run was killed while it replaced it")
    for path in leftovers.values():
        _remove(path)
        report(f"cleared {path}, which a killed run had left")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _take_place(staging: Path, output: Path) -> None:
    """The new in the place of the old, which is then at the place of the new."""
    sync(staging)
    if not os.path.lexists(output):
        os.rename(staging, output)
    elif not _exchange(staging, output):
        previous = staging.with_name(f"{staging.name}.previous")
        try:
            os.rename(output, previous)
            os.rename(staging, output)
            os.rename(previous, staging)
        except BaseException:
            if not os.path.lexists(output) and os.path.lexists(previous):
                os.rename(previous, output)
            raise
    _sync_one(output.parent)


def _exchange(first: Path, second: Path) -> bool:
    """Lets two paths change places in one step; False where system or file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    here = -100  # AT_FDCWD
    if renameat2(here, os.fsencode(first), here, os.fsencode(second), EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) in UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(second))
