"""Folders of a few equal files, written whole by this process or by others that can be killed at any step."""

import os
import subprocess
import sys
from pathlib import Path

from data_scripts.staging import whole_folder

PROJECT = Path(__file__).parents[2]
N_FILES = 5
WRITER = """
import os, signal, sys, time
from pathlib import Path
from data_scripts import locks, staging

output, text, step, exchange, wait = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
if exchange == "no":
    staging._exchange = lambda first, second: False
n_calls = 0


def counted(call):
    def kill_at_the_step(*arguments, **options):
        global n_calls
        n_calls += 1
        if n_calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return kill_at_the_step


for name in ("open", "rename", "replace", "fsync", "unlink", "mkdir", "rmdir", "truncate"):
    setattr(os, name, counted(getattr(os, name)))
try:
    with staging.whole_folder(output, wait=wait) as folder:
        for number in range(5):
            (folder / f"{number}.txt").write_text(text)
except locks.Busy as error:
    sys.exit(str(error))
"""


def write(output: Path, text: str) -> None:
    with whole_folder(output) as folder:
        for number in range(N_FILES):
            (folder / f"{number}.txt").write_text(text)


def write_in_process(
    output: Path, text: str, step: int = 0, exchange: str = "yes", wait: float = 0
) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, output, text, str(step), exchange, str(wait)]
    return subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)


def read_while_written(output: Path) -> str:
    """As `read`, but all files of one folder: another one may take its place between two of them."""
    while True:
        folder = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return read(Path(f"/proc/self/fd/{folder}"))
        except (AssertionError, OSError):
            if os.path.samestat(os.fstat(folder), os.stat(output)):  # not replaced and cleared meanwhile
                raise
        finally:
            os.close(folder)


def read(output: Path) -> str:
    """The text of a folder that is whole."""
    files = sorted(output.iterdir())
    assert [path.name for path in files] == [f"{number}.txt" for number in range(N_FILES)]
    (text,) = {path.read_text() for path in files}
    return text
