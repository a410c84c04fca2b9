"""Ctrl-C in a download: one line at once, whatever the server does, and the next run goes on."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from data_scripts import download
from tests.publishers import LISTING, ZENODO

PROJECT = Path(__file__).parents[2]
COMMAND = (
    "import json, sys; from data_scripts import ravdess, tess, download\n"
    "from data_scripts.terminal import end_quietly_while_loading\n"
    "end_quietly_while_loading()\n"
    "ravdess.SOURCE['files']['Audio_Speech_Actors_01-24.zip']['known_hash'] = sys.argv[4]\n"
    "download.main(['--corpora', sys.argv[1], '--output', sys.argv[2], '--mirror', sys.argv[3]])\n"
)


class Gate:
    """Lets an answer wait until the test has ended, and tells that it is waited for."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        self.opened.wait(100)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


def interrupt(publishers, corpus: str, output: Path, gate: Gate) -> str:
    """Runs the command until a server keeps it waiting, then sends Ctrl-C; what it says last."""
    from data_scripts import ravdess

    known_hash = ravdess.SOURCE["files"]["Audio_Speech_Actors_01-24.zip"]["known_hash"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, corpus, output, publishers.address, known_hash],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell has what it runs in the background ignore Ctrl-C, and so do the children of that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    assert gate.reached.wait(60)
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1]  # a server is waited for a minute otherwise
    assert process.returncode == 1 and "Traceback" not in said
    return said.strip().splitlines()[-1]


def goes_on(publishers, corpus: str, output: Path) -> None:
    folder = download.download([corpus], output, publishers.address, lambda line: None)[corpus]
    assert {path.name for path in folder.rglob("*.wav")} == set(publishers.recordings[corpus])
    assert [path.name for path in output.iterdir()] == [corpus]


def test_a_server_that_does_not_answer(publishers, tmp_path, gate):
    publishers.answers[ZENODO] = lambda request: gate.wait()
    assert "interrupted; what has arrived is kept" in interrupt(publishers, "ravdess", tmp_path, gate)
    assert not list(tmp_path.glob("*.lock")) and not list(tmp_path.glob(".*.lock"))
    publishers.answers.clear()
    goes_on(publishers, "ravdess", tmp_path)


def test_a_server_that_stops_in_the_middle(publishers, tmp_path, gate):
    content = publishers.files[ZENODO]

    def stop_half_way(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[:100_000])
        request.wfile.flush()
        gate.wait()

    publishers.answers[ZENODO] = stop_half_way
    assert "interrupted; what has arrived is kept" in interrupt(publishers, "ravdess", tmp_path, gate)
    publishers.answers.clear()
    goes_on(publishers, "ravdess", tmp_path)


def test_a_server_of_many_files_that_asks_for_patience(publishers, tmp_path, gate):
    """Eight threads wait then, and none of them for as long as it was told to."""
    publishers.files.pop(
        next(path for path in publishers.files if path.startswith(LISTING[:20]) and "access/dataset/" in path)
    )

    def busy(request):
        request.answer(503, {}, {"Retry-After": "100"})
        gate.reached.set()

    for path in list(publishers.files):
        if "/datafile/" in path:
            publishers.answers[path] = busy
    assert "interrupted; what has arrived is kept" in interrupt(publishers, "tess", tmp_path, gate)
    publishers.answers.clear()
    goes_on(publishers, "tess", tmp_path)
