"""Folders and files that appear whole: raced for, killed at every step, and starved of disk for real."""

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data_scripts import staging
from data_scripts.locks import Busy
from data_scripts.staging import claim, scratch_folder, standing, what_stands, whole_file, whole_folder

PROJECT = Path(__file__).parents[2]
N_FILES = 5
WRITER = """
import os, signal, sys, time
from pathlib import Path
from data_scripts import locks, staging

output, text, step, exchange, wait = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
if exchange == "no":
    staging._exchange = lambda first, second: False
n_calls = 0


def counted(call):
    def kill_at_the_step(*arguments, **options):
        global n_calls
        n_calls += 1
        if n_calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return kill_at_the_step


for name in ("open", "rename", "replace", "fsync", "unlink", "mkdir", "rmdir", "truncate"):
    setattr(os, name, counted(getattr(os, name)))
try:
    with staging.whole_folder(output, wait=wait) as folder:
        for number in range(5):
            (folder / f"{number}.txt").write_text(text)
except locks.Busy as error:
    sys.exit(str(error))
"""


def write(output: Path, text: str) -> None:
    with whole_folder(output) as folder:
        for number in range(N_FILES):
            (folder / f"{number}.txt").write_text(text)


def write_in_process(
    output: Path, text: str, step: int = 0, exchange: str = "yes", wait: float = 0
) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, output, text, str(step), exchange, str(wait)]
    return subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)


