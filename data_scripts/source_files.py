"""Finds a corpus's recordings in a folder, however it is nested, and reads their names."""

import filecmp
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from data_scripts.schema import Clip
from modeling import recordings

SYNTHETIC_MARKER = "SYNTHETIC.md"


def audio_files(root: Path) -> list[Path]:
    """Every recording below ``root``, sorted; hidden files and folders are left out.

    Raises:
        ValueError: ``root`` is no folder, or has no audio.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; give the folder of the unpacked corpus")
    return recordings.audio_files(root)


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
