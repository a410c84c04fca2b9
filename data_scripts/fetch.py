"""Downloads files over an unreliable network, from untrusted servers."""

import errno
import itertools
import os
import re
import shutil
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pooch
import requests
import urllib3
from tqdm import tqdm

from data_scripts.terminal import NO_ROOM

CHUNK = 2**16  # bytes
LONGEST_NAME = 255  # bytes, of every usual file system
SIMULTANEOUS = 8  # files at once, where there are many
SIZE_LIMIT = 2**33  # bytes, of a file or of what an archive unpacks to; no corpus has a tenth of it
LONGEST_PAUSE = 120.0  # s, however long a server asks for
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class RemoteFile:
    """Where a file is, and what it has to be.

    Attributes:
        url: its address.
        known_hash: ``md5:...`` or ``sha256:...``; None where the publisher has no fixed one.
        headers: what the server wants to be sent.
        size_limit: bytes, where it is less than `SIZE_LIMIT`.
    """

    url: str
    known_hash: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    size_limit: int | None = None


class DownloadError(ValueError):
    """A file could not be had; the message says what to do."""


class DiskError(DownloadError):
    """There is no room for it, or no right to write; the file itself may be good."""


def fetch(files: Mapping[str, RemoteFile], folder: Path, description: str) -> None:
    """Downloads what is missing or differs, several at once where there are many.

    Args:
        files: path below ``folder`` -> where it comes from. A file that is there is taken as it is if its hash is right, or
            if none is known.
        folder: where to. What was cut off waits there as ``<name>.part`` and is gone on with.
        description: of the progress bar.

    Raises:
        DownloadError: names the file; the others that have arrived stay.
    """
    pooch.get_logger().setLevel("WARNING")
    if found := bad_name(files):
        name, fault = found
        raise DownloadError(f"{files[name].url} is to be stored as {name!r}, {fault}; nothing was fetched")
    stop = threading.Event()
    if len(files) <= SIMULTANEOUS:  # large ones, in this thread: Ctrl-C reaches it even where a server does not answer
        for name, file in files.items():
            _fetch_one(file, folder / name, True, stop)
        return
    with (
        ThreadPoolExecutor(SIMULTANEOUS) as pool,
        tqdm(total=len(files), unit="file", desc=description) as progress,
    ):
        try:
            tasks = [pool.submit(_fetch_one, file, folder / name, False, stop) for name, file in files.items()]
            for task in tasks:
                task.result()
                progress.update()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _fetch_one(file: RemoteFile, path: Path, show_progress: bool, stop: threading.Event) -> None:
    for last_try in (False, True):
        downloader = ResumingDownloader(path, file, show_progress, stop)
        try:
            pooch.retrieve(file.url, file.known_hash, path.name, path.parent, downloader=downloader)
            downloader.discard()
            return
        except DownloadError:
            raise
        except ValueError as error:
            downloader.discard()
            # What was joined from two requests may be of two versions; what came in one piece was sent like that.
            if last_try or not downloader.joined:
                raise DownloadError(
                    f"{file.url} is not what was published; run again to fetch it anew. {error}"
                ) from None
        except OSError as error:
            raise disk_error(error, path) from None


