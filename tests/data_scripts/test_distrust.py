"""What came from a server is distrusted and removed, what is the disk's is the disk's; a kill leaves nothing behind."""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from data_scripts import crema_d, download
from data_scripts.build import build
from data_scripts.fetch import DiskError, DownloadError
from data_scripts.staging import claim
from tests.publishers import GITLAB, LFS, LISTING

PROJECT = Path(__file__).parents[2]
ARCHIVE = f"{GITLAB}/archive.zip?path=AudioWAV"
DEMOGRAPHICS = f"{GITLAB}/files/VideoDemographics.csv/raw?ref=HEAD"
JSON = {"Content-Type": "application/json"}


def quiet(line: str) -> None:
    pass


def get(publishers, output: Path, corpus: str) -> Path:
    return download.download([corpus], output, publishers.address, quiet)[corpus]


def archive_of(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            member = zipfile.ZipInfo(name)
            member.compress_type = method
            archive.writestr(member, content)
    return buffer.getvalue()


def damaged(content: bytes) -> bytes:
    return content[:60] + bytes(20) + content[80:]


def poisons(good: bytes) -> dict[str, bytes]:
    pointer = b"version https://git-lfs.github.com/spec/v1\n"
    return {
        "a dot": archive_of((".", b"x")),
        "a long name": archive_of(("x" * 300, b"x")),
        "file and folder": archive_of(("x", b"x"), ("x/y", b"y")),
        "bzip2": damaged(archive_of(("a.wav", bytes(range(256)) * 40), method=zipfile.ZIP_BZIP2)),
        "lzma": damaged(archive_of(("a.wav", bytes(range(256)) * 40), method=zipfile.ZIP_LZMA)),
        "pointer cut off": archive_of(("a/1001_DFA_ANG_XX.wav", pointer + b"oid sha256:12")),
        "pointer of bytes": archive_of(("a/1001_DFA_ANG_XX.wav", pointer + b"\xff\xfe" * 999_999)),
        "pointer to nothing": archive_of(
            ("a/1001_DFA_ANG_XX.wav", pointer + b"oid sha256:" + b"0" * 64 + b"\nsize 1\n")
        ),
        "one clip more": good_with(good, "AudioWAV/1001_IEO_ANG_HI.flac"),
        "a table inside": good_with(good, "AudioWAV/VideoDemographics.csv"),
        "empty": archive_of(),
        "no zip": b"PK" + bytes(1_000),
    }


def good_with(good: bytes, name: str) -> bytes:
    buffer = io.BytesIO(good)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, b"ActorID,Age,Race,Ethnicity\n1001,99,Martian,Martian\n")
    return buffer.getvalue()


@pytest.mark.parametrize("poison", poisons(archive_of()))
def test_a_poisoned_archive_is_the_servers_fault_and_does_not_stay(publishers, tmp_path, poison):
    good = publishers.files[ARCHIVE]
    publishers.files[ARCHIVE] = poisons(good)[poison]
    publishers.answers[LFS] = lambda request: request.answer(
        200, {"objects": [found | {"error": {"code": 404, "message": "gone"}} for found in request.json()["objects"]]}
    )
    with pytest.raises(DownloadError) as error:
        get(publishers, tmp_path, "crema_d")
    assert not isinstance(error.value, DiskError) and "cannot be written" not in str(error.value)
    assert not list(tmp_path.rglob("*.zip")) and not (tmp_path / "crema_d").exists()
    publishers.files[ARCHIVE] = good
    get(publishers, tmp_path, "crema_d")
    assert [path.name for path in tmp_path.iterdir()] == ["crema_d"]


def test_poison_that_an_earlier_run_left_is_fetched_anew_in_the_same_run(publishers, tmp_path):
    """It was fetched by a run that did not live to look at it."""
    left = tmp_path / ".crema_d.download" / "fetched" / "AudioWAV.zip"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"no archive")
    said = []
    download.download(["crema_d"], tmp_path, publishers.address, said.append)
    assert any("fetched anew" in line for line in said) and [path.name for path in tmp_path.iterdir()] == ["crema_d"]


