"""Recordings on disk: what is a recording by its name, what is hidden, and which files an argument names. Without torch."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

# Sound alone, and what phones and browsers record it in; films are passed over.
AUDIO_SUFFIXES = (
    *(
        ".wav",
        ".wave",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".spx",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
        ".caf",
    ),
    *(".w64", ".rf64", ".m4a", ".m4b", ".aac", ".webm", ".weba", ".mka", ".3gp", ".amr", ".wma", ".wv", ".tta", ".ape"),
)
CLUTTER = ("desktop.ini", "thumbs.db", "__macosx", "@eadir", "$recycle.bin")  # what systems leave in folders


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over, with all that is in it."""
    return name.startswith(".") or name.lower() in CLUTTER


def is_audio_name(name: str) -> bool:
    """Whether a file of this name is taken for a recording. How it is decoded depends on its content alone."""
    return name.lower().endswith(AUDIO_SUFFIXES) and not is_hidden(name)


def walk_files(folder: str | Path) -> Iterator[Path]:
    """Every file below a folder that is not hidden; links are followed, but nothing is visited twice.

    Raises:
        ValueError: A folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise ValueError(f"{error.filename} cannot be read ({error.strerror}). Give it read permission.")

    visited = set()
    for parent, subfolders, names in os.walk(folder, onerror=refuse, followlinks=True):
        visited.add(os.path.realpath(parent))
        subfolders[:] = sorted(
            name
            for name in subfolders
            if not is_hidden(name) and os.path.realpath(os.path.join(parent, name)) not in visited
        )
        yield from (Path(parent, name) for name in sorted(names) if not is_hidden(name))


def audio_files(folder: str | Path) -> list[Path]:
    """Every recording below a folder, to any depth, in alphabetical order.

    Raises:
        ValueError: There is none, or a folder cannot be read.
    """
    files = sorted(path for path in walk_files(folder) if is_audio_name(path.name))
    if not files:
        raise ValueError(f"no audio in {folder}: no file there ends in {', '.join(AUDIO_SUFFIXES)}")
    return files


def find_audio(argument: str | Path) -> list[Path]:
    """The files that a path, a folder (searched to any depth) or a glob names, in alphabetical order.

    Raises:
        ValueError: It names none.
    """
    if os.path.exists(argument):
        matches = [Path(argument)]
    else:
        matches = [Path(match) for match in sorted(glob.glob(str(argument), recursive=True))]
    if not matches:
        fact = "nothing matches" if glob.has_magic(str(argument)) else "there is no file or folder"
        raise ValueError(f"{fact} {argument}: check the spelling")
    if len(matches) == 1 and matches[0].is_dir():
        return audio_files(matches[0])
    inside = (
        sorted(file for file in walk_files(match) if is_audio_name(file.name)) if match.is_dir() else [match]
        for match in matches
    )
    if files := [file for group in inside for file in group]:
        return files
    raise ValueError(f"no audio in {argument}: no file there ends in {', '.join(AUDIO_SUFFIXES)}")
