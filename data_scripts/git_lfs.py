"""Recordings in the place of git LFS pointers, which is what an archive of a repository may hold instead."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from data_scripts.fetch import RETRIED_STATUSES, DownloadError, RemoteFile, fetch

POINTER = b"version https://git-lfs.github.com/spec/v1\n"
POINTER_LIMIT = 1024  # bytes, by git LFS's specification
ANSWER_LIMIT = 2**24  # bytes
BATCH = 100  # objects in one request for their addresses, as many as git-lfs asks for


class UnknownObject(DownloadError):
    """The server does not know what a pointer points to, so that the pointer may be wrong."""


def is_pointer(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(POINTER)) == POINTER


def read_pointers(paths: Iterable[Path]) -> dict[Path, dict]:
    """Those of the files that are pointers -> the object that belongs there, its ``oid`` and ``size``.

    Raises:
        DownloadError: a pointer cannot be read.
    """
    found = {}
    for path in filter(is_pointer, paths):
        with open(path, "rb") as file:
            text = file.read(POINTER_LIMIT).decode(errors="replace")
        if not (match := re.search(r"^oid sha256:([0-9a-f]{64})\nsize (\d{1,18})$", text, re.MULTILINE)):
            raise DownloadError(f"{path} is neither a recording nor a git LFS pointer that can be read: {text[:100]!r}")
        found[path] = {"oid": match[1], "size": int(match[2])}
    return found


def fetch_objects(pointers: dict[Path, dict], objects: Path, batch_url: str, description: str) -> None:
    """Fetches the objects into a folder and puts them in the place of their pointers.

    Raises:
        UnknownObject: the server has no such object.
        DownloadError: an object could not be fetched.
    """
    missing = {entry["oid"]: entry for entry in pointers.values() if not (objects / entry["oid"]).exists()}
    wanted = [missing[oid] for oid in sorted(missing)]
    files = {}
    for start in range(0, len(wanted), BATCH):
        files |= _addresses(batch_url, wanted[start : start + BATCH])
    fetch(files, objects, description)
    for path, entry in pointers.items():
        path.unlink()
        os.link(objects / entry["oid"], path)


def _addresses(batch_url: str, wanted: Sequence[dict]) -> dict[str, RemoteFile]:
    """Object -> where it is (git-lfs/docs/api/batch.md)."""
    answer = _ask(batch_url, wanted)
    files, refused = {}, {}
    try:
        for found in answer["objects"]:
            if "error" in found:
                refused[found["oid"]] = str(found["error"].get("message"))[:200]
                continue
            action = found["actions"]["download"]
            headers = {str(name): str(value) for name, value in action.get("header", {}).items()}
            if not action["href"].startswith(("https://", "http://")):
                raise ValueError(f"the address {action['href'][:100]!r}")
            files[found["oid"]] = RemoteFile(action["href"], f"sha256:{found['oid']}", headers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError(f"{batch_url} does not answer as git LFS does ({error!r}); run again later") from None
    for entry in wanted:
        if entry["oid"] not in files:
            reason = refused.get(entry["oid"], "it is not in the answer")
            raise UnknownObject(f"{batch_url} does not give {entry['oid']}: {reason}")
    return {entry["oid"]: files[entry["oid"]] for entry in wanted}


def _ask(batch_url: str, wanted: Sequence[dict]) -> dict:
    media_type = "application/vnd.git-lfs+json"
    body = json.dumps({"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": wanted})
    retry = Retry(5, backoff_factor=1, status_forcelist=RETRIED_STATUSES, allowed_methods=None)
    try:
        with requests.Session() as session:
            session.mount("https://", HTTPAdapter(max_retries=retry))
            session.mount("http://", HTTPAdapter(max_retries=retry))
            headers = {"Accept": media_type, "Content-Type": media_type}
            with session.post(batch_url, body, headers=headers, timeout=60, stream=True) as response:
                response.raise_for_status()
                content = response.raw.read(ANSWER_LIMIT + 1, decode_content=True)
        if len(content) > ANSWER_LIMIT:
            raise ValueError(f"it answers with more than {ANSWER_LIMIT:,} bytes")
        return json.loads(content)
    except (requests.RequestException, HTTPError, ValueError, RecursionError) as error:
        raise DownloadError(f"{batch_url} does not say where the recordings are: {error}; run again later") from None
