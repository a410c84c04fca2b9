"""What commands say, and how they end when they cannot go on: without a traceback, and with what is kept and how to go on."""

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tqdm import tqdm

from modeling.tables_mel_cnn import printable

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MOST_FAULTS = 100  # that a message lists
# Libraries that write by themselves say it in words; PyTorch's writer says only that it failed.
NO_ROOM_IN_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|PytorchStreamWriter failed writing"
)


def listed(faults: Sequence[str], heading: str | None = None) -> str:
    """All faults, not the first alone: one behind the heading, if there is one, several one below the other.

    Of more than a terminal's pages hold, such as every file of a wrong folder, the first ones and how many more there are.
    """
    if len(faults) == 1:
        return f"{heading}: {faults[0]}" if heading else faults[0]
    lines = [printable(fault.rstrip(".")) for fault in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        lines.append(f"And {len(faults) - MOST_FAULTS:,} more")
    return f"{heading or f'{len(faults):,} things are wrong'}:" + "".join(f"\n  {line}." for line in lines)


def say(line: str) -> None:
    """Prints a line whose names cannot steer the terminal."""
    print(printable(line), flush=True)


def say_text(text: str) -> None:
    """As `say`, several lines."""
    print(printable_lines(text), flush=True)


def printable_lines(text: str) -> str:
    """A text whose names cannot steer the terminal, with its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def say_aside(line: str) -> None:
    """As `say`, beside a command's proper output."""
    print(printable(line), file=sys.stderr, flush=True)


def end_quietly_while_loading() -> None:
    """Lets Ctrl-C end the program at once, until a `command` begins: the libraries take seconds to load."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)


@contextmanager
def command(
    kept: Callable[[], str] = lambda: "nothing was written",
    name: str = "error",
    errors: tuple[type[Exception], ...] = (ValueError, OSError),
) -> Iterator[None]:
    """Ends the program without a traceback where Ctrl-C, a full disk or an input that will not do ends the block.

    The first Ctrl-C lets the block clear up, a second one ends it at once.

    Args:
        kept: says what is kept and how to go on.
        name: what the line begins with, after an error.
        errors: those that are the input's or the machine's and not the program's, beside a full disk.

    Raises:
        SystemExit: with that line, or a line for each of several faults. Any other exception is a fault of the program, and passes with its traceback.
    """
    before, before_hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    in_charge = threading.current_thread() is threading.main_thread() and before is not signal.SIG_IGN
    if in_charge:
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = partial(_unraisable, before_hook)
    try:
        yield
    except KeyboardInterrupt:
        if before is _leave:  # the program ends, and what it was about to make is freed half made
            before_hook = _say_nothing
        _end(f"interrupted; {_said(kept)}")
    except Exception as error:
        if _disk_is_full(error):
            _end(f"{name}: the disk is full ({error!s:.300}); {_said(kept)}")
        if not isinstance(error, errors):
            raise
        _end(f"{name}: {error}")
    finally:
        if in_charge:  # what the program has still to say and to free, Ctrl-C may cut short
            signal.signal(signal.SIGINT, signal.SIG_DFL if before is _leave else before)
            sys.unraisablehook = before_hook


def _leave(*_: object) -> None:
    os.write(2, b"interrupted; nothing was done yet\n")
    os._exit(130)


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def _unraisable(otherwise: Callable, details: "sys.UnraisableHookArgs") -> None:
    """Lets an interruption come again that met a destructor, where no exception can be raised."""
    if not issubclass(details.exc_type, KeyboardInterrupt):
        otherwise(details)
    else:
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.2)  # s, by when the destructor has ended


def _say_nothing(details: "sys.UnraisableHookArgs") -> None:
    pass


def _said(kept: Callable[[], str]) -> str:
    try:
        return kept()
    except OSError as error:  # it prints what there is, and it may be there that no room is left
        return f"what is kept could not be printed ({error})"


def _end(line: str) -> None:
    for bar in list(getattr(tqdm, "_instances", ())):
        bar.close()  # else it is drawn once more, below the last line
    try:
        sys.stdout.flush()
    except OSError:  # a full disk, or nobody reads it; at its end the interpreter would try again, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # Of several processes the first speaks for all.
    text = "\n".join(part.rstrip() for part in line.splitlines() if part.strip())
    raise SystemExit(printable_lines(text) if os.environ.get("RANK", "0") == "0" else 1) from None


def _disk_is_full(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) in NO_ROOM or NO_ROOM_IN_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
