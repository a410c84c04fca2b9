"""The folder that visitors' files are kept in for a while: one to a server, and none outlives its server for long."""

import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "mel-emotion-"


def own_folder(place: str | None = None) -> Path:
    """A new folder for this process, which only its user may read; those of servers that were killed are deleted first.

    Args:
        place: Where; the system's place for temporary files if None.
    """
    place = Path(place or tempfile.gettempdir())
    for folder in place.glob(f"{PREFIX}*-*"):
        process = folder.name.removeprefix(PREFIX).split("-")[0]
        if process.isdecimal() and not _lives(int(process)):
            shutil.rmtree(folder, ignore_errors=True)  # it may be another user's, or deleted by another server by now
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
