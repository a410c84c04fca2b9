"""How commands end: in one line, whatever ends them."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_scripts.terminal import command, listed, say, say_text

PROJECT = Path(__file__).parents[2]
START = """
import os, signal, sys, time
from data_scripts.terminal import command, end_quietly_while_loading
signal.signal(signal.SIGINT, signal.default_int_handler)
end_quietly_while_loading()
"""
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
KEPT = "with command(lambda: 'two are kept'):"
INTERRUPTIONS = {
    "while the libraries load": (INTERRUPT, "interrupted; nothing was done yet"),
    "at work": (f"{KEPT} {INTERRUPT}", "interrupted; two are kept"),
    # Nothing can be raised there: Python prints the exception, and goes on as if nothing had been.
    "in a destructor": (
        f"class Thing:\n    def __del__(self): {INTERRUPT}\n{KEPT}\n    Thing()\n    time.sleep(9)",
        "interrupted; two are kept",
    ),
    "and again in the clean-up": (
        f"def work():\n    try: {INTERRUPT}\n    finally: {INTERRUPT}\n{KEPT} work()",
        "",
    ),
    "and something half made is freed": (
        f"class Thing:\n    def __del__(self): self.half_made\nthing = Thing()\n{KEPT} {INTERRUPT}",
        "interrupted; two are kept",
    ),
}


@pytest.mark.parametrize("moment", INTERRUPTIONS)
def test_ctrl_c_ends_in_one_line(moment):
    work, line = INTERRUPTIONS[moment]
    ended = subprocess.run(
        [sys.executable, "-c", START + work], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.stderr.strip() == line and ended.returncode != 0


def test_who_ignores_ctrl_c_is_not_made_to_hear_it():
    script = START.replace("default_int_handler", "SIG_IGN") + "with command(): os.kill(os.getpid(), signal.SIGINT)"
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True, timeout=60)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
        RuntimeError("[enforce fail at inline_container.cc:668] . PytorchStreamWriter failed writing file data.pkl"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_from_other_faults(error):
    with (
        pytest.raises(SystemExit, match=r"^name: the disk is full \(.*\); two are kept$"),
        command(lambda: "two are kept", "name"),
    ):
        raise error
    with pytest.raises(SystemExit, match="disk is full"), command(lambda: "two are kept"):
        try:
            raise error
        except Exception as cause:
            raise TypeError("wrapped by a library") from cause


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), command():
        raise ZeroDivisionError
    with pytest.raises(ValueError), command(errors=(OSError,)):
        raise ValueError


def test_an_end_cannot_steer_the_terminal(capsys):
    with pytest.raises(SystemExit) as end, command():
        raise ValueError("\x1b[2Jevil.wav is no\nrecording")
    assert end.value.code == "error: \\x1b[2Jevil.wav is no\nrecording"
    say("\x1b]0;evil")
    assert capsys.readouterr().out == "\\x1b]0;evil\n"


def test_every_fault_has_a_line_and_a_wrong_folder_fills_no_terminal():
    faults = [f"{number}.wav is torn." for number in range(4_000)]
    with pytest.raises(SystemExit) as end, command():
        raise ValueError(listed(["a\nb.wav is torn", *faults[:2]]))
    assert end.value.code == "error: 3 things are wrong:\n  a\\nb.wav is torn.\n  0.wav is torn.\n  1.wav is torn."
    lines = listed(faults).splitlines()
    assert lines[0] == "4,000 things are wrong:"
    assert lines[-2:] == ["  99.wav is torn.", "  And 3,900 more."]


def test_a_table_keeps_its_lines_and_cannot_steer_the_terminal(capsys):
    say_text("label  recall\n\x1b]0;mine\x07  0.50")
    assert capsys.readouterr().out == "label  recall\n\\x1b]0;mine\\x07  0.50\n"


@pytest.fixture
def interruptible():
    """As in a terminal: whoever starts the tests in the background lets them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_afterwards_signals_are_as_before(interruptible):
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    with command():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == before


FULL = "import sys; from data_scripts.terminal import command\nwith command(lambda: {kept}):\n    {work}\n"


@pytest.mark.parametrize(
    ("work", "kept", "line"),
    [
        ("print('table', flush=True)", "'two are kept'", "the disk is full .*; two are kept"),
        (
            "print('table', flush=True)",
            "print('table', flush=True)",
            "the disk is full .*; what is kept could not be pri",
        ),
        ("print('table'); raise ValueError('no such file')", "'nothing'", "error: no such file"),
    ],
)
def test_an_output_that_takes_no_more_ends_in_one_line(work, kept, line):
    """/dev/full takes no byte: the operating system itself answers that no space is left."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", FULL.format(work=work, kept=kept)]
        pipes = {"stdout": full, "stderr": subprocess.PIPE, "text": True}
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        ended = subprocess.run(command, cwd=PROJECT, env=buffered, **pipes, check=False)
    assert ended.returncode == 1
    (said,) = ended.stderr.splitlines()
    assert re.search(line, said)
