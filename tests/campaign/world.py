"""What the events of a campaign share: a small world to work on, processes to disturb, disks to fill."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from data_scripts import build
from data_scripts.terminal import end_quietly_while_loading
from tests.miniature_corpora import write_corpora, write_more_corpora
from tests.modeling.annotated import write_dataset
from tests.tiny_model import write_model

Work = Callable[[], None]
KINDS: dict[str, Callable[["World", random.Random, Path], None]] = {}
SIGNALS = (signal.SIGKILL, signal.SIGINT)
ENDINGS = (
    "interrupted",
    "is being written by",
    "the disk is full",
)  # what the last line of a disturbed command may say


def kind(event: Callable) -> Callable:
    KINDS[event.__name__] = event
    return event


class World:
    """Corpora, a dataset, models, recordings, and how long things take without a disturbance."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.raw = write_corpora(folder / "raw") | write_more_corpora(folder / "raw")
        self.corpora = {name: self.raw[name] for name in ("ravdess", "tess", "crema_d")}
        self.dataset = build.build(self.corpora, folder / "corpus", allow_partial=True, report=lambda line: None)
        self.model = write_model(folder / "model")
        self.rows = write_dataset(folder / "rows", train=[range(16), range(16, 24)])
        self.clips = folder / "clips"
        self.clips.mkdir()
        for number in range(30):
            noise = np.random.default_rng(number).normal(0, 0.1, 4_000)
            soundfile.write(self.clips / f"{number:02d}.wav", noise, 16_000)
        self.durations: dict[str, float] = {}


class Child:
    """Work in a fork, its output in a file."""

    def __init__(self, work: Work, output: Path):
        self.output = output
        output.touch()  # a kill may come before the fork has opened it
        self.pid = os.fork()
        if self.pid == 0:
            self._run(work)

    def _run(self, work: Work) -> None:
        status = 0
        os.setpgid(0, 0)
        tqdm.set_lock(
            threading.RLock()
        )  # the inherited one is shared: who is killed with it in hand would stop all others
        end_quietly_while_loading()
        descriptor = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        try:
            work()
        except SystemExit as end:
            status = 0 if end.code in (0, None) else 1
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:  # noqa: BLE001
            status = 99
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def send(self, number: int) -> None:
        """Ctrl-C reaches a command's workers as well, a kill does not."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number) if number == signal.SIGINT else os.kill(self.pid, number)

    def wait(self, *expected: int) -> int:
        """The exit status, or the signal as a negative number; one that is not expected, or a traceback, is a finding."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        assert "Traceback" not in self.said, self.said
        assert status in (*expected, 130), f"status {status}:\n{self.said}"
        return status

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")


def endings(children: list[Child], disturbed: list[Child]) -> None:
    """Each child is whole, was disturbed, or says in its last line why it is not."""
    for child in children:
        status = child.wait(0, 1, *([-number for number in SIGNALS] if child in disturbed else []))
        lines = child.said.strip().splitlines() or [""]
        assert status != 1 or any(ending in lines[-1] for ending in ENDINGS), child.said


def digest(folder: Path) -> str:
    """Of all that a folder shows."""
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return content.hexdigest()


def names(folder: Path) -> set[str]:
    """What is in a folder, hidden or not, but for what processes said."""
    return {path.name for path in folder.iterdir() if path.suffix != ".txt"}


def command(main: Work, *arguments: str | Path, where: Path) -> Work:
    """A command line, run in a folder, with a folder for temporary files of its own."""

    def work() -> None:
        os.chdir(where)
        tempfile.tempdir = str(where)
        sys.argv = ["command", *map(str, arguments)]
        main()

    return work


def lasts(world: World, name: str, work: Work, folder: Path) -> float:
    """How long some work takes undisturbed, s; measured once."""
    if name not in world.durations:
        start = time.monotonic()
        Child(work, folder / f"{name}-measured.txt").wait(0)
        world.durations[name] = time.monotonic() - start
    return world.durations[name]


@contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, n_left: int) -> Path:
    """A file that leaves so many bytes of a disk free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(0, free - n_left)))
    return ballast
