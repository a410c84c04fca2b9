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
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from data_scripts.corpora import CORPORA, PROJECT, completeness
from data_scripts.fetch import RETRIED_STATUSES, DiskError, DownloadError, RemoteFile, fetch, unpack

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
LFS_BATCH = 100  # objects in one request for their addresses, as many as git-lfs asks for


def download(
    corpora: Sequence[str], output: Path, mirror: str | None = None, report: Callable[[str], None] = print
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
    missing = [corpus for corpus, folder in folders.items() if not folder.exists()]
    for corpus in missing:
        report(_terms(corpus))
    for corpus, folder in folders.items():
        if corpus in missing:
            _download_corpus(CORPORA[corpus], folder, mirror, report)
        else:
            try:
                _verify(CORPORA[corpus], folder)
            except DownloadError as error:
                option = f"--{corpus.replace('_', '-')} {folder}"
                raise DownloadError(
                    f"{error}. {folder} was there before and is left as it is: move it away to download it anew, or build "
                    f"from it as it is with `uv run -m data_scripts.build {option} --allow-partial`"
                ) from None
            report(f"{CORPORA[corpus].NAME}: {folder} is complete, nothing to download")
    return folders


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
    work = folder.with_name(f".{folder.name}.download")
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
        fetch(files, fetched, facts.NAME)
    try:
        with _distrusting(fetched, files):
            _assemble(fetched, files, whole)
        if "lfs" in facts.SOURCE:
            _fetch_lfs_objects(whole, work / "objects", _at_mirror(facts.SOURCE["lfs"], mirror), facts.NAME)
        with _distrusting(fetched, files):
            report(_verify(facts, whole))
        whole.rename(folder)
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    shutil.rmtree(work)


@contextmanager
def _distrusting(fetched: Path, files: Mapping[str, RemoteFile]) -> Iterator[None]:
    """Where the corpus turns out wrong, removes the files whose publishers give no checksum, so that they are fetched anew."""
    try:
        yield
    except DiskError:
        raise
    except DownloadError:
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
    fetch({"listing.json": RemoteFile(f"{server}/api/datasets/{dataset}")}, work, f"{facts.NAME} listing")
    files = {}
    try:
        for entry in json.loads((work / "listing.json").read_text())["data"]["latestVersion"]["files"]:
            name, checksum = entry["dataFile"]["filename"], entry["dataFile"]["checksum"]
            known_hash = f"{checksum['type'].lower().replace('-', '')}:{checksum['value']}"
            files[name] = RemoteFile(f"{server}/api/access/datafile/{entry['dataFile']['id']}", known_hash)
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            f"{server} does not list the files of {facts.SOURCE['doi']} as Dataverse does: {error!r}"
        ) from None
    if not any(fetched.iterdir()):
        _fetch_bundle(RemoteFile(f"{server}/api/access/dataset/{dataset}"), set(files), fetched, report)
    fetch(files, fetched, facts.NAME)
    return files


def _fetch_bundle(bundle: RemoteFile, names: set[str], fetched: Path, report: Callable[[str], None]) -> None:
    archive, unpacked = fetched.with_name("bundle.zip"), fetched.with_name("bundle")
    try:
        fetch({archive.name: bundle}, archive.parent, archive.name)
        unpack(archive, unpacked)
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


def _fetch_lfs_objects(whole: Path, objects: Path, batch_url: str, description: str) -> None:
    """Puts recordings in the place of git LFS pointers, which is what an archive of a repository may hold instead."""
    pointers = {path: path.read_text() for path in _recordings(whole) if _is_pointer(path)}
    if not pointers:
        return
    oids = {}
    sizes = {}
    for path, text in pointers.items():
        if not (match := re.search(r"^oid sha256:([0-9a-f]{64})\nsize (\d+)$", text, re.MULTILINE)):
            raise DownloadError(f"{path} is neither a recording nor a git LFS pointer that can be read: {text[:100]!r}")
        oids[path], sizes[match[1]] = match[1], int(match[2])
    wanted = [{"oid": oid, "size": size} for oid, size in sorted(sizes.items()) if not (objects / oid).exists()]
    files = {}
    for start in range(0, len(wanted), LFS_BATCH):
        for found in _ask_for_objects(batch_url, wanted[start : start + LFS_BATCH]):
            if "error" in found:
                raise DownloadError(f"{batch_url} does not give {found['oid']}: {found['error'].get('message')}")
            action = found["actions"]["download"]
            files[found["oid"]] = RemoteFile(action["href"], f"sha256:{found['oid']}", action.get("header", {}))
    fetch(files, objects, description)
    for path, oid in oids.items():
        path.unlink()
        os.link(objects / oid, path)


def _ask_for_objects(batch_url: str, wanted: list[dict]) -> list[dict]:
    """The addresses of git LFS objects (git-lfs/docs/api/batch.md)."""
    media_type = "application/vnd.git-lfs+json"
    body = json.dumps({"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": wanted})
    retry = Retry(5, backoff_factor=1, status_forcelist=RETRIED_STATUSES, allowed_methods=None)
    try:
        with requests.Session() as session:
            session.mount("https://", HTTPAdapter(max_retries=retry))
            session.mount("http://", HTTPAdapter(max_retries=retry))
            response = session.post(
                batch_url, body, headers={"Accept": media_type, "Content-Type": media_type}, timeout=60
            )
            response.raise_for_status()
            return response.json()["objects"]
    except (requests.RequestException, ValueError, KeyError) as error:
        raise DownloadError(f"{batch_url} does not say where the recordings are: {error}; run again later") from None


def _verify(facts: ModuleType, folder: Path) -> str:
    """Counts a corpus's recordings and compares their fingerprint with that of the originals; says so.

    The fingerprint is the sha256 of a line ``<sha256>  <file name>`` for every recording, in the order of the names. Where that
    of the originals is not known, the clips are counted, and their names compared.
    """
    paths = sorted(_recordings(folder), key=lambda path: path.name)
    if pointers := [path for path in paths if _is_pointer(path)]:
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
    return f"{facts.NAME}: {len(paths):,} recordings, byte for byte the originals"


def _recordings(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file()]


def _is_pointer(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(LFS_POINTER)) == LFS_POINTER


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
    try:
        folders = download(options.corpora, options.output, options.mirror)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; what has arrived is kept, run again to go on")
    choice = " ".join(f"--{corpus.replace('_', '-')} {folder}" for corpus, folder in folders.items())
    print(f"next: uv run -m data_scripts.build {choice}")


if __name__ == "__main__":
    main()
