"""Every command that writes, killed and interrupted, many at once, and on a full disk: run again, it comes to the same."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import huggingface_hub.constants
import torch
from safetensors.torch import load_file

import train
from data_scripts import build
from data_scripts import publish as corpus_publishing
from modeling import annotate, predict
from modeling import publish as model_publishing
from space import publish as space_publishing
from tests.campaign.world import (
    KINDS,
    SIGNALS,
    Child,
    Work,
    World,
    command,
    digest,
    endings,
    fill,
    kind,
    lasts,
    names,
    small_disk,
)
from tests.loopback_hub import LoopbackHub
from tests.tiny_model import train_command

DISK = 2**24  # bytes
predict.TOGETHER = 3  # of 30 files: answers come by and by, from two processes


@dataclass
class Command:
    """A command that leaves its result in the folder where it is run.

    Attributes:
        work: that runs it in a folder.
        results: names of what it leaves there.
        same: whether what is in two folders is the same result.
    """

    work: Callable[[World, Path], Work]
    results: set[str]
    same: Callable[[Path, Path], bool] = lambda one, other: digest_of_results(one) == digest_of_results(other)


def digest_of_results(folder: Path) -> list[str]:
    shown = (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.suffix != ".txt")
    return [path.name + (digest(path) if path.is_dir() else str(path.read_bytes())) for path in shown]


def same_weights(one: Path, other: Path) -> bool:
    weights, others = (load_file(folder / "build/model/model.safetensors") for folder in (one, other))
    return all(torch.equal(others[name], values) for name, values in weights.items())


def build_corpus(world: World, folder: Path) -> Work:
    folders = [f"--{name.replace('_', '-')}={path}" for name, path in world.corpora.items()]
    return command(build.main, *folders, "--allow-partial", "--output", "corpus", where=folder)


def answer(name: str, world: World, folder: Path) -> Work:
    arguments = (world.clips, "--model", world.model, "--output", name)
    return command(lambda: predict.main(sys.argv[1:]), *arguments, where=folder)


def embed(world: World, folder: Path) -> Work:
    arguments = (world.clips, "--model", world.model, "--output", "answers.csv", "--embeddings", "embeddings.parquet")
    return command(lambda: predict.main(sys.argv[1:]), *arguments, where=folder)


def annotate_rows(world: World, folder: Path) -> Work:
    options = ("--model", world.model, "--rows-per-shard", "4", "--workers", "1", "--output", "emotions")
    return command(lambda: annotate.main(sys.argv[1:]), world.rows, *options, where=folder)


def train_model(world: World, folder: Path) -> Work:
    options = ("--dataset_name", world.dataset, "--seed", "3", "--use_cpu", "--resume_from_checkpoint", "True")
    return command(train.main, *train_command(*options, epochs=3), where=folder)


def evaluate_model(world: World, folder: Path) -> Work:
    options = ("--dataset_name", world.dataset, "--do_train", "False", "--model_name_or_path", world.model, "--use_cpu")
    return command(train.main, *train_command(*options, "--evaluation_dir", "figures", epochs=1), where=folder)


COMMANDS = {
    "builds": Command(build_corpus, {"corpus"}),
    "answers_in_csv": Command(partial(answer, "answers.csv"), {"answers.csv"}),
    "answers_in_json": Command(partial(answer, "answers.jsonl"), {"answers.jsonl"}),
    "embeddings": Command(embed, {"answers.csv", "embeddings.parquet"}),
    "annotations": Command(annotate_rows, {"emotions"}),
    "trainings": Command(train_model, {"build"}, same_weights),
    "evaluations": Command(evaluate_model, {"figures"}),
}


def reference(world: World, name: str) -> Path:
    """The folder of an undisturbed run."""
    folder = world.folder / f"undisturbed-{name}"
    if not folder.exists():
        folder.mkdir()
        lasts(world, name, COMMANDS[name].work(world, folder), folder)
    return folder


def check(world: World, name: str, folder: Path) -> None:
    """The command once more, undisturbed: the result is the same, and nothing else is left."""
    Child(COMMANDS[name].work(world, folder), reference(world, name) / "last.txt").wait(0)
    assert COMMANDS[name].same(reference(world, name), folder), "another result"
    hidden = {path.relative_to(folder).as_posix() for path in folder.rglob(".*")}
    assert names(folder) == COMMANDS[name].results and not hidden, (names(folder), hidden)


def disturbed(name: str, world: World, rng: random.Random, folder: Path) -> None:
    """Cut short up to three times."""
    reference(world, name)
    for number in range(rng.randint(1, 3)):
        child = Child(COMMANDS[name].work(world, folder), folder / f"{number}.txt")
        time.sleep(rng.uniform(0, 1.2 * world.durations[name]))
        child.send(rng.choice(SIGNALS))
        endings([child], [child])
    check(world, name, folder)


def at_once(name: str, world: World, rng: random.Random, folder: Path) -> None:
    """Two or twelve, some of which are killed."""
    reference(world, name)
    n_children = rng.choice((2, 2, 3, 12))
    children = [Child(COMMANDS[name].work(world, folder), folder / f"{number}.txt") for number in range(n_children)]
    killed = [child for child in children if rng.random() < 0.3]
    for child in killed:
        time.sleep(rng.uniform(0, world.durations[name] / 2))
        child.send(signal.SIGKILL)
    endings(children, killed)
    check(world, name, folder)


def starved(name: str, world: World, rng: random.Random, folder: Path) -> None:
    """On a disk that has not enough room, and then has."""
    size = sum(path.stat().st_size for path in reference(world, name).rglob("*") if path.is_file())
    with small_disk(folder / "disk", DISK) as disk:
        if rng.random() < 0.5:  # something stands there already
            Child(COMMANDS[name].work(world, disk), folder / "before.txt").wait(0)
        ballast = fill(disk, rng.randrange(round(1.5 * size)))
        child = Child(COMMANDS[name].work(world, disk), folder / "starved.txt")
        endings([child], [])
        ballast.unlink()
        check(world, name, disk)


for disturbance in (disturbed, at_once, starved):
    for name in COMMANDS:
        KINDS[f"{disturbance.__name__}_{name}"] = partial(disturbance, name)


# What the Hub is given


@kind
def disturbed_publishing(world: World, rng: random.Random, folder: Path) -> None:
    """Corpus, part of a corpus, model and Space: the repository is whole in the end, and no temporary file stays."""
    with LoopbackHub() as hub:

        def publish(main: Callable, *arguments: str | Path) -> Work:
            def as_alice() -> None:
                huggingface_hub.constants.ENDPOINT = hub.endpoint
                huggingface_hub.constants.HF_HUB_DISABLE_XET = True
                huggingface_hub.constants.HF_HUB_OFFLINE = False
                os.environ["HF_TOKEN"] = "hf_write"
                main(sys.argv[1:])

            return command(as_alice, *arguments, where=folder)

        model = publish(model_publishing.main, world.model, "--repo-id", "alice/model")
        works = {
            "corpus": publish(corpus_publishing.main, world.dataset, "--repo-id", "alice/corpus"),
            "part": publish(
                corpus_publishing.main, world.dataset, "--repo-id", "alice/part", "--corpora", "ravdess", "tess"
            ),
            "model": model,
            "space": publish(space_publishing.main, "--repo-id", "alice/space", "--model", "alice/model"),
        }
        Child(model, folder / "model.txt").wait(0)
        name = rng.choice(list(works))
        duration = lasts(world, f"publish-{name}", works[name], folder)
        hub.repositories = {of: repository for of, repository in hub.repositories.items() if of[1] == "alice/model"}
        for number in range(rng.randint(1, 3)):
            child = Child(works[name], folder / f"{number}.txt")
            time.sleep(rng.uniform(0, 1.2 * duration))
            child.send(rng.choice(SIGNALS))
            endings([child], [child])
        Child(works[name], folder / "last.txt").wait(0)
        (repository,) = (stored for of, stored in hub.repositories.items() if of[1] == f"alice/{name}")
        published = repository.branches["main"][-1].files
        assert "README.md" in published and len(published) > 4, list(published)
        assert names(folder) == set(), names(folder)
        left = [path.name for path in world.folder.iterdir() if "to-publish" in path.name]
        assert not left, left
