"""Downloads from servers that lie, cut off, change and poison, with kills in between."""

import random
import sys
import time
from pathlib import Path

import pytest

from data_scripts import download
from data_scripts.fetch import ResumingDownloader
from tests.campaign.world import SIGNALS, Child, Work, World, command, endings, fill, kind, lasts, names, small_disk
from tests.publishers import GITLAB, LFS, LISTING, serving


@kind
def lying_servers(world: World, rng: random.Random, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, serving(world.raw, patch) as publishers:
        patch.setattr(ResumingDownloader, "attempts", 2)
        corpus = rng.choice(("ravdess", "tess", "crema_d", "nemo", "emospeech"))
        good = dict(publishers.files)
        victims = [
            path for path in good if rng.random() < 0.5 or path in (LISTING, f"{GITLAB}/archive.zip?path=AudioWAV")
        ]
        for path in victims:
            publishers.files[path] = lie(good[path], rng)
        publishers.answers[LFS] = lambda request: request.answer(200, lie(b'{"objects": [{"oid": "a"}]}', rng))
        publishers.ranges, publishers.versioned, publishers.sized = (rng.random() < 0.7 for _ in range(3))
        options = ["--corpora", corpus, "--output", folder / "raw", "--mirror", publishers.address]
        work = command(lambda: download.main(sys.argv[1:]), *options, where=folder)
        for number in range(rng.randint(1, 2)):
            child = Child(work, folder / f"{number}.txt")
            if rng.random() < 0.3:
                time.sleep(rng.uniform(0, 0.5))
                child.send(rng.choice(SIGNALS))
            if child.wait(0, 1, *(-number for number in SIGNALS)) == 1:
                assert "cannot be written" not in child.said and "disk is full" not in child.said, child.said
        publishers.files, publishers.answers = good, {}
        publishers.ranges = publishers.versioned = publishers.sized = True
        Child(work, folder / "last.txt").wait(0)
        found = {path.name: path.read_bytes() for path in (folder / "raw" / corpus).rglob("*.wav")}
        assert found == publishers.recordings[corpus]
        assert names(folder / "raw") == {corpus}, names(folder / "raw")


@kind
def disturbed_downloads(world: World, rng: random.Random, folder: Path) -> None:
    """From an honest server, one or two at once, cut short."""
    fetch_disturbed(world, rng, folder, folder / "raw", None)


@kind
def starved_downloads(world: World, rng: random.Random, folder: Path) -> None:
    """The same onto a disk that has not enough room, and then has."""
    with small_disk(folder / "disk", 2**23) as disk:
        fetch_disturbed(world, rng, folder, disk / "raw", fill(disk, rng.randrange(2**20)))


def fetch_disturbed(world: World, rng: random.Random, folder: Path, output: Path, ballast: Path | None) -> None:
    with pytest.MonkeyPatch.context() as patch, serving(world.raw, patch) as publishers:
        corpus = rng.choice(("ravdess", "tess", "crema_d", "nemo", "emospeech"))

        def work(output: Path) -> Work:
            options = ("--corpora", corpus, "--output", output, "--mirror", publishers.address)
            return command(lambda: download.main(sys.argv[1:]), *options, where=folder)

        duration = lasts(world, f"download-{corpus}", work(world.folder / "fetched"), folder)
        for number in range(rng.randint(1, 3)):
            children = [Child(work(output), folder / f"{number}-{twin}.txt") for twin in range(rng.choice((1, 1, 2)))]
            time.sleep(rng.uniform(0, 1.2 * duration))
            children[0].send(rng.choice(SIGNALS))
            endings(children, children[:1])
        if ballast:
            ballast.unlink()
        Child(work(output), folder / "last.txt").wait(0)
        found = {path.name: path.read_bytes() for path in (output / corpus).rglob("*.wav")}
        assert found == publishers.recordings[corpus]
        assert names(output) == {corpus}, names(output)


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
