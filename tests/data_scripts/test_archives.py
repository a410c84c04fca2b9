"""Unpacking what nobody vouches for: whatever is wrong with an archive is the archive's fault, and not the disk's."""

import random
import stat
import zipfile

import numpy as np
import pytest

from data_scripts import fetch
from data_scripts.archives import unpack
from data_scripts.fetch import DiskError, DownloadError

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


@pytest.mark.parametrize("name", ["../evil.wav", "/etc/evil.wav", "a/../../evil.wav", "..\\evil.wav", "C:/evil.wav"])
def test_members_stay_inside(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("good.wav", b"good")
        archive.writestr(name, b"evil")
    with pytest.raises(DownloadError, match="leaves its folder"):
        unpack(folder / "a.zip", folder / "a")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.zip"]


def test_members_that_are_links(tmp_path):
    member = zipfile.ZipInfo("link.wav")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(DownloadError, match=r"link.wav"):
        unpack(tmp_path / "a.zip", tmp_path / "a")


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.wav", bytes(10_000_000))
    monkeypatch.setattr(fetch, "SIZE_LIMIT", 1_000_000)
    with pytest.raises(DownloadError, match="10,000,000"):
        unpack(tmp_path / "a.zip", tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "not a zip"])
def test_a_damaged_archive(tmp_path, damage):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("first.wav", CONTENT)
        archive.writestr("second.wav", OTHER)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[400_000] ^= 255
    damaged = {"cut": bytes(content[:400_000]), "flipped": bytes(content), "not a zip": b"{}"}[damage]
    (tmp_path / "a.zip").write_bytes(damaged)
    with pytest.raises(DownloadError, match="not a whole zip archive") as error:
        unpack(tmp_path / "a.zip", tmp_path / "a")
    assert not isinstance(error.value, DiskError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    "names", [["."], ["./"], ["x" * 300], ["d/" + "ü" * 200], ["x", "x/y"], ["x/y", "x"], ["x", "x"]]
)
def test_members_that_no_disk_takes(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"content")
    with pytest.raises(DownloadError, match="has the member") as error:
        unpack(tmp_path / "a.zip", tmp_path / "a")
    assert not isinstance(error.value, DiskError) and [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("method", METHODS)
def test_poison_at_random_places(tmp_path, method):
    """Of 60 damaged archives each is refused as one, or turns out whole: the damage has met what nobody reads."""
    rng = random.Random(method)
    contents = {"a/first.wav": CONTENT[:3_000], "a/second.wav": bytes(3_000), "third.wav": OTHER[:100]}
    with zipfile.ZipFile(tmp_path / "good.zip", "w", METHODS[method]) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    good, refused = (tmp_path / "good.zip").read_bytes(), 0
    for number in range(60):
        poisoned = bytearray(good)
        for _ in range(rng.choice((1, 1, 2, 20))):
            start = rng.choice((rng.randrange(len(good)), len(good) - rng.randrange(1, 300)))
            poisoned[start : start + rng.choice((1, 4))] = rng.randbytes(rng.choice((0, 1, 4)))
        archive, folder = tmp_path / f"{number}.zip", tmp_path / str(number)
        archive.write_bytes(poisoned)
        try:
            unpack(archive, folder)
        except DownloadError as error:
            assert not isinstance(error, DiskError), error
            assert not folder.exists()
            refused += 1
        else:
            assert all(path.read_bytes() in contents.values() for path in folder.rglob("*") if path.is_file())
    assert refused > 20


def test_a_full_disk_is_the_disks(tiny_disk):
    with zipfile.ZipFile(tiny_disk / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.wav", bytes(300_000))
        archive.writestr("last.wav", CONTENT)
    with pytest.raises(DiskError, match="disk is full"):
        unpack(tiny_disk / "a.zip", tiny_disk / "a")
    assert [path.name for path in tiny_disk.iterdir()] == ["a.zip"]
