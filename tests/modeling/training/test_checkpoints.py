"""Which checkpoint a run goes on from: the latest that is whole, and not the latest."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modeling.training.checkpoints import checkpoints, newest_whole, problem_of

FILES = (
    "model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "training_args.bin",
    "trainer_state.json",
)


def write_checkpoint(folder: Path) -> Path:
    """The files that `Trainer` leaves."""
    folder.mkdir(parents=True)
    save_file({"weight": torch.arange(5_000.0)}, folder / "model.safetensors")
    for name in FILES[1:5]:
        torch.save({"state": torch.arange(1_000.0), "step": 3}, folder / name)
    (folder / "config.json").write_text("{}")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 3}))
    return folder


@pytest.fixture
def run(tmp_path) -> Path:
    for step in (7, 14, 105):
        write_checkpoint(tmp_path / f"checkpoint-{step}")
    (tmp_path / "checkpoint-best").mkdir()
    return tmp_path


def test_the_latest_by_its_number(run):
    assert [path.name for path in checkpoints(run)] == ["checkpoint-105", "checkpoint-14", "checkpoint-7"]
    assert newest_whole(run) == run / "checkpoint-105"
    assert newest_whole(run / "absent") is None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_one_that_a_kill_cut_off_is_said_and_passed_over(run, name, share):
    file = run / "checkpoint-105" / name
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    said = []
    assert newest_whole(run, said.append) == run / "checkpoint-14"
    assert len(said) == 1 and f"checkpoint-105 is passed over: {name} is damaged" in said[0]


@pytest.mark.parametrize(
    "name", ["trainer_state.json", "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"]
)
def test_one_that_lacks_a_file_is_passed_over(run, name):
    (run / "checkpoint-105" / name).unlink()
    assert problem_of(run / "checkpoint-105") == f"it lacks {name}"
    assert newest_whole(run, lambda line: None) == run / "checkpoint-14"


def test_none_that_is_whole(run):
    for path in checkpoints(run):
        (path / "trainer_state.json").unlink()
    said = []
    assert newest_whole(run, said.append) is None and len(said) == 3