def listing_of(**file: object) -> bytes:
    return json.dumps({"data": {"latestVersion": {"files": [{"dataFile": file}]}}}).encode()


LISTINGS = [
    b"[]",
    b"null",
    b"3",
    b"\xff\xfe",
    b"{",
    b"[" * 100_000,
    b'{"data": 3}',
    b'{"data": {"latestVersion": {"files": 3}}}',
    b'{"data": {"latestVersion": {"files": [3]}}}',
    listing_of(filename=3, id=1, checksum={"type": 1, "value": 1}),
    listing_of(filename="a", id=1, checksum={"type": "CRC", "value": "1"}),
    listing_of(filename="a", id="1/../2", checksum={"type": "MD5", "value": "0" * 32}),
    listing_of(filename="../a", id=1, checksum={"type": "MD5", "value": "0" * 32}),
]


@pytest.mark.parametrize("listing", LISTINGS, ids=range(len(LISTINGS)))
def test_a_listing_that_is_none(publishers, tmp_path, listing):
    publishers.answers[LISTING] = lambda request: request.answer(200, listing, JSON)
    with pytest.raises(DownloadError, match="does not list|outside"):
        get(publishers, tmp_path, "tess")
    publishers.answers.clear()
    assert get(publishers, tmp_path, "tess").is_dir()


ANSWERS = [
    b"[]",
    b"null",
    b"{",
    b"[" * 100_000,
    b'{"objects": 3}',
    b'{"objects": [3]}',
    b'{"objects": []}',
    b'{"objects": [{"oid": ["a"], "error": {}}]}',
    b'{"objects": [{"oid": "a", "error": "gone"}]}',
    b'{"objects": [{"oid": "a", "actions": {"download": {"href": 3}}}]}',
    b'{"objects": [{"oid": "a", "actions": {"download": {"href": "file:///etc/passwd"}}}]}',
    b'{"objects": [{"oid": "a", "actions": {"download": {"href": "http://127.0.0.1:9/", "header": [1]}}}]}',
]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_about_objects_that_is_none(publishers, tmp_path, answer):
    good = publishers.files[ARCHIVE]
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"
    publishers.files[ARCHIVE] = archive_of(("a/1001_DFA_ANG_XX.wav", pointer.encode()))
    publishers.answers[LFS] = lambda request: request.answer(200, answer, JSON)
    with pytest.raises(DownloadError, match="does not"):
        get(publishers, tmp_path, "crema_d")
    publishers.files[ARCHIVE] = good
    for archive in tmp_path.rglob("*.zip"):  # it may have been the answer alone that was wrong
        archive.unlink()
    assert get(publishers, tmp_path, "crema_d").is_dir()


# Every file that the build reads


@pytest.mark.parametrize(
    "content", [b"", b"anything", b'"ActorID","Age","Race","Ethnicity"\n1001,99,"Martian","Martian"\n']
)
def test_a_table_that_is_not_the_published_one_is_not_taken(publishers, tmp_path, content):
    good = publishers.files[DEMOGRAPHICS]
    publishers.files[DEMOGRAPHICS] = content
    with pytest.raises(DownloadError, match="VideoDemographics.csv"):
        get(publishers, tmp_path, "crema_d")
    assert not (tmp_path / "crema_d").exists()
    publishers.files[DEMOGRAPHICS] = good
    get(publishers, tmp_path, "crema_d")