def read_while_written(output: Path) -> str:
    """As `read`, but all files of one folder: another one may take its place between two of them."""
    while True:
        folder = os.open(output, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return read(Path(f"/proc/self/fd/{folder}"))
        except (AssertionError, OSError):
            if os.path.samestat(os.fstat(folder), os.stat(output)):  # not replaced and cleared meanwhile
                raise
        finally:
            os.close(folder)


def read(output: Path) -> str:
    """The text of a folder that is whole."""
    files = sorted(output.iterdir())
    assert [path.name for path in files] == [f"{number}.txt" for number in range(N_FILES)]
    (text,) = {path.read_text() for path in files}
    return text


# Killed


@pytest.mark.parametrize("exchange", ["yes", "no"])
def test_killed_at_every_step_the_next_run_finds_the_old_or_the_new(tmp_path, exchange, capsys):
    output, steps = tmp_path / "model", 0
    write(output, "old")
    for step in range(1, 200):
        killed = write_in_process(output, f"new {step}", step, exchange)
        killed.communicate()
        if exchange == "yes":
            found = read(output)  # in one step: there at every moment
        with claim(output):
            assert exchange == "no" or read(output) == found
            assert read(output) in ("old", f"new {step}")
            assert [path.name for path in tmp_path.iterdir() if path.name != ".model.lock"] == ["model"]
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
        if killed.returncode == 0:
            break
        steps += killed.returncode == -signal.SIGKILL
        write(output, "old")
    assert steps > 15 and read(output) == f"new {step}"
    said = capsys.readouterr().err
    assert "cleared" in said and ("was put in its place again" in said) == (exchange == "no")


def test_killed_at_random_moments(tmp_path):
    rng = random.Random(25)
    output = tmp_path / "model"
    write(output, "old")
    for number in range(10):
        process = write_in_process(output, f"new {number}")
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        process.communicate()
        assert read(output).startswith(("old", "new"))
    write(output, "last")
    assert read(output) == "last" and [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    "names", [(".model.replaced", ".model.partial"), (".model.building-1.previous", ".model.building-1")]
)
def test_the_new_is_taken_where_it_was_whole_before_the_old_was_put_aside(tmp_path, names):
    for name, text in zip(names, ("old", "new"), strict=True):
        write(tmp_path / name, text)
    with claim(tmp_path / "model"):
        assert read(tmp_path / "model") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_leftovers_of_every_kind_are_cleared_and_those_of_others_stay(tmp_path):
    write(tmp_path / "model", "old")
    for name in (".model.building-1", ".model.building-notapid", ".model.building-2.previous", ".model.partial"):
        write(tmp_path / name, "leftover")
    (tmp_path / ".model.building-3").write_text("a file")
    theirs = {".model.mine", ".models.building-1", ".model.building-1.building-2", "model.building-1"}
    for name in theirs:
        (tmp_path / name).mkdir()
    said = []
    with claim(tmp_path / "model", report=said.append):
        assert read(tmp_path / "model") == "old"
    assert {path.name for path in tmp_path.iterdir()} == theirs | {"model"}
    assert len(said) == 5 and all("cleared" in line for line in said)


# Two at once


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


# Starved, and elsewhere than on a good disk


def test_a_full_disk_leaves_what_stood_there(tiny_disk):
    output = tiny_disk / "model"
    write(output, "x" * 50_000)
    with pytest.raises(OSError) as error:
        write(output, "y" * 200_000)
    assert error.value.errno == errno.ENOSPC
    assert read(output) == "x" * 50_000 and [path.name for path in tiny_disk.iterdir()] == ["model"]


def test_a_model_put_aside_is_put_back_on_a_full_disk(tiny_disk):
    output = tiny_disk / "model"
    write(tiny_disk / ".model.replaced", "x" * 50_000)
    with pytest.raises(OSError), open(tiny_disk / "ballast", "wb") as ballast:
        while True:
            ballast.write(bytes(2**16))
    with pytest.raises(OSError):
        write(output, "y" * 200_000)
    assert read(output) == "x" * 50_000


def test_a_disk_that_cannot_be_written(tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(ValueError, match="model cannot be written, because .*: Read-only file system; name an output"):
        write(tiny_disk / "model", "new")


def test_a_disk_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ValueError, match="no locks .* name an output on another disk"):
        write(tmp_path / "model", "new")


def test_the_root_of_a_disk_is_not_replaced(tiny_disk):
    with pytest.raises(ValueError, match="root of a disk"):
        write(tiny_disk, "new")
    with pytest.raises(ValueError, match="/ is no name"):
        write(Path("/"), "new")


def test_what_a_link_leads_to_is_replaced_and_the_link_stays(tmp_path):
    write(tmp_path / "large disk" / "corpus", "old")
    (tmp_path / "corpus").symlink_to(tmp_path / "large disk" / "corpus")
    write(tmp_path / "corpus", "new")
    assert (tmp_path / "corpus").is_symlink() and read(tmp_path / "large disk" / "corpus") == "new"


# Files and scratch folders


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    output = tmp_path / "table.csv"
    before = what_stands(output)
    with pytest.raises(RuntimeError), whole_file(output) as path:
        path.write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir()) and standing(output, before).endswith("was not written")
    with whole_file(output) as path:
        path.write_text("whole")
    assert output.read_text() == "whole" and standing(output, before).endswith("whole and new")
    assert standing(output, what_stands(output)).endswith("is as it was")
    for leftover in (".table.csv.building-1", ".table.csv.4711"):
        (tmp_path / leftover).write_text("of a killed run")
    with whole_file(output) as path:
        path.write_text("again")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_who_writes_nothing_leaves_no_folders(tmp_path):
    with claim(tmp_path / "a" / "b" / "model", tmp_path / "a" / "run"):
        pass
    assert not list(tmp_path.iterdir())
    with whole_file(tmp_path / "a" / "b" / "table.csv") as path:
        path.touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b", "table.csv"]


def test_a_scratch_folder_vanishes(tmp_path):
    (tmp_path / ".upload.building-1").mkdir()
    with scratch_folder(tmp_path / "upload") as folder:
        (folder / "file").touch()
        assert not (tmp_path / ".upload.building-1").exists()
    assert not list(tmp_path.iterdir())


def test_what_is_written_reaches_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(staging, "sync", lambda path: order.append("sync"))
    monkeypatch.setattr(staging, "_exchange", lambda *_: order.append("exchange") or True)
    (tmp_path / "model").mkdir()
    write(tmp_path / "model", "new")
    assert order == ["sync", "exchange"]
