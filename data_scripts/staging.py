"""Output that appears whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def whole_folder(output: Path) -> Iterator[Path]:
    """A folder beside ``output`` that takes its place when the block ends well, and otherwise vanishes.

    What a killed build left behind is cleared first.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{output.name}.building-"
    for stale in output.parent.iterdir():
        pid = stale.name.removeprefix(prefix).removesuffix(".previous")
        if stale.name.startswith(prefix) and not psutil.pid_exists(int(pid)):
            if stale.name.endswith(".previous") and not output.exists():
                stale.rename(output)
            else:
                shutil.rmtree(stale)
    staging = output.parent / f"{prefix}{os.getpid()}"
    previous = output.parent / f"{prefix}{os.getpid()}.previous"
    staging.mkdir()
    try:
        yield staging
        if output.exists():
            output.rename(previous)
        staging.rename(output)
    finally:
        if previous.exists() and not output.exists():
            previous.rename(output)
        for leftover in (staging, previous):
            shutil.rmtree(leftover, ignore_errors=True)
