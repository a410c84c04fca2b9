"""Finds a corpus's recordings in a folder, however it is nested, and reads their names."""

import filecmp
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from data_scripts.schema import Clip

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc")
SYNTHETIC_MARKER = "SYNTHETIC.md"


def audio_files(root: Path) -> list[Path]:
    """Every audio file below ``root`` by its suffix in either case, sorted; hidden files and folders are left out.

    Raises:
        ValueError: ``root`` is no folder, or has no audio.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; give the folder of the unpacked corpus")

    def refuse(error: OSError) -> None:
        raise error

    found, visited = [], set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        visited.add(os.path.realpath(folder))
        subfolders[:] = [
            name
            for name in subfolders
            if not name.startswith(".") and os.path.realpath(os.path.join(folder, name)) not in visited
        ]
        found += [Path(folder, name) for name in names if is_audio_name(name)]
    if not found:
        raise ValueError(
            f"{root} has no audio files ({', '.join(AUDIO_SUFFIXES)}) at any depth; is the archive unpacked?"
        )
    return sorted(found)


def is_audio_name(name: str) -> bool:
    return name.lower().endswith(AUDIO_SUFFIXES) and not name.startswith(".")


def parse_files(paths: Iterable[Path], parse: Callable[[str], Clip], report: Callable[[str], None]) -> list[Clip]:
    """Parses every file's stem; one clip per stem, ordered by stem.

    Raises:
        ValueError: a stem that ``parse`` refuses, something that is not a file, or two different files of one stem; both name the files.
    """
    clips: dict[str, Clip] = {}
    copies = 0
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path} is no file that can be read, but a pipe, a device or a broken link; remove it")
        try:
            clip = replace(parse(path.stem), path=path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}. Remove the file, or give each corpus a folder of its own") from None
        first = clips.setdefault(clip.stem, clip).path
        if first != path:
            if not filecmp.cmp(first, path, shallow=False):
                raise ValueError(
                    f"{first} and {path} are the same clip by name but differ in content; keep one of them"
                )
            copies += 1
    if copies:
        report(f"{copies} byte-identical copies of other files skipped")
    return [clips[stem] for stem in sorted(clips)]


def is_synthetic(root: Path) -> bool:
    """Whether the marker of a synthesised corpus stands in the folder, below it or above it."""
    above = (folder / SYNTHETIC_MARKER for folder in root.resolve().parents)
    return any(path.is_file() for path in above) or any(root.rglob(SYNTHETIC_MARKER))