class ResumingDownloader:
    """A downloader for pooch that goes on where a connection broke, if the server allows it.

    What has arrived lies beside the target as ``<name>.part``, and in ``<name>.part.version`` the server's name for that
    version of the file: parts of two versions are never joined. A server without ranges is asked for the whole file again.
    After ``attempts`` tries in a row that brought nothing new it gives up, and the next run goes on.

    Args:
        path: the target.
        file: what is wanted there.
        show_progress: draw a bar of bytes.
        stop: when it is set, the download ends.
        attempts: tries without progress.
        backoff: pause after the first such try, s; doubles with each.
        timeout: for connecting and for each piece, s.
    """

    attempts = 5
    backoff = 1.0
    timeout = (15, 60)
    max_requests = 1_000

    def __init__(self, path: Path, file: RemoteFile, show_progress: bool, stop: threading.Event):
        self.part, self.version = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.version")
        self.headers = {"Accept-Encoding": "identity", **file.headers}
        self.size_limit, self.stop = file.size_limit or SIZE_LIMIT, stop
        if file.known_hash is None and not self._read_version().partition("\n")[0]:
            self.discard()  # nothing would tell that it is of another version
        self.bar = {"desc": path.name, "unit": "B", "unit_scale": True, "disable": not show_progress}
        self.joined = False

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        with tqdm(**self.bar) as self.progress:
            self._download(url)
        os.unlink(output_file)
        os.link(
            self.part, output_file
        )  # the part stays until the file is found right, for that may be cut short as well

    def _download(self, url: str) -> None:
        most, failures, reason = self._size(), 0, ""
        for _ in range(self.max_requests):
            try:
                return self._request(url)
            except _Broken as broken:
                failures, reason = (0 if self._size() > most else failures + 1), str(broken)
                most = max(most, self._size())
                self.progress.set_postfix_str(reason[:60])
                if failures == self.attempts:
                    break
                if self.stop.wait(broken.retry_after or min(self.backoff * 2 ** (failures - 1), 60)):
                    break
        kept = (
            f"{self._size():,} bytes are kept in {self.part}, run again to go on" if self._size() else "run again later"
        )
        raise DownloadError(f"{url} could not be fetched ({reason}); {kept}")

    def _request(self, url: str) -> None:
        """One request for what is missing; returns when the file is whole."""
        start, version = self._size(), self._read_version()
        wanted = {"Range": f"bytes={start}-"} if start else {}
        validator = version.partition("\n")[0]
        if start and validator and not validator.startswith("W/"):
            wanted["If-Range"] = validator
        try:
            with requests.get(url, headers=self.headers | wanted, stream=True, timeout=self.timeout) as response:
                self._receive(response, start, version)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise _Broken(f"{type(error).__name__}: {error}") from None
        except (requests.RequestException, UnicodeError) as error:
            raise DownloadError(f"{url} could not be fetched: {error}") from None

    def _receive(self, response: requests.Response, start: int, version: str) -> None:
        url = response.url
        if response.status_code in RETRIED_STATUSES:
            raise _Broken(f"status {response.status_code}", response.headers.get("Retry-After", ""))
        if response.status_code == 416 and start:
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return
            self.discard()
            raise _Broken("the server has fewer bytes than were fetched before")
        if response.status_code not in (200, 206):
            raise DownloadError(
                f"{url} answers with status {response.status_code}{_said(response)}; is it still there?"
            )
        if "html" in response.headers.get("Content-Type", ""):
            raise DownloadError(f"{url} is a web page, not a file{_said(response)}; look at it in a browser")
        total = _total(response)
        if total and total > self.size_limit:
            raise DownloadError(f"{url} says it has {total:,} bytes, more than {self.size_limit:,}: not fetched")
        named = response.headers.get("ETag") or response.headers.get("Last-Modified", "")
        current = f"{' '.join(named.split())}\n{total}"
        if start and response.status_code == 206:
            if current != version or not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                self.discard()
                raise _Broken("the file has changed since its first part was fetched")
            self.joined = True
        else:
            start = 0
        if total and shutil.disk_usage(self.part.parent).free < total - start:
            raise disk_error(OSError(errno.ENOSPC, ""), self.part, total - start)
        # iter_content would lose what came of a chunk before the connection broke.
        chunks = iter(lambda: response.raw.read1(CHUNK, decode_content=True), b"")
        first = next(chunks, b"")
        if not start and first.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
            raise DownloadError(f"{url} is a web page under a file's name; look at it in a browser")
        if not start and self._size():
            self.discard()  # before the new version is named: killed in between, the old part would pass for one of it
        if current != self._read_version():
            self.version.write_text(current, encoding="utf-8")
        self.progress.reset(total)
        self.progress.update(start)
        with open(self.part, "ab" if start else "wb") as file:
            for chunk in itertools.chain([first], chunks):
                file.write(chunk)
                self.progress.update(len(chunk))
                if file.tell() > self.size_limit:
                    self.discard()
                    raise DownloadError(f"{url} sends more than {self.size_limit:,} bytes: it is not what it should be")
                if self.stop.is_set():
                    raise DownloadError(f"{url} was not fetched to its end; what has arrived is kept")
        if not self._size() or self._size() != (total or self._size()):
            raise _Broken(f"{self._size()} of {total or 'an unknown number of'} bytes came")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        """Removes what has arrived, where the file is in its place, or is not what it should be."""
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def _read_version(self) -> str:
        return self.version.read_text(encoding="utf-8", errors="replace") if self.version.exists() else ""


class _Broken(Exception):
    """A try that may go better next time."""

    def __init__(self, reason: str, retry_after: str = ""):
        super().__init__(reason)
        self.retry_after = min(_number(retry_after) or 0, LONGEST_PAUSE)


def _total(response: requests.Response) -> int | None:
    """The size of the whole file, bytes, as far as the server says it."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    of_range = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", ""))
    length = of_range[1] if of_range else response.headers.get("Content-Length", "")
    return _number(length) if of_range or response.status_code == 200 else None


def _number(text: str) -> int | None:
    """A number in a header; Python refuses to read some thousand digits."""
    return int(text[:30]) if text.isdecimal() else None


def _said(response: requests.Response) -> str:
    """The first words of a short answer in text."""
    text = re.sub(r"<[^>]*>", " ", response.raw.read1(2_000, decode_content=True).decode(errors="replace"))
    return f" ({' '.join(text.split())[:200]})" if text.strip() else ""


def disk_error(error: OSError, path: Path, n_bytes: int = 0) -> DiskError:
    """What the disk refuses, in words."""
    if error.errno not in NO_ROOM:
        return DiskError(f"{path} cannot be written: {error}")
    free = shutil.disk_usage(path.parent).free
    needed = f"{n_bytes:,} bytes are needed, " if n_bytes else ""
    return DiskError(
        f"the disk is full: {needed}{free:,} are free in {path.parent}; make room and run again, what has arrived is kept"
    )


def bad_name(names: Iterable[str]) -> tuple[str, str] | None:
    """The first of the names, written by somebody else, that cannot be stored below a folder, and why; None where all can."""
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
            return name, "which leaves its folder and lands outside"
        if not path.parts or any(len(part.encode(errors="replace")) > LONGEST_NAME for part in path.parts):
            return name, "which no disk takes for a name"
        if path in files or (not name.endswith("/") and path in folders) or not files.isdisjoint(path.parents):
            return name, "where something else has that name"
        folders.update(path.parents, [path] if name.endswith("/") else [])
        files.update([] if name.endswith("/") else [path])
    return None
