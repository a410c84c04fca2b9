"""A model's folder, saved by processes that are killed, that are many, or that find the disk full."""

import json
import random
import signal
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from data_scripts.terminal import command as one_line
from modeling.training.model_folder import save_model
from tests.campaign.world import Child, Work, World, fill, kind, lasts, names, small_disk
from tests.tiny_model import evaluation_of, tiny_network


def save(folder: Path, seed: int) -> Work:
    return lambda: save_model(folder, tiny_network(seed), evaluation_of(seed), [], {"license": "mit"})


def check_model(folder: Path, seeds: set[int]) -> None:
    """A model is whole where its figures, its card and its weights are of one save."""
    seed = json.loads((folder / "evaluation.json").read_text())["seed"]
    assert seed in seeds, (seed, seeds)
    weights = load_file(folder / "model.safetensors")
    for name, values in tiny_network(seed).state_dict().items():
        assert torch.equal(weights[name], values), name
    for name in ("README.md", "config.json", "confusion.png", "modeling_mel_cnn.py", "preprocessor_config.json"):
        assert (folder / name).stat().st_size, name


@kind
def killed_saves(world: World, rng: random.Random, folder: Path) -> None:
    model = folder / "model"
    duration = lasts(world, "save", save(world.folder / "saved", 1), folder)
    save(model, 0)()
    child = Child(save(model, 1), folder / "1.txt")
    time.sleep(rng.uniform(0, 1.2 * duration))
    child.send(signal.SIGKILL)
    child.wait(0, -signal.SIGKILL)
    check_model(model, {0, 1})
    Child(save(model, 2), folder / "2.txt").wait(0)
    check_model(model, {2})
    assert names(folder) == {"model"}, names(folder)


@kind
def saves_at_once(world: World, rng: random.Random, folder: Path) -> None:
    model = folder / "model"
    duration = lasts(world, "save", save(world.folder / "saved", 1), folder)
    save(model, 0)()
    children = [
        Child(save(model, number), folder / f"{number}.txt") for number in range(1, rng.choice((3, 4, 5, 6, 7, 13)))
    ]
    killed = [child for child in children if rng.random() < 0.2]
    for child in killed:
        time.sleep(rng.uniform(0, duration / 4))
        child.send(signal.SIGKILL)
    for child in children:
        child.wait(0, *([-signal.SIGKILL] if child in killed else []))
    check_model(model, set(range(len(children) + 1)))
    Child(save(model, 99), folder / "99.txt").wait(0)
    check_model(model, {99})
    assert names(folder) == {"model"}, names(folder)


@kind
def starved_saves(world: World, rng: random.Random, folder: Path) -> None:
    with small_disk(folder / "disk", 2**22) as disk:
        save(disk / "model", 0)()
        if rng.random() < 0.5:  # as a former version left it, killed between its two renames
            (disk / "model").rename(disk / ".model.replaced")
        ballast = fill(disk, rng.randrange(200_000))

        def work() -> None:
            with one_line():
                save(disk / "model", 1)()

        child = Child(work, folder / "1.txt")
        status = child.wait(0, 1)
        assert status == 0 or "the disk is full" in child.said, child.said
        check_model(disk / "model", {1 - status})
        ballast.unlink()
        Child(save(disk / "model", 2), folder / "2.txt").wait(0)
        check_model(disk / "model", {2})
        assert names(disk) == {"model"}, names(disk)
