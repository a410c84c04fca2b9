"""What visitors send and leave behind, and its deletion."""

import atexit
import shutil
import threading
import time
from collections import defaultdict
from pathlib import Path

import gradio as gr
import numpy as np
from hearing import Listener
from sentences import VOICE

SHORTEST_VOICE = 5.0  # seconds
MOST_VOICES = 30  # that are remembered at the same time; a checkpoint each
FORGET_AFTER = 540.0  # seconds; with the interval of the sweep, ten minutes at the latest
SWEEP_EVERY = 30.0  # seconds


class Visitors:
    """Deletes a visitor's files when the page is left, and all files when they are old.

    Gradio's own `delete_cache` does not know whose a file is, stops for good when a file is uploaded in mid-sweep, and
    overlooks what MCP clients send.

    Args:
        folder: The folder that Gradio keeps files in, and nothing else does.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.files: dict[str, set[Path]] = defaultdict(set)
        self.kept: set[Path] = set()
        self.lock = threading.Lock()

    def watch(self) -> None:
        """Keeps what is there now (the examples), sweeps from now on, and deletes everything in the end."""
        self.kept = set(self.folder.rglob("*"))
        threading.Thread(target=self._sweep_forever, daemon=True).start()
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)

    def remember(self, visitor: str, *paths: str | Path) -> None:
        """These files are this visitor's."""
        with self.lock:
            self.files[visitor].update(Path(path) for path in paths)

    def leave(self, request: gr.Request) -> None:
        """Deletes a visitor's files, except those that another one sent as well."""
        with self.lock:
            left = self.files.pop(request.session_hash, set())
            shared = set().union(*self.files.values())
        for path in left - shared - self.kept:
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Deletes what is older than `FORGET_AFTER`."""
        now = time.time()
        for path in set(self.folder.rglob("*")) - self.kept:
            try:
                if now - path.stat().st_ctime > FORGET_AFTER:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            except FileNotFoundError:
                continue
        with self.lock:
            for visitor in list(self.files):
                self.files[visitor] = {path for path in self.files[visitor] if path.exists()}
                if not self.files[visitor]:
                    del self.files[visitor]

    def _sweep_forever(self) -> None:
        while True:
            time.sleep(SWEEP_EVERY)
            self.sweep()


class Voices:
    """Listeners that were told a visitor's voice: for the visit, in memory alone.

    Args:
        listener: Who hears those that told none.
    """

    def __init__(self, listener: Listener):
        self.everybody = listener
        self.told: dict[str, Listener] = {}

    def listener(self, visitor: str) -> Listener:
        """Who hears a visitor."""
        return self.told.get(visitor, self.everybody)

    def tell(self, visitor: str, waveform: np.ndarray) -> float:
        """Adapts to a voice, `(n_samples,)`; returns how many seconds there were of it.

        Raises:
            ValueError: There is too little of it.
        """
        seconds = len(waveform) / self.everybody.sampling_rate
        if seconds < SHORTEST_VOICE:
            raise ValueError(VOICE["too_short"].format(f"{seconds:.1f}", round(SHORTEST_VOICE)))
        while len(self.told) >= MOST_VOICES:
            self.told.pop(next(iter(self.told)), None)
        self.told[visitor] = self.everybody.adapted(waveform)
        return seconds

    def forget(self, visitor: str) -> None:
        """Hears this visitor like everybody again."""
        self.told.pop(visitor, None)
