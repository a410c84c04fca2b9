"""Folders that appear whole, killed at every step and at random moments."""

import random
import signal
import time

import pytest

from data_scripts.staging import claim
from tests.data_scripts.writers import read, write, write_in_process


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
