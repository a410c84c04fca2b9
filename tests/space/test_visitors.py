"""What visitors leave is deleted: when they go, and when it is old."""

import os
import time
from types import SimpleNamespace

import pytest
import visitors
from visitors import Visitors


@pytest.fixture
def folder(tmp_path):
    for name in ("example", "shared", "ann", "ben"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "clip.wav").write_text(name)
    return tmp_path


def leave(everyone: Visitors, name: str) -> None:
    everyone.leave(SimpleNamespace(session_hash=name))


def test_a_visitors_files_go_with_the_visitor_and_nobody_elses(folder):
    everyone = Visitors(folder)
    everyone.remember("ann", folder / "ann/clip.wav", folder / "shared/clip.wav")
    everyone.remember("ben", folder / "ben/clip.wav", folder / "shared/clip.wav")
    leave(everyone, "ann")
    assert not (folder / "ann/clip.wav").exists()
    assert (folder / "ben/clip.wav").exists()
    assert (folder / "shared/clip.wav").exists()
    leave(everyone, "ben")
    assert not (folder / "shared/clip.wav").exists()
    leave(everyone, "a stranger")


def test_what_was_there_in_the_beginning_is_kept(folder):
    everyone = Visitors(folder)
    everyone.kept = {folder / "example/clip.wav"}
    everyone.remember("ann", folder / "example/clip.wav")
    leave(everyone, "ann")
    assert (folder / "example/clip.wav").exists()


def test_old_files_are_swept_whoever_sent_them(folder, monkeypatch):
    everyone = Visitors(folder)
    everyone.kept = {folder / "example", folder / "example/clip.wav"}
    everyone.remember("ann", folder / "ann/clip.wav")
    everyone.sweep()
    assert (folder / "ann/clip.wav").exists()
    now = time.time()
    monkeypatch.setattr(visitors.time, "time", lambda: now + visitors.FORGET_AFTER + 1)
    everyone.sweep()
    assert [path.name for path in folder.iterdir()] == ["example"]
    assert not everyone.files


def test_ten_minutes_are_the_latest():
    assert visitors.FORGET_AFTER + visitors.SWEEP_EVERY <= 600


def test_the_time_of_a_copy_counts_and_not_that_of_its_original(folder, monkeypatch):
    everyone = Visitors(folder)
    os.utime(folder / "ann/clip.wav", (0, 0))
    everyone.sweep()
    assert (folder / "ann/clip.wav").exists()
