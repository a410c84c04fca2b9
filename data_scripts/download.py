"""Downloads RAVDESS, TESS, CREMA-D, nEMO and Indian EmoSpeech from where their owners publish them.

    uv run -m data_scripts.download --corpora ravdess tess crema_d --output raw
    uv run -m data_scripts.build --ravdess raw/ravdess --tess raw/tess --crema-d raw/crema_d

The first three, which are taken where none is named, are 1.5 GB; twice that is needed on the disk while they are unpacked. A
run that was interrupted goes on where it stopped; a second one downloads nothing. Each folder appears when its files have been
counted and their fingerprint is that of the originals; of nEMO and Indian EmoSpeech, whose originals have no known fingerprint,
when the clips have been counted and their names compared. --mirror takes the same files from another server, such as an
institution's cache: what is at https://zenodo.org/records/... is asked for at MIRROR/zenodo.org/records/....
"""

import argparse
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from data_scripts.terminal import command, end_quietly_while_loading, say

if __name__ == "__main__":
    end_quietly_while_loading()

from data_scripts.archives import unpack
from data_scripts.corpora import CORPORA, PROJECT
from data_scripts.fetch import DiskError, DownloadError, RemoteFile, fetch
from data_scripts.git_lfs import UnknownObject, fetch_objects, read_pointers
from data_scripts.locks import Busy, lock_file
from data_scripts.staging import claim
from data_scripts.verify import recordings, verify

