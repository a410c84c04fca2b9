"""Folders and files that appear whole: on a full disk, on a bad one, and through links; temporary folders that vanish."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_scripts import staging
from data_scripts.staging import (
    claim,
    scratch_folder,
    standing,
    temporary_folder,
    what_stands,
    whole_file,
)
from tests.data_scripts.writers import PROJECT, read, write


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


def test_a_link_that_leads_in_a_circle_is_no_output(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ValueError, match="a cannot be written, because it cannot be followed"):
        write(tmp_path / "a", "new")


# Temporary folders


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Where the system keeps temporary files, for this process and for those that it starts."""
    monkeypatch.setattr(staging.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_temporary_folders_are_private_and_vanish(temporary):
    with temporary_folder() as folder, temporary_folder() as another:
        assert folder.parent == another.parent == temporary and folder != another
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "file").touch()
    assert not list(temporary.iterdir())


def test_temporary_folders_of_killed_runs_are_cleared_and_those_in_use_stay(temporary):
    hold = (
        "import sys; from data_scripts.staging import temporary_folder\n"
        "with temporary_folder() as folder:\n"
        "    (folder / 'file').touch(); print(folder, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed, alive = (subprocess.Popen(command, cwd=PROJECT, **pipes) for _ in range(2))
    folders = [Path(process.stdout.readline().strip()) for process in (killed, alive)]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (temporary / "mel-emotion-elses").mkdir()
    said = []
    with temporary_folder(report=said.append):
        assert [(folder / "file").exists() for folder in folders] == [False, True]
    assert len(said) == 1 and str(folders[0]) in said[0]
    alive.communicate()
    assert [path.name for path in temporary.iterdir()] == ["mel-emotion-elses"]