def test_tables_of_ones_own(publishers, published, tmp_path):
    """Other line endings are said, another content is refused, and taken only where a partial build is asked for."""
    folder, said = get(publishers, tmp_path, "crema_d"), []
    table = folder / crema_d.DEMOGRAPHICS
    original = table.read_bytes()
    table.unlink()  # it is linked to nothing, but who knows
    table.write_bytes(original.replace(b"\n", b"\r\n"))
    download.download(["crema_d"], tmp_path, publishers.address, said.append)
    assert any("other line endings" in line for line in said) and "complete" in said[-1]
    table.write_bytes(original.replace(b",51,", b",15,"))
    with pytest.raises(DownloadError, match=r"VideoDemographics.csv is not the published table .*left as it is"):
        download.download(["crema_d"], tmp_path, publishers.address, quiet)
    with pytest.raises(ValueError, match="CREMA-D: VideoDemographics.csv is not the published table"):
        build({"crema_d": folder}, tmp_path / "corpus", report=quiet)
    output = build({"crema_d": folder}, tmp_path / "corpus", allow_partial=True, report=quiet)
    assert "VideoDemographics.csv is not the published table" in (output / "README.md").read_text()
    table.unlink()
    with pytest.raises(DownloadError, match="VideoDemographics.csv of CREMA-D is not in"):
        download.download(["crema_d"], tmp_path, publishers.address, quiet)


def test_the_hashes_are_those_of_the_real_tables(real_corpora):
    for name, file in crema_d.SOURCE["files"].items():
        if not name.endswith(".zip"):
            content = (real_corpora / "crema_d" / name).read_bytes()
            assert file["known_hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"


# Two at once, and killed


def test_the_second_download_is_refused_before_it_asks_for_anything(publishers, tmp_path):
    with claim(tmp_path / "ravdess"):
        script = (
            "import sys; from pathlib import Path; from data_scripts.download import main\n"
            "main(['--corpora', 'tess', 'ravdess', '--output', sys.argv[1], '--mirror', sys.argv[2]])\n"
        )
        second = subprocess.run(
            [sys.executable, "-c", script, tmp_path, publishers.address],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 1 and f"ravdess is being written by process {os.getpid()} " in second.stderr
    assert len(second.stderr.splitlines()) == 1 and publishers.requests == []


def test_what_a_killed_run_left_beside_a_whole_corpus_is_cleared(publishers, tmp_path):
    get(publishers, tmp_path, "ravdess")
    (tmp_path / ".ravdess.download" / "fetched").mkdir(parents=True)
    said = []
    download.download(["ravdess"], tmp_path, publishers.address, said.append)
    assert [path.name for path in tmp_path.iterdir()] == ["ravdess"] and "cleared" in said[-1]
    (tmp_path / ".ravdess.lock").touch()  # the last that a run takes away
    get(publishers, tmp_path, "ravdess")
    assert [path.name for path in tmp_path.iterdir()] == ["ravdess"]


def test_killed_at_random_moments_it_goes_on_and_leaves_nothing(publishers, published, tmp_path):
    facts = {name: dict(file) for name, file in crema_d.SOURCE["files"].items()}
    script = (
        "import json, sys; from pathlib import Path\n"
        "from data_scripts import crema_d; from data_scripts.download import download\n"
        "crema_d.SOURCE.update(json.loads(sys.argv[3])); crema_d.EXPECTED['clips'] = int(sys.argv[4])\n"
        "print('ready', flush=True)\n"
        "download(['crema_d'], Path(sys.argv[1]), sys.argv[2], lambda line: None)\n"
    )
    source = {"files": facts, "fingerprint": crema_d.SOURCE["fingerprint"]}
    command = [sys.executable, "-c", script, tmp_path, publishers.address, json.dumps(source)]
    command += [str(crema_d.EXPECTED["clips"])]
    rng, killed = random.Random(25), 0
    for _ in range(6):
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.4) if killed else 0)  # a quick machine has it all before the first kill
        process.kill()
        killed += process.wait() != 0
        if (tmp_path / "crema_d").exists():
            break
    folder = get(publishers, tmp_path, "crema_d")
    assert {path.name for path in folder.rglob("*.wav")} == set(publishers.recordings["crema_d"])
    assert [path.name for path in tmp_path.iterdir()] == ["crema_d"] and killed