CHECKSUM = re.compile("md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
LISTING_LIMIT = 2**26  # bytes


def download(
    corpora: Sequence[str], output: Path, mirror: str | None = None, report: Callable[[str], None] = say
) -> dict[str, Path]:
    """Downloads, unpacks and verifies corpora.

    Args:
        corpora: keys of ``CORPORA``.
        output: gets one folder per corpus, named like it.
        mirror: address to be used in place of ``https:/`` in the publishers' addresses; theirs if not given.
        report: told each licence before anything is fetched, and what was verified.

    Returns:
        corpus -> its folder, as `data_scripts.build.build` takes them.

    Raises:
        DownloadError: what could not be fetched or is not what was published. Corpora that were complete stay, as does what
            has arrived of the others, in hidden folders.
    """
    folders = {corpus: Path(output, corpus) for corpus in corpora}
    with claim(*(folder for folder in folders.values() if not folder.exists()), report=report):
        missing = [corpus for corpus, folder in folders.items() if not folder.exists()]
        for corpus in missing:
            report(_terms(corpus))
        for corpus, folder in folders.items():
            if corpus in missing:
                _download_corpus(CORPORA[corpus], folder, mirror, report)
            else:
                _verify_earlier(corpus, folder, report)
    return folders


def _verify_earlier(corpus: str, folder: Path, report: Callable[[str], None]) -> None:
    facts = CORPORA[corpus]
    try:
        verify(facts, folder, report)
    except DownloadError as error:
        option = f"--{corpus.replace('_', '-')} {folder}"
        raise DownloadError(
            f"{error}. {folder} was there before and is left as it is: move it away to download it anew, or build "
            f"from it as it is with `uv run -m data_scripts.build {option} --allow-partial`"
        ) from None
    report(f"{facts.NAME}: {folder} is complete, nothing to download")
    work = _work_folder(folder)
    if work.exists() or lock_file(folder).exists():
        with suppress(Busy), claim(folder, report=report):  # or another run has just ended, and clears up
            if work.exists():
                shutil.rmtree(work)
                report(f"cleared {work}, which a killed run had left")


def _terms(corpus: str) -> str:
    facts = CORPORA[corpus]
    no_derivatives = "; it may be shared unchanged only" if "-nd-" in facts.LICENSE else ""
    n_bytes = facts.SOURCE["n_bytes"]
    size = "" if n_bytes is None else f"{n_bytes / 1e6:,.0f} MB "
    return (
        f"{facts.NAME}: {size}from {facts.SOURCE['landing_page']}, licence "
        f"{facts.SOURCE['license']}{no_derivatives} ({facts.SOURCE['license_url']}). If you have a copy: "
        f"`uv run -m data_scripts.build --{corpus.replace('_', '-')} DIR`"
    )


def _download_corpus(facts: ModuleType, folder: Path, mirror: str | None, report: Callable[[str], None]) -> None:
    """Fetches into a hidden folder beside ``folder``, which takes the name when all is there and verified."""
    work = _work_folder(folder)
    unproven = [
        work / "fetched" / name for name, file in facts.SOURCE.get("files", {}).items() if "known_hash" not in file
    ]
    earlier = any(path.exists() for path in unproven)
    try:
        _fetch_corpus(facts, folder, work, mirror, report)
    except DownloadError as error:
        if not earlier or any(path.exists() for path in unproven):
            raise
        report(f"what an earlier run had fetched is not the corpus and is fetched anew ({error})")
        _fetch_corpus(facts, folder, work, mirror, report)
    shutil.rmtree(work)


def _fetch_corpus(
    facts: ModuleType, folder: Path, work: Path, mirror: str | None, report: Callable[[str], None]
) -> None:
    fetched, whole = work / "fetched", work / "whole"
    fetched.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(whole, ignore_errors=True)
    if "dataverse" in facts.SOURCE:
        files = _fetch_dataverse(facts, fetched, mirror, report)
    else:
        files = {
            name: RemoteFile(_at_mirror(file["url"], mirror), file.get("known_hash"))
            for name, file in facts.SOURCE["files"].items()
        }
        _keep_only(fetched, files)
        fetch(files, fetched, facts.NAME)
    try:
        with _distrusting(fetched, files):
            _assemble(fetched, files, whole)
            pointers = read_pointers(recordings(whole)) if "lfs" in facts.SOURCE else {}
        if pointers:
            with _distrusting(fetched, files, UnknownObject):
                fetch_objects(pointers, work / "objects", _at_mirror(facts.SOURCE["lfs"], mirror), facts.NAME)
        with _distrusting(fetched, files):
            report(verify(facts, whole))
        whole.rename(folder)
    finally:
        shutil.rmtree(whole, ignore_errors=True)


def _work_folder(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.download")


def _keep_only(fetched: Path, files: Mapping[str, RemoteFile]) -> None:
    """Clears what a killed run has left beside the files and their first parts, such as a download under a temporary name."""
    known = {fetched / f"{name}{suffix}" for name in files for suffix in ("", ".part", ".part.version")}
    for path in [path for path in fetched.rglob("*") if path.is_file() and path not in known]:
        path.unlink()


@contextmanager
def _distrusting(
    fetched: Path, files: Mapping[str, RemoteFile], errors: type[DownloadError] = DownloadError
) -> Iterator[None]:
    """Where the corpus turns out wrong, removes the files whose publishers give no checksum, so that they are fetched anew."""
    try:
        yield
    except DiskError:
        raise
    except errors:
        for name, file in files.items():
            if file.known_hash is None:
                (fetched / name).unlink(missing_ok=True)
        raise


def _fetch_dataverse(
    facts: ModuleType, fetched: Path, mirror: str | None, report: Callable[[str], None]
) -> dict[str, RemoteFile]:
    """Fetches a Dataverse dataset: its bundle, as far as the server fills it, and file by file what the bundle lacks.

    The listing gives every file's checksum; a bundle has none, and a server may leave files out of it.
    """
    work, server = fetched.parent, _at_mirror(facts.SOURCE["dataverse"], mirror)
    dataset = f":persistentId/?persistentId={facts.SOURCE['doi']}"
    (work / "listing.json").unlink(missing_ok=True)
    listing = RemoteFile(f"{server}/api/datasets/{dataset}", size_limit=LISTING_LIMIT)
    fetch({"listing.json": listing}, work, f"{facts.NAME} listing")
    files = {}
    try:
        for entry in json.loads((work / "listing.json").read_bytes())["data"]["latestVersion"]["files"]:
            name, number, checksum = (entry["dataFile"][key] for key in ("filename", "id", "checksum"))
            known_hash = f"{checksum['type'].lower().replace('-', '')}:{checksum['value'].lower()}"
            if not CHECKSUM.fullmatch(known_hash) or not isinstance(number, int) or name in files:
                raise ValueError(f"{name!r}, {number!r}, {known_hash!r}")
            files[name] = RemoteFile(f"{server}/api/access/datafile/{number}", known_hash)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DownloadError(
            f"{server} does not list the files of {facts.SOURCE['doi']} as Dataverse does: {error!r:.300}"
        ) from None
    _keep_only(fetched, files)
    if not any(fetched.iterdir()):
        _fetch_bundle(RemoteFile(f"{server}/api/access/dataset/{dataset}"), set(files), fetched, report)
    fetch(files, fetched, facts.NAME)
    return files


def _fetch_bundle(bundle: RemoteFile, names: set[str], fetched: Path, report: Callable[[str], None]) -> None:
    archive, unpacked = fetched.with_name("bundle.zip"), fetched.with_name("bundle")
    shutil.rmtree(unpacked, ignore_errors=True)
    try:
        fetch({archive.name: bundle}, archive.parent, archive.name)
        unpack(archive, unpacked)
    except DiskError:
        raise
    except DownloadError as error:
        report(f"no bundle of all files ({error}); they are fetched one by one")
    archive.unlink(missing_ok=True)
    for path in unpacked.rglob("*"):
        if path.is_file() and path.name in names:
            path.replace(fetched / path.name)
    shutil.rmtree(unpacked, ignore_errors=True)


def _assemble(fetched: Path, files: Mapping[str, RemoteFile], whole: Path) -> None:
    """The corpus's folder from what was fetched: archives unpacked, the rest linked."""
    for name in files:
        target = whole / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".zip":
            unpack(fetched / name, target.with_suffix(""))
        else:
            os.link(fetched / name, target)


def _at_mirror(url: str, mirror: str | None) -> str:
    return url if mirror is None else f"{mirror.rstrip('/')}/{url.removeprefix('https://')}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=PROJECT, help=f"default: {' '.join(PROJECT)}")
    parser.add_argument("--output", type=Path, default=Path("raw"), metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--mirror", metavar="URL", help="a server that has the publishers' files under their host names"
    )
    options = parser.parse_args(arguments)
    with command(lambda: "what has arrived is kept, run again to go on"):
        folders = download(options.corpora, options.output, options.mirror)
    choice = " ".join(f"--{corpus.replace('_', '-')} {folder}" for corpus, folder in folders.items())
    say(f"next: uv run -m data_scripts.build {choice}")


if __name__ == "__main__":
    main()
