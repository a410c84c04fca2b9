"""What visitors send and leave behind, and its deletion."""

import atexit
import shutil
import threading
import time
from collections import defaultdict
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData, GradioRootModel
from gradio.processing_utils import save_base64_to_cache, save_url_to_cache

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


class SentClips(GradioRootModel):
    """Files as programs send them: uploaded before, or as strings."""

    root: list[FileData | str]


def clips_of_programs(folder: Path) -> gr.File:
    """Several files from a program.

    The MCP server of Gradio 6.31 describes files in a list by a reference to nowhere, and hands them on as the strings that
    they came as, which `gr.File` refuses. A subclass would write a `.pyi` file beside this one, so one object is changed.
    """
    clips = gr.File(file_count="multiple", type="filepath", label="Clips")
    schema = clips.api_info()
    schema["items"] = schema["$defs"].pop("FileData")
    clips.api_info = lambda: schema
    clips.data_model = SentClips
    clips.preprocess = lambda sent: sent and [_saved(clip, folder) for clip in sent.root]
    return clips


def _saved(clip: FileData | str, folder: Path) -> str:
    if isinstance(clip, FileData):
        return clip.path
    try:
        if clip.startswith("data:"):
            return save_base64_to_cache(clip, str(folder))
        if clip.startswith("https://"):
            return save_url_to_cache(clip, str(folder))
    except Exception as error:
        raise gr.Error(
            f"A clip could not be fetched or decoded ({type(error).__name__}).", print_exception=False
        ) from error
    raise gr.Error(
        "Send each clip as a file, an https:// address, or a string data:audio/wav;base64,...", print_exception=False
    )
