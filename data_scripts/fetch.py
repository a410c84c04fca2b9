"""Gets files over a network that breaks, and unpacks archives that nobody vouches for."""

import errno
import itertools
import os
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pooch
import requests
import urllib3
from tqdm import tqdm

CHUNK = 2**16  # bytes
SIMULTANEOUS = 8  # files at once, where there are many
SIZE_LIMIT = 2**33  # bytes, of a file or of what an archive unpacks to; no corpus has a tenth of it
RETRIED_STATUSES = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class RemoteFile:
    """Where a file is, and what it has to be.

    Attributes:
        url: its address.
        known_hash: ``md5:...`` or ``sha256:...``; None where the publisher has no fixed one.
        headers: what the server wants to be sent.
    """

    url: str
    known_hash: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


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
    for name in files:
        if not is_inside(name):
            raise DownloadError(
                f"{files[name].url} is to be stored as {name!r}, outside of {folder}; nothing was fetched"
            )
    many = len(files) > SIMULTANEOUS
    with (
        ThreadPoolExecutor(SIMULTANEOUS if many else 1) as pool,
        tqdm(total=len(files), unit="file", desc=description, disable=not many) as progress,
    ):
        tasks = [pool.submit(_fetch_one, file, folder / name, not many) for name, file in files.items()]
        try:
            for task in tasks:
                task.result()
                progress.update()
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_one(file: RemoteFile, path: Path, show_progress: bool) -> None:
    for last_try in (False, True):
        downloader = ResumingDownloader(path, file.headers, show_progress)
        try:
            pooch.retrieve(file.url, file.known_hash, path.name, path.parent, downloader=downloader)
            return
        except DownloadError:
            raise
        except ValueError as error:
            # What was joined from two requests may be of two versions; what came in one piece was sent like that.
            if last_try or not downloader.joined:
                raise DownloadError(
                    f"{file.url} is not what was published; run again to fetch it anew. {error}"
                ) from None
        except OSError as error:
            raise _disk_error(error, path) from None


class ResumingDownloader:
    """A downloader for pooch that goes on where a connection broke, if the server allows it.

    What has arrived lies beside the target as ``<name>.part``, and in ``<name>.part.version`` the server's name for that
    version of the file: parts of two versions are never joined. A server without ranges is asked for the whole file again.
    After ``attempts`` tries in a row that brought nothing new it gives up, and the next run goes on.

    Args:
        path: the target.
        headers: sent with every request.
        show_progress: draw a bar of bytes.
        attempts: tries without progress.
        backoff: pause after the first such try, s; doubles with each.
        timeout: for connecting and for each piece, s.
    """

    attempts = 5
    backoff = 1.0
    timeout = (15, 60)
    max_requests = 1_000

    def __init__(self, path: Path, headers: Mapping[str, str] | None = None, show_progress: bool = False):
        self.part, self.version = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.version")
        self.headers = {"Accept-Encoding": "identity", **(headers or {})}
        self.bar = {"desc": path.name, "unit": "B", "unit_scale": True, "disable": not show_progress}
        self.joined = False

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        with tqdm(**self.bar) as self.progress:
            self._download(url)
        os.replace(self.part, output_file)
        self.version.unlink(missing_ok=True)

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
                time.sleep(broken.retry_after or min(self.backoff * 2 ** (failures - 1), 60))
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
        except requests.RequestException as error:
            raise DownloadError(f"{url} could not be fetched: {error}") from None

    def _receive(self, response: requests.Response, start: int, version: str) -> None:
        url = response.url
        if response.status_code in RETRIED_STATUSES:
            raise _Broken(f"status {response.status_code}", response.headers.get("Retry-After", ""))
        if response.status_code == 416:
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return
            self.part.unlink()
            raise _Broken("the server has fewer bytes than were fetched before")
        if response.status_code not in (200, 206):
            raise DownloadError(
                f"{url} answers with status {response.status_code}{_said(response)}; is it still there?"
            )
        if "html" in response.headers.get("Content-Type", ""):
            raise DownloadError(f"{url} is a web page, not a file{_said(response)}; look at it in a browser")
        total = _total(response)
        current = f"{response.headers.get('ETag') or response.headers.get('Last-Modified', '')}\n{total}"
        if start and response.status_code == 206:
            if current != version or not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                self.part.unlink()
                raise _Broken("the file has changed since its first part was fetched")
            self.joined = True
        else:
            start = 0
        if total and shutil.disk_usage(self.part.parent).free < total - start:
            raise _disk_error(OSError(errno.ENOSPC, ""), self.part, total - start)
        # iter_content would lose what came of a chunk before the connection broke.
        chunks = iter(lambda: response.raw.read1(CHUNK, decode_content=True), b"")
        first = next(chunks, b"")
        if not start and first.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
            raise DownloadError(f"{url} is a web page under a file's name; look at it in a browser")
        self.version.write_text(current)
        self.progress.reset(total)
        self.progress.update(start)
        with open(self.part, "ab" if start else "wb") as file:
            for chunk in itertools.chain([first], chunks):
                file.write(chunk)
                self.progress.update(len(chunk))
                if file.tell() > SIZE_LIMIT:
                    self.part.unlink()
                    raise DownloadError(f"{url} sends more than {SIZE_LIMIT:,} bytes; no corpus is that large")
        if not self._size() or self._size() != (total or self._size()):
            raise _Broken(f"{self._size()} of {total or 'an unknown number of'} bytes came")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _read_version(self) -> str:
        return self.version.read_text() if self.version.exists() else ""


