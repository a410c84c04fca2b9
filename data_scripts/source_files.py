"""Finds a corpus's recordings in a folder, however it is nested, and reads their names."""

import filecmp
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from data_scripts.schema import Clip
from data_scripts.terminal import listed
from modeling import recordings

COPY = re.compile(r" ?\(\d+\)$| - Copy( \(\d+\))?$| copy( \d+)?$")  # how Windows, browsers and macOS name copies
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
    """Parses every file's stem; one clip per stem, ordered by stem. A stem may end as file managers name copies, `` (1)``.

    Raises:
        ValueError: stems that ``parse`` refuses, what is not a file, or different files of one stem; it names all of them.
    """
    clips: dict[str, Clip] = {}
    copies, faults = 0, []
    for path in sorted(paths, key=lambda path: (bool(COPY.search(path.stem)), path)):  # originals first
        if not path.is_file():
            faults.append(f"{path} is no file that can be read, but a pipe, a device or a broken link; remove it")
            continue
        try:
            clip = replace(parse(COPY.sub("", path.stem)), path=path)
        except ValueError as error:
            faults.append(f"{path}: {error}. Remove the file, or give each corpus a folder of its own")
            continue
        first = clips.setdefault(clip.stem, clip).path
        if first != path:
            if not filecmp.cmp(first, path, shallow=False):
                faults.append(f"{first} and {path} are the same clip by name but differ in content; keep one of them")
            copies += 1
    if faults:
        raise ValueError(listed(faults))
    if copies:
        report(f"{copies} byte-identical copies of other files skipped")
    return [clips[stem] for stem in sorted(clips)]


def is_synthetic(root: Path) -> bool:
    """Whether the marker of a synthesised corpus stands in the folder, below it or above it."""
    above = (folder / SYNTHETIC_MARKER for folder in root.resolve().parents)
    return any(path.is_file() for path in above) or any(root.rglob(SYNTHETIC_MARKER))
