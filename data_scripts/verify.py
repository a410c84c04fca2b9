"""Whether the files of a corpus are those that its owners published: every one that the build reads."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from data_scripts.corpora import completeness
from data_scripts.fetch import DownloadError
from data_scripts.git_lfs import is_pointer
from data_scripts.source_files import audio_files
from data_scripts.source_tables import find_table


def verify(facts: ModuleType, folder: Path, report: Callable[[str], None] = lambda line: None) -> str:
    """Counts a corpus's recordings, compares their fingerprint and its tables with those of the originals, and says so.

    The fingerprint is the sha256 of a line ``<sha256>  <file name>`` for every recording, in the order of the names. Where that
    of the originals is not known, the clips are counted, and their names compared.

    Args:
        facts: the corpus.
        folder: where it is.
        report: told of a table that differs in nothing but its line endings, which are whatever a program made of them.

    Returns:
        What was found, in words.

    Raises:
        DownloadError: what is not as it should be.
    """
    paths = sorted(recordings(folder), key=lambda path: path.name)
    if strange := [path for path in paths if not path.is_file()]:
        raise DownloadError(
            f"{strange[0]} is no file that can be read, but a pipe, a device or a broken link; remove it"
        )
    if pointers := [path for path in paths if is_pointer(path)]:
        raise DownloadError(
            f"{len(pointers)} files of {facts.NAME} are git LFS pointers without sound, first {pointers[0]}"
        )
    if facts.SOURCE["fingerprint"] is None:
        try:
            count, complete = completeness(facts, facts.records(folder, lambda line: None))
        except ValueError as error:
            raise DownloadError(str(error)) from None
        if not complete:
            raise DownloadError(f"{count}, in {folder}")
        return f"{count}; whether they are the originals byte for byte is not known"
    if len(paths) != facts.EXPECTED["clips"]:
        raise DownloadError(
            f"{facts.NAME} has {facts.EXPECTED['clips']:,} recordings, but {len(paths):,} are in {folder}"
        )
    fingerprint = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            fingerprint.update(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n".encode())
    if fingerprint.hexdigest() != facts.SOURCE["fingerprint"]:
        raise DownloadError(
            f"the {len(paths):,} recordings of {facts.NAME} in {folder} are not the originals: their fingerprint is "
            f"{fingerprint.hexdigest()}, not {facts.SOURCE['fingerprint']}"
        )
    if missing := [name for name in table_hashes(facts) if find_table(folder, name) is None]:
        raise DownloadError(f"{', '.join(missing)} of {facts.NAME} is not in {folder}")
    if altered := altered_tables(facts, folder, report):
        raise DownloadError(f"{'; '.join(altered)}, in {folder}")
    tables = f" and {len(table_hashes(facts))} tables" if table_hashes(facts) else ""
    return f"{facts.NAME}: {len(paths):,} recordings{tables}, byte for byte the originals"


def altered_tables(facts: ModuleType, folder: Path, report: Callable[[str], None]) -> list[str]:
    """A sentence for each table, of those that the build reads, whose content is not the published one."""
    altered = []
    for name, known in table_hashes(facts).items():
        if (path := find_table(folder, name)) is None:
            continue
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found == known:
            continue
        if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() == known:
            report(f"{facts.NAME}: {path} has other line endings than the published table, and is otherwise the same")
        else:
            altered.append(f"{facts.NAME}: {name} is not the published table (sha256 {found[:16]}, not {known[:16]})")
    return altered


def table_hashes(facts: ModuleType) -> dict[str, str]:
    """Path of a table -> its sha256, of a corpus whose owners publish tables beside the recordings."""
    hashes = {name: file.get("known_hash") or "" for name, file in facts.SOURCE.get("files", {}).items()}
    tables = {name: known.removeprefix("sha256:") for name, known in hashes.items() if known.startswith("sha256:")}
    return {name: known for name, known in tables.items() if Path(name).suffix in (".csv", ".tsv")}


def recordings(folder: Path) -> list[Path]:
    """The recordings of a corpus: its WAV files, and whatever else the build would take for one.

    A folder ``AudioMP3`` with the same clips once more is passed over, as by the build.
    """
    try:
        found = audio_files(folder)
    except ValueError:  # there are none
        return []
    waves = {path.stem for path in found if path.suffix.lower() == ".wav"}
    return [path for path in found if path.parent.name != "AudioMP3" or path.stem not in waves]
