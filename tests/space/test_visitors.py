"""What visitors leave is deleted: when they go, and when it is old."""

import os
import time
from types import SimpleNamespace

import numpy as np
import pytest
import visitors
from visitors import Visitors, Voices


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


class Adapting:
    """A listener that can be told a voice."""

    sampling_rate = 16_000

    def adapted(self, waveform: np.ndarray) -> str:
        return f"heard {len(waveform)} samples"


def test_a_voice_is_heard_for_a_visit_and_forgotten():
    everybody = Adapting()
    voices = Voices(everybody)
    assert voices.tell("ann", np.zeros(160_000)) == 10
    assert voices.listener("ann") == "heard 160000 samples"
    assert voices.listener("ben") is everybody
    voices.forget("ann")
    voices.forget("ben")
    assert voices.listener("ann") is everybody
    with pytest.raises(ValueError, match="lasts 2.0 s. Speak for 5 s or more"):
        voices.tell("ann", np.zeros(32_000))


def test_only_so_many_voices_are_kept(monkeypatch):
    monkeypatch.setattr(visitors, "MOST_VOICES", 2)
    voices = Voices(Adapting())
    for name in ("ann", "ben", "eve"):
        voices.tell(name, np.zeros(160_000))
    assert list(voices.told) == ["ben", "eve"]
