"""Where a dataset may lie and in which formats, how it falls into parts, and what tells it from another."""

import io
import json
import shutil
import tarfile
import uuid

import fsspec
import pytest

from modeling.annotation.columns import recordings
from modeling.annotation.source import open_source
from tests.modeling.annotated import clip, write_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same three clips as a folder of recordings, as WebDataset, as JSON lines and CSV with paths, and two files of Parquet."""
    root = tmp_path_factory.mktemp("sources")
    (root / "recordings").mkdir()
    lines = []
    with tarfile.open(root / "clips.tar", "w") as archive:
        for number in range(3):
            path = root / "recordings" / f"{number}.flac"
            path.write_bytes(clip(number))
            lines.append(json.dumps({"file": str(path), "id": number}))
            for suffix, content in (("flac", clip(number)), ("json", json.dumps({"id": number}).encode())):
                member = tarfile.TarInfo(f"{number}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    (root / "clips.jsonl").write_text("\n".join(lines))
    (root / "clips.csv").write_text("file\n" + "".join(f"{json.loads(line)['file']}\n" for line in lines))
    write_dataset(root / "parquet", train=[range(2), range(2, 3)], test=[range(3, 4)])
    return root


def heard(source) -> list[bytes]:
    """The content of every recording of the first split, in order."""
    split = next(iter(source.splits))
    found = []
    for part in range(source.n_parts(split)):
        for rows in source.read(split, part, 0):
            for row in recordings(rows, source.audio_column):
                found.append(row["bytes"] or fsspec.open(row["path"]).open().read())
    return found


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("recordings", "audio"),
        ("recordings/*.flac", "audio"),
        ("clips.tar", "flac"),
        ("clips.jsonl", "file"),
        ("clips.csv", "file"),
        ("parquet", "audio"),
        ("parquet/data/train-*.parquet", "audio"),
    ],
)
@pytest.mark.parametrize("at_url", [False, True])
def test_formats_on_disk_and_at_a_url(folder, name, column, at_url):
    if at_url:
        store = f"/{uuid.uuid4().hex}"
        fsspec.filesystem("memory").put(str(folder), store, recursive=True)
    address = f"memory:/{store}/{name}" if at_url else str(folder / name)
    source = open_source(address, audio_column=column if column == "file" else None)
    assert source.audio_column == column and next(iter(source.splits)) == "train"
    assert heard(source) == [clip(number) for number in range(3)]


def test_parts_and_rows_from_one_on(folder):
    source = open_source(str(folder / "parquet"))
    assert source.parts() == [("train", 0), ("train", 1), ("test", 0)]
    assert [rows["id"].to_pylist() for rows in source.read("train", 0, 1)] == [[1]]
    assert open_source(str(folder / "parquet"), splits=["test"]).parts() == [("test", 0)]


def test_files_of_the_same_names_and_sizes_are_the_same_source(folder, tmp_path):
    known = open_source(str(folder / "recordings")).files
    copied = shutil.copytree(folder / "recordings", tmp_path / "copied")
    assert open_source(str(copied)).files == known
    content = bytearray(clip(1))
    content[30] ^= 1
    (copied / "1.flac").write_bytes(content)
    assert open_source(str(copied)).files != known


@pytest.mark.parametrize(
    ("name", "options", "fact"),
    [
        ("nowhere/at/all", {}, "there is no file or folder nowhere/at/all"),
        ("*.parquet", {}, "cannot be opened as a dataset"),
        ("clips.tar", {"config": "big"}, "leave --config out"),
        ("clips.jsonl", {}, "has 0 columns of audio: choose by --audio-column one of file, id"),
        ("clips.jsonl", {"audio_column": "id"}, "not audio"),
    ],
)
def test_what_is_no_dataset(folder, monkeypatch, name, options, fact):
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError) as refused:
        open_source(name, **options)
    assert fact in str(refused.value)