class _Broken(Exception):
    """A try that may go better next time."""

    def __init__(self, reason: str, retry_after: str = ""):
        super().__init__(reason)
        self.retry_after = min(int(retry_after), 120) if retry_after.isdecimal() else 0


def _total(response: requests.Response) -> int | None:
    """The size of the whole file, bytes, as far as the server says it."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    of_range = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", ""))
    length = of_range[1] if of_range else response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and (of_range or response.status_code == 200) else None


def _said(response: requests.Response) -> str:
    """The first words of a short answer in text."""
    text = re.sub(r"<[^>]*>", " ", response.raw.read1(2_000, decode_content=True).decode(errors="replace"))
    return f" ({' '.join(text.split())[:200]})" if text.strip() else ""


def _disk_error(error: OSError, path: Path, n_bytes: int = 0) -> DiskError:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(f"{path} cannot be written: {error}")
    free = shutil.disk_usage(path.parent).free
    needed = f"{n_bytes:,} bytes are needed, " if n_bytes else ""
    return DiskError(
        f"the disk is full: {needed}{free:,} are free in {path.parent}; make room and run again, what has arrived is kept"
    )


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip archive into a new folder, which appears whole or not at all.

    Raises:
        DownloadError: the archive is cut off or damaged, has a member that would land outside of ``folder`` or is a link,
            or unpacks to more than there is room for.
    """
    aside = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir()
        with zipfile.ZipFile(archive) as zipped:
            members = [member for member in zipped.infolist() if not member.filename.startswith("__MACOSX/")]
            for member in members:
                if not is_inside(member.filename) or stat.S_ISLNK(member.external_attr >> 16):
                    raise DownloadError(
                        f"{archive} has the member {member.filename!r}, which leaves its folder; not unpacked"
                    )
            n_bytes = sum(member.file_size for member in members)
            if n_bytes > SIZE_LIMIT:
                raise DownloadError(
                    f"{archive} says it unpacks to {n_bytes:,} bytes, more than {SIZE_LIMIT:,}; not unpacked"
                )
            if n_bytes > shutil.disk_usage(archive.parent).free:
                raise _disk_error(OSError(errno.ENOSPC, ""), archive, n_bytes)
            for member in tqdm(members, desc=f"unpack {archive.name}", unit="file"):
                zipped.extract(member, aside)
        aside.rename(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DownloadError(f"{archive} is not a whole zip archive ({error}); run again to fetch it anew") from None
    except OSError as error:
        raise _disk_error(error, archive) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def is_inside(name: str) -> bool:
    """Whether a path that somebody else wrote stays below the folder that it is put into."""
    path = PurePosixPath(name)
    return not (path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name)
