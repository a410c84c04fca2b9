"""Getting one file from a server that breaks, truncates, changes and lies; unpacking what nobody vouches for."""

import hashlib
import shutil
from unittest.mock import Mock

import numpy as np
import pooch
import pytest

from data_scripts import fetch as fetching
from data_scripts.fetch import DiskError, DownloadError, RemoteFile, ResumingDownloader, fetch
from tests.hostile_server import HostileServer

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
PATH = "/archive.zip"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(ResumingDownloader, "backoff", 0.01)
    with HostileServer() as server:
        server.files[PATH] = CONTENT
        yield server


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def get(server, folder, content: bytes = CONTENT) -> bytes:
    fetch({"archive.zip": RemoteFile(server.address + PATH, sha256(content))}, folder, "test")
    return (folder / "archive.zip").read_bytes()


def test_goes_on_where_it_broke(server, tmp_path):
    server.breaks[PATH] = [100_000, 100_000]
    ranges = []
    answer = server.answer

    def spy(request):
        ranges.append(request.headers.get("Range"))
        answer(request)

    server.server.reply = spy
    assert get(server, tmp_path) == CONTENT
    assert ranges == [None, "bytes=100000-", "bytes=200000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["archive.zip"]


def test_goes_on_in_the_next_run(server, tmp_path):
    server.breaks[PATH] = [200_000, *[0] * 100]
    with pytest.raises(DownloadError, match=r"200,000 bytes are kept in .*archive.zip.part, run again to go on"):
        get(server, tmp_path)
    assert not (tmp_path / "archive.zip").exists()
    server.breaks.clear()
    assert get(server, tmp_path) == CONTENT


@pytest.mark.parametrize("versioned", [True, False])
def test_starts_again_without_ranges(server, tmp_path, versioned):
    server.ranges, server.versioned = False, versioned
    server.breaks[PATH] = [200_000, 100_000]
    assert get(server, tmp_path) == CONTENT
    assert len(server.requests) == 3


@pytest.mark.parametrize("versioned", [True, False])
def test_parts_of_two_versions_are_not_joined(server, tmp_path, versioned):
    server.versioned = versioned
    server.breaks[PATH] = [200_000, *[0] * 100]
    with pytest.raises(DownloadError):
        get(server, tmp_path)
    server.breaks.clear()
    server.files[PATH] = OTHER
    assert get(server, tmp_path, OTHER) == OTHER


def test_a_shorter_version_after_a_break(server, tmp_path):
    server.versioned = False
    server.breaks[PATH] = [200_000, *[0] * 100]
    with pytest.raises(DownloadError):
        get(server, tmp_path)
    server.breaks.clear()
    server.files[PATH] = OTHER[:1_000]
    assert get(server, tmp_path, OTHER[:1_000]) == OTHER[:1_000]


def test_a_killed_run_that_had_everything_goes_on(server, tmp_path):
    (tmp_path / "archive.zip.part").write_bytes(CONTENT)
    assert get(server, tmp_path) == CONTENT


def test_ctrl_c_while_the_file_is_checked_loses_nothing(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pooch.core, "hash_matches", Mock(side_effect=KeyboardInterrupt))
        get(server, tmp_path)
    assert (tmp_path / "archive.zip.part").read_bytes() == CONTENT
    assert get(server, tmp_path) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["archive.zip"]


def test_a_second_time_asks_nobody(server, tmp_path):
    get(server, tmp_path)
    server.requests.clear()
    assert get(server, tmp_path) == CONTENT
    assert server.requests == []


def test_a_file_that_was_damaged_here_is_fetched_again(server, tmp_path):
    get(server, tmp_path)
    (tmp_path / "archive.zip").write_bytes(b"damaged")
    assert get(server, tmp_path) == CONTENT


def test_truncated_below_what_was_announced(server, tmp_path):
    server.breaks[PATH] = [100_000] * 1_000
    server.ranges = False
    with pytest.raises(DownloadError, match="could not be fetched"):
        get(server, tmp_path)
    assert len(server.requests) <= 10
    assert not (tmp_path / "archive.zip").exists()


def test_wrong_checksum(server, tmp_path):
    server.files[PATH] = OTHER
    with pytest.raises(DownloadError, match=r"archive.zip is not what was published"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_is_not_taken_and_what_was_good_is_kept(server, tmp_path):
    server.breaks[PATH] = [200_000, *[0] * 100]
    with pytest.raises(DownloadError):
        get(server, tmp_path)
    page = b"<!DOCTYPE html><html><title>Are you human?</title></html>"
    server.answers[PATH] = lambda request: request.answer(200, page, {"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(DownloadError, match=r"web page.*Are you human\?"):
        get(server, tmp_path)
    server.answers[PATH] = lambda request: request.answer(200, page, {"Content-Type": "application/zip"})
    with pytest.raises(DownloadError, match="web page"):
        get(server, tmp_path)
    assert (tmp_path / "archive.zip.part").stat().st_size == 200_000
    server.answers.clear()
    server.breaks.clear()
    assert get(server, tmp_path) == CONTENT


def test_a_busy_server_is_asked_again(server, tmp_path):
    statuses = [503, 429, 500]

    def busy(request):
        status = statuses.pop()
        if not statuses:
            server.answers.clear()
        request.answer(status, {}, {"Retry-After": "0"})

    server.answers[PATH] = busy
    assert get(server, tmp_path) == CONTENT


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_told_with_the_server_s_words(server, tmp_path, status):
    server.answers[PATH] = lambda request: request.answer(status, {"message": "moved to the attic"})
    with pytest.raises(DownloadError, match=rf"status {status}.*moved to the attic"):
        get(server, tmp_path)
    assert len(server.requests) == 1


def test_no_server(server, tmp_path):
    server.__exit__()
    with pytest.raises(DownloadError, match="run again later"):
        get(server, tmp_path)


def test_a_full_disk_is_told_with_numbers_before_anything_is_written(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    with pytest.raises(DownloadError, match=r"disk is full: 300,000 bytes are needed, 100,000 are free"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_writing(server, tmp_path):
    # /dev/full takes no byte: the operating system itself answers that no space is left.
    (tmp_path / "archive.zip.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="disk is full"):
        get(server, tmp_path)
    assert not (tmp_path / "archive.zip").exists()


def test_a_stream_without_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "SIZE_LIMIT", 100_000)
    server.sized = False
    with pytest.raises(DownloadError, match="more than 100,000 bytes"):
        get(server, tmp_path)
    assert not (tmp_path / "archive.zip.part").exists()


def test_many_files_at_once_keep_what_arrived(server, tmp_path):
    contents = {f"{index}.wav": np.random.default_rng(index).bytes(1_000) for index in range(40)}
    server.files |= {f"/{name}": content for name, content in contents.items()}
    server.answers["/20.wav"] = lambda request: request.answer(404, {})
    files = {name: RemoteFile(f"{server.address}/{name}", sha256(content)) for name, content in contents.items()}
    with pytest.raises(DownloadError, match="20.wav"):
        fetch(files, tmp_path, "test")
    found = {path.name for path in tmp_path.iterdir()}
    arrived = found & set(contents)
    # What was on its way when the fetch ended is kept, to be gone on with: a part and the name of its version.
    parts = {name for name in found if name.endswith(".part")}
    assert found - arrived - parts <= {f"{part}.version" for part in parts}
    assert "0.wav" in arrived and all((tmp_path / name).read_bytes() == contents[name] for name in arrived)
    server.answers.clear()
    server.requests.clear()
    fetch(files, tmp_path, "test")
    assert len(server.requests) == 40 - len(arrived)
    assert {path.name for path in tmp_path.iterdir()} == set(contents)


@pytest.mark.parametrize("name", ["../evil.wav", "/etc/evil.wav", "a/../../evil.wav", "..\\evil.wav", "C:/evil.wav"])
def test_names_stay_inside(server, tmp_path, name):
    with pytest.raises(DownloadError, match="outside"):
        fetch({name: RemoteFile(server.address + PATH)}, tmp_path, "test")
    assert not server.requests and not list(tmp_path.iterdir())


@pytest.mark.parametrize("names", [["."], [""], ["x" * 300], ["x", "x/y"], ["x/y", "x"], ["x", "./x"]])
def test_names_that_no_disk_takes(server, tmp_path, names):
    with pytest.raises(DownloadError, match="is to be stored as") as error:
        fetch({name: RemoteFile(server.address + PATH) for name in names}, tmp_path, "test")
    assert not isinstance(error.value, DiskError) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "9" * 30},
        {"Retry-After": "9" * 5000},
        {"ETag": '"a\\u20ac"'},
        {"Content-Encoding": "gzip"},
        {"Location": "http://[::1"},
        {"Content-Range": "bytes 5-9/3"},
        {"Content-Type": "text/html"},
    ],
    ids=lambda headers: next(iter(headers)),
)
@pytest.mark.parametrize("status", [200, 206, 301, 416, 503])
def test_headers_that_lie_are_the_servers_fault_and_leave_nothing_behind(
    server, tmp_path, monkeypatch, headers, status
):
    monkeypatch.setattr(ResumingDownloader, "attempts", 2)
    monkeypatch.setattr(fetching, "LONGEST_PAUSE", 0.01)

    def lie(request):
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"neither what was asked for nor gzip")
        request.close_connection = True

    server.answers[PATH] = lie
    with pytest.raises(DownloadError) as error:
        get(server, tmp_path)
    assert not isinstance(error.value, DiskError)
    server.answers.clear()
    assert get(server, tmp_path) == CONTENT
