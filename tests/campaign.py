"""A long campaign against everything that writes: kills, races, interruptions, full disks, lying servers; with a count.

    uv run -m tests.campaign                                   # 200 events, the kinds in turn
    uv run -m tests.campaign --events 1000 --seed 7            # others
    uv run -m tests.campaign --kinds saves_at_once killed_saves

Every event ends with a look at what is left: the old or the new, whole; nothing beside it after the next run; no traceback on
the way. What does not hold is printed with its seed, by which it comes again as far as the clock allows, and makes the exit
status 1. Events run in forks of one process, which has loaded the libraries once. Full disks are real, and need root's rights.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from tqdm import tqdm

import train
from data_scripts import build, download
from data_scripts.fetch import ResumingDownloader
from data_scripts.terminal import command as one_line
from data_scripts.terminal import end_quietly_while_loading
from modeling import predict
from modeling.training.model_folder import save_model
from tests.miniature_corpora import write_corpora, write_more_corpora
from tests.publishers import GITLAB, LFS, LISTING, serving
from tests.tiny_model import evaluation_of, tiny_network, train_command, write_model

KINDS: dict[str, Callable[["World", random.Random, Path], None]] = {}


def kind(event: Callable) -> Callable:
    KINDS[event.__name__] = event
    return event


class World:
    """What the events share: corpora, a dataset, models, and how long things take without a disturbance."""

    def __init__(self, folder: Path):
        self.raw = write_corpora(folder / "raw") | write_more_corpora(folder / "raw")
        self.corpora = {name: self.raw[name] for name in ("ravdess", "tess", "crema_d")}
        self.dataset = build.build(self.corpora, folder / "corpus", allow_partial=True, report=lambda line: None)
        self.model = write_model(folder / "model")
        self.clips = folder / "clips"
        self.clips.mkdir()
        for number in range(30):
            noise = np.random.default_rng(number).normal(0, 0.1, 4_000)
            soundfile.write(self.clips / f"{number:02d}.wav", noise, 16_000)
        self.durations: dict[str, float] = {}

    def duration(self, name: str, work: Callable[[], None], folder: Path) -> float:
        if name not in self.durations:
            start = time.monotonic()
            Child(work, folder / f"measured-{name}.txt").wait(0)
            self.durations[name] = time.monotonic() - start
        return self.durations[name]


class Child:
    """Work in a fork, its output in a file."""

    def __init__(self, work: Callable[[], None], output: Path):
        self.output = output
        output.touch()  # a kill may come before the fork has opened it
        self.pid = os.fork()
        if self.pid == 0:
            self._run(work)

    def _run(self, work: Callable[[], None]) -> None:
        status = 0
        os.setpgid(0, 0)
        end_quietly_while_loading()
        descriptor = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        try:
            work()
        except SystemExit as end:
            status = 0 if end.code in (0, None) else 1
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:  # noqa: BLE001
            status = 99
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    def send(self, number: int) -> None:
        """Ctrl-C reaches a command's workers as well, a kill does not."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number) if number == signal.SIGINT else os.kill(self.pid, number)

    def wait(self, *expected: int) -> int:
        """The exit status, or the signal as a negative number; one that is not expected, or a traceback, is a finding."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        said = self.output.read_text(errors="replace")
        assert "Traceback" not in said, said
        assert status in (*expected, 130), f"status {status}:\n{said}"
        return status


def digest(folder: Path) -> str:
    """Of all that a folder shows."""
    content = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return content.hexdigest()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".txt")}


def command(main: Callable[[], None], *arguments: str | Path, where: Path | None = None) -> Callable[[], None]:
    def work() -> None:
        os.chdir(where or Path.cwd())
        sys.argv = ["command", *map(str, arguments)]
        main()

    return work


@contextmanager
def small_disk(folder: Path, n_bytes: int):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


# Saves


def save(folder: Path, seed: int) -> Callable[[], None]:
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
    save(model, 0)()
    duration = world.duration("save", save(folder / "other", 1), folder)
    child = Child(save(model, 1), folder / "1.txt")
    time.sleep(rng.uniform(0, 1.2 * duration))
    child.send(signal.SIGKILL)
    child.wait(0, -signal.SIGKILL)
    check_model(model, {0, 1})
    Child(save(model, 2), folder / "2.txt").wait(0)
    check_model(model, {2})
    assert names(folder) <= {"model", "other"}, names(folder)


@kind
def saves_at_once(world: World, rng: random.Random, folder: Path) -> None:
    model = folder / "model"
    save(model, 0)()
    duration = world.duration("save", save(folder / "other", 1), folder)
    children = [Child(save(model, number), folder / f"{number}.txt") for number in range(1, rng.randint(3, 7))]
    killed = [child for child in children if rng.random() < 0.2]
    for child in killed:
        time.sleep(rng.uniform(0, duration / 4))
        child.send(signal.SIGKILL)
    for child in children:
        child.wait(0, *([-signal.SIGKILL] if child in killed else []))
    check_model(model, set(range(len(children) + 1)))
    Child(save(model, 99), folder / "99.txt").wait(0)
    assert names(folder) <= {"model", "other"}, names(folder)


@kind
def full_disks(world: World, rng: random.Random, folder: Path) -> None:
    with small_disk(folder / "disk", 2**22) as disk:
        save(disk / "model", 0)()
        if rng.random() < 0.5:  # as a former version left it, killed between its two renames
            (disk / "model").rename(disk / ".model.replaced")
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
        (disk / "ballast").write_bytes(bytes(free - min(free, rng.randrange(200_000))))

        def work() -> None:
            with one_line():
                save(disk / "model", 1)()

        status = Child(work, folder / "1.txt").wait(0, 1)
        check_model(disk / "model", {1 - status})
        (disk / "ballast").unlink()
        Child(save(disk / "model", 2), folder / "2.txt").wait(0)
        check_model(disk / "model", {2})
        assert names(disk) == {"model"}, names(disk)


# Builds and downloads


@kind
def disturbed_builds(world: World, rng: random.Random, folder: Path) -> None:
    output = folder / "corpus"
    options = [f"--{name.replace('_', '-')}={path}" for name, path in world.corpora.items()]
    work = command(build.main, *options, "--allow-partial", "--output", output)
    duration = world.duration(
        "build", command(build.main, *options, "--allow-partial", "--output", folder / "x"), folder
    )
    if rng.random() < 0.7:
        build.build({"tess": world.corpora["tess"]}, output, allow_partial=True, report=lambda line: None)
    before = {digest(world.dataset), *([digest(output)] if output.exists() else ["nothing"])}
    children = [Child(work, folder / f"{number}.txt") for number in range(rng.choice((1, 1, 2)))]
    number = rng.choice((signal.SIGKILL, signal.SIGINT))
    time.sleep(rng.uniform(0, 1.2 * duration))
    children[0].send(number)
    for child in children:
        child.wait(0, 1, -number)
    assert (digest(output) if output.exists() else "nothing") in before
    Child(work, folder / "last.txt").wait(0)
    assert digest(output) == digest(world.dataset)
    assert names(folder) <= {"corpus", "x"}, names(folder)


@kind
def lying_servers(world: World, rng: random.Random, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, serving(world.raw, patch) as publishers:
        patch.setattr(ResumingDownloader, "attempts", 2)
        corpus = rng.choice(("ravdess", "tess", "crema_d"))
        good = dict(publishers.files)
        victims = [
            path for path in good if rng.random() < 0.5 or path in (LISTING, f"{GITLAB}/archive.zip?path=AudioWAV")
        ]
        for path in victims:
            publishers.files[path] = lie(good[path], rng)
        publishers.answers[LFS] = lambda request: request.answer(200, lie(b'{"objects": [{"oid": "a"}]}', rng))
        publishers.ranges, publishers.versioned, publishers.sized = (rng.random() < 0.7 for _ in range(3))
        options = ["--corpora", corpus, "--output", folder / "raw", "--mirror", publishers.address]
        work = command(lambda: download.main(sys.argv[1:]), *options)
        for number in range(rng.randint(1, 2)):
            child = Child(work, folder / f"{number}.txt")
            if rng.random() < 0.3:
                time.sleep(rng.uniform(0, 0.5))
                child.send(rng.choice((signal.SIGKILL, signal.SIGINT)))
            if child.wait(0, 1, -signal.SIGKILL, -signal.SIGINT) == 1:
                said = child.output.read_text()
                assert "cannot be written" not in said and "disk is full" not in said, said
        publishers.files, publishers.answers = good, {}
        publishers.ranges = publishers.versioned = publishers.sized = True
        Child(work, folder / "last.txt").wait(0)
        found = {path.name: path.read_bytes() for path in (folder / "raw" / corpus).rglob("*.wav")}
        assert found == publishers.recordings[corpus]
        assert names(folder / "raw") == {corpus}, names(folder / "raw")


def lie(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return rng.choice(
        (
            content[:start],
            content[:start] + rng.randbytes(8) + content[start + 8 :],
            content[:start] + content[start + rng.randrange(1, 9) :],
            rng.choice((b"", b"null", b"[]", b'{"data": []}', b"[" * 9_999, b"<html>", b"PK\x05\x06" + bytes(18))),
        )
    )


# Answers and trainings


@kind
def disturbed_answers(world: World, rng: random.Random, folder: Path) -> None:
    name = rng.choice(("out.csv", "out.jsonl"))
    predict.TOGETHER = 3  # of 30 files: answers come by and by, from two processes

    def work_for(output: Path) -> Callable[[], None]:
        return command(lambda: predict.main(sys.argv[1:]), world.clips, "--model", world.model, "--output", output)

    duration = world.duration("predict", work_for(folder / "whole.csv"), folder)
    Child(work_for(folder / f"whole{Path(name).suffix}"), folder / "whole.txt").wait(0)
    for number in range(2):
        child = Child(work_for(folder / name), folder / f"{number}.txt")
        time.sleep(rng.uniform(0, 1.2 * duration))
        child.send(rng.choice((signal.SIGKILL, signal.SIGINT)))
        child.wait(0, 1, -signal.SIGKILL, -signal.SIGINT)
    Child(work_for(folder / name), folder / "last.txt").wait(0)
    assert (folder / name).read_bytes() == (folder / f"whole{Path(name).suffix}").read_bytes()
    assert names(folder) <= {name, "whole.csv", "whole.jsonl"}, names(folder)


@kind
def disturbed_trainings(world: World, rng: random.Random, folder: Path) -> None:
    def work(*more: str) -> Callable[[], None]:
        options = ("--dataset_name", world.dataset, "--seed", "3", "--use_cpu", *more)
        return command(train.main, *train_command(*options, epochs=3), where=folder)

    straight = world.dataset.with_name("straight")
    if not straight.exists():
        start = time.monotonic()
        straight.mkdir()
        options = train_command("--dataset_name", world.dataset, "--seed", "3", "--use_cpu", epochs=3)
        Child(command(train.main, *options, where=straight), folder / "straight.txt").wait(0)
        world.durations["train"] = time.monotonic() - start
    resume = ("--resume_from_checkpoint", "True")
    children = [Child(work(), folder / f"{number}.txt") for number in range(rng.choice((1, 1, 2)))]
    time.sleep(rng.uniform(0, world.durations["train"]))
    number = rng.choice((signal.SIGKILL, signal.SIGINT))
    children[0].send(number)
    for child in children:
        child.wait(0, 1, -number)
    Child(work(*resume), folder / "last.txt").wait(0)
    expected = load_file(straight / "build/model/model.safetensors")
    found = load_file(folder / "build/model/model.safetensors")
    assert all(torch.equal(found[name], values) for name, values in expected.items()), "other weights"
    assert names(folder / "build") <= {"model", "run"}, names(folder / "build")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=60.0, help="no event begins later; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    held, tried, found = Counter(), Counter(), []
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        world = World(Path(temporary))
        for number in tqdm(range(options.events), unit="event"):
            if time.monotonic() - start > 60 * options.minutes:
                break
            name = options.kinds[number % len(options.kinds)]
            tried[name] += 1
            seed = f"{options.seed}-{number}"
            folder = Path(temporary, "events", seed)
            folder.mkdir(parents=True)
            try:
                KINDS[name](world, random.Random(seed), folder)
                held[name] += 1
            except (AssertionError, OSError, ValueError) as error:
                found.append(f"{name}, seed {seed}: {error}")
                tqdm.write(found[-1])
    for name, n_events in tried.items():
        print(f"{name.replace('_', ' ')}: {held[name]} of {n_events} held")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
