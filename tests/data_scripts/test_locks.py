"""Two at once: each output has one writer at a time, and the lock of the dead is nobody's."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from data_scripts import locks
from data_scripts.locks import Busy
from data_scripts.staging import claim
from tests.data_scripts.writers import PROJECT, read, read_while_written, write, write_in_process


def test_of_many_at_once_each_is_whole_or_refused(tmp_path):
    output = tmp_path / "model"
    write(output, "old")
    processes = [write_in_process(output, f"new {number}", wait=60 * (number % 2)) for number in range(12)]
    while any(process.poll() is None for process in processes):
        assert read_while_written(output).startswith(("old", "new"))  # a reader never meets half a folder
        time.sleep(0.001)
    for number, process in enumerate(processes):
        refusal = process.communicate()[1]
        assert process.returncode == 0 if number % 2 else process.returncode in (0, 1)
        assert process.returncode == 0 or "is being written by" in refusal
    assert read(output).startswith("new") and [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path):
    output = tmp_path / "model"
    hold = (
        "import sys, time; from pathlib import Path; from data_scripts.staging import claim\n"
        "with claim(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, output], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=rf"{output} is being written by process {holder.pid} .* on \S+ since 20\d\d-"):
            write(output, "mine")
        assert not output.exists()
    finally:
        holder.kill()
        holder.communicate()
    write(output, "mine")  # the dead hold nothing
    assert read(output) == "mine" and [path.name for path in tmp_path.iterdir()] == ["model"]


def test_threads_keep_each_other_out_and_one_thread_may_go_in_twice(tmp_path):
    refused = []

    def intrude():
        with pytest.raises(Busy), claim(tmp_path / "model"):
            pass
        refused.append(True)

    with claim(tmp_path / "model", tmp_path / "run"):
        write(tmp_path / "model", "inside")
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
    assert refused and read(tmp_path / "model") == "inside"


def test_a_fork_does_not_keep_the_lock_of_the_dead(tmp_path):
    script = (
        "import os, sys, time; from pathlib import Path; from data_scripts.staging import claim\n"
        "with claim(Path(sys.argv[1])):\n"
        "    reader, writer = os.pipe()\n"
        "    child = os.fork()\n"
        "    if child == 0: os.write(writer, b'forked'); time.sleep(60)\n"
        "    os.read(reader, 6)\n"  # on a busy machine the parent would else be gone before the child has begun
        "    print(child, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", script, tmp_path / "model"], cwd=PROJECT, stdout=subprocess.PIPE)
    child = int(killed.stdout.readline())
    try:
        killed.wait()
        write(tmp_path / "model", "next")
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_fork_that_a_killed_holder_had_just_made_is_given_time(tmp_path, monkeypatch):
    """It lets go of the lock as soon as it runs, which on a busy machine is later than the next command."""
    script = (
        "import os, sys, time; from pathlib import Path\n"
        "os.register_at_fork(after_in_child=lambda: time.sleep(1))\n"  # goes before that of the locks
        "from data_scripts.staging import claim\n"
        "with claim(Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    if os.fork(): os.kill(os.getpid(), 9)\n"
        "    os._exit(0)\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", script, tmp_path / "model"], cwd=PROJECT, stdout=subprocess.PIPE)
    assert killed.stdout.readline() == b"held\n"
    killed.wait()
    with pytest.raises(Busy), monkeypatch.context() as patch:
        patch.setattr(locks, "GRACE", 0.0)
        write(tmp_path / "model", "too soon")
    write(tmp_path / "model", "next")
    assert read(tmp_path / "model") == "next"


def test_waiting_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.0)
    entered, leave, said = threading.Event(), threading.Event(), []

    def hold():
        with claim(tmp_path / "model"):
            entered.set()
            leave.wait(60)

    def report(line: str) -> None:
        said.append(line)
        leave.set()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(60)
    with claim(tmp_path / "model", wait=60, report=report):
        pass
    thread.join()
    assert len(said) == 1 and said[0].startswith(f"waiting for process {os.getpid()} ")
