import io
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import get_dataset_config_names, load_dataset
from huggingface_hub import DatasetCard

from data_scripts import build as build_module
from data_scripts.build import build
from data_scripts.source_files import SYNTHETIC_MARKER
from tests.miniature_corpora import write_clip, write_corpora

PROJECT = Path(__file__).parents[2]


def quiet(line: str) -> None:
    pass


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def raw(tmp_path) -> dict[str, Path]:
    return write_corpora(tmp_path / "raw")


# What it does with partial and with damaged input


def test_a_corpus_alone_whose_speakers_all_train(tmp_path):
    write_clip(tmp_path / "raw" / "1002_DFA_ANG_XX.wav")
    output = build({"crema_d": tmp_path / "raw"}, tmp_path / "corpus", allow_partial=True, report=quiet)
    for config in (None, "all", "crema_d"):
        dataset = load_dataset(str(output), config, cache_dir=str(tmp_path / "cache"))
        assert {split: len(part) for split, part in dataset.items()} == {"train": 1}
    assert sorted(get_dataset_config_names(str(output))) == ["all", "crema_d"]
    assert DatasetCard.load(output / "README.md").data.license == ["odbl"]


def test_missing_clips_and_speakers_are_an_error_in_numbers(raw, tmp_path):
    with pytest.raises(ValueError) as error:
        build(raw, tmp_path / "corpus", report=quiet)
    for fact in (
        "24 of 1,440 clips",
        "3 of 24 speakers",
        "14 of 2,800 clips",
        "18 of 7,441 clips",
        "3 of 91",
        "--allow-partial",
    ):
        assert fact in str(error.value)
    assert not (tmp_path / "corpus").exists()


def test_the_emotions_are_counted_where_no_speaker_is_missing(raw, tmp_path):
    lines = []
    build({"tess": raw["tess"]}, tmp_path / "corpus", allow_partial=True, report=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith(
        "TESS: 14 of 2,800 clips, 2 of 2 speakers (neutral 2 of 400, happy 2 of 400, sad 2 of 400, "
    )


@pytest.mark.parametrize(
    "name, message",
    [
        ("03-01-09-01-01-01-01.wav", "emotion code '09'"),
        ("03-01-05-01-01-01-25.wav", "actor code '25'"),
        ("OAF_back_angry.wav", "RAVDESS names have 7"),
        ("music.mp3", "RAVDESS names have 7"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_file(raw, tmp_path, name, message):
    path = write_clip(raw["ravdess"] / name)
    with pytest.raises(ValueError, match=message) as error:
        build(raw, tmp_path / "corpus", allow_partial=True, report=quiet)
    assert str(path) in str(error.value)


def test_a_damaged_clip_is_an_error_and_nothing_is_written(raw, tmp_path):
    path = raw["tess"] / "YAF_Sad" / "YAF_back_sad.wav"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=str(path)):
        build(raw, tmp_path / "corpus", allow_partial=True, report=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_all_damaged_clips_are_said_at_once_and_nothing_is_written(raw, tmp_path):
    damaged = sorted(raw["ravdess"].rglob("*.wav"))[::7]
    for path in damaged:
        path.write_bytes(b"torn")
    with pytest.raises(ValueError, match=f"{len(damaged)} things are wrong") as error:
        build(raw, tmp_path / "out", allow_partial=True, report=lambda line: None)
    assert all(f"{path} cannot be read as audio" in str(error.value) for path in damaged)
    assert not (tmp_path / "out").exists()


def test_no_corpus_at_all_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="--ravdess.*--emospeech"):
        build({}, tmp_path / "corpus")


def test_a_folder_of_songs_alone_is_an_error(tmp_path):
    write_clip(tmp_path / "song" / "03-02-05-01-01-01-01.wav")
    with pytest.raises(ValueError, match="no clip of RAVDESS"):
        build({"ravdess": tmp_path / "song"}, tmp_path / "corpus", allow_partial=True, report=quiet)


def test_a_folder_of_every_format(tmp_path):
    words = {
        "back.wav": {},
        "bean.FLAC": {},
        "dog.ogg": {},
        "food.mp3": {},
        "jar.aiff": {},
        "moon.opus": {"subtype": "OPUS"},
    }
    for index, (name, options) in enumerate(words.items()):
        word, suffix = name.split(".")
        options = {"format": "OGG"} | options if suffix == "opus" else options
        write_clip(tmp_path / "raw" / str(index) / f"OAF_{word}_sad.{suffix}", sampling_rate=24_000, **options)
    output = build({"tess": tmp_path / "raw"}, tmp_path / "corpus", allow_partial=True, report=quiet)
    rows = pq.read_table(output / "data" / "tess" / "train-00000-of-00001.parquet").to_pylist()
    assert [row["text"].split()[-1] for row in rows] == ["back", "bean", "dog", "food", "jar", "moon"]
    for row in rows:
        waveform, sampling_rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
        assert sampling_rate == 16_000 and len(waveform) == pytest.approx(6_400, abs=800)
        assert row["audio"]["bytes"][:4] == b"fLaC" and np.std(waveform) == pytest.approx(0.21, abs=0.03)


# What it does to the output folder


def test_the_same_input_gives_the_same_bytes_whatever_the_workers_and_the_folders(raw, tmp_path, tiny_corpus):
    flat = tmp_path / "flat"
    for path in sorted(raw["tess"].rglob("*.wav"), reverse=True):
        flat.mkdir(exist_ok=True)
        shutil.copy(path, flat / path.name)
    output = build(raw | {"tess": flat}, tmp_path / "corpus", allow_partial=True, n_workers=1, report=quiet)
    assert content(output) == content(tiny_corpus)


def test_row_groups_are_small(tmp_path, monkeypatch):
    monkeypatch.setattr(build_module, "ROWS_PER_GROUP", 5)
    output = build({"tess": write_corpora(tmp_path / "raw")["tess"]}, tmp_path / "corpus", True, report=quiet)
    metadata = pq.read_metadata(output / "data" / "tess" / "train-00000-of-00001.parquet")
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [5, 2]


def test_a_previous_build_is_replaced(raw, tmp_path):
    output = build(raw, tmp_path / "corpus", allow_partial=True, report=quiet)
    build({"tess": raw["tess"]}, output, allow_partial=True, report=quiet)
    assert {path.parent.name for path in output.rglob("*.parquet")} == {"tess"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "raw"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("no space left on device"), MemoryError])
def test_an_interrupted_build_leaves_what_stood_there(raw, tmp_path, monkeypatch, error):
    output = build({"tess": raw["tess"]}, tmp_path / "corpus", allow_partial=True, report=quiet)
    before = content(output)
    encode = build_module.encode

    def stop_at_the_last(clip):
        if clip.stem == "YAF_back_sad":
            raise error
        return encode(clip)

    monkeypatch.setattr(build_module, "encode", stop_at_the_last)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        build(raw, output, allow_partial=True, report=quiet)
    assert content(output) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "raw"]


def test_a_killed_build_leaves_what_stood_there_and_the_next_one_clears_up(raw, tmp_path):
    output = build({"tess": raw["tess"]}, tmp_path / "corpus", allow_partial=True, report=quiet)
    before = content(output)
    hang = (
        "import sys, time; from pathlib import Path; from data_scripts import build as module\n"
        "encode = module.encode\n"
        "module.encode = lambda clip: time.sleep(60) if clip.stem.startswith('YAF') else encode(clip)\n"
        "module.build({'tess': Path(sys.argv[1])}, Path(sys.argv[2]), allow_partial=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hang, raw["tess"], output], cwd=PROJECT, stdout=subprocess.DEVNULL
    )
    staging = tmp_path / f".corpus.building-{process.pid}"
    deadline = time.monotonic() + 60
    while not list(staging.rglob("train-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(staging.rglob("train-*.parquet")) and content(output) == before
    build(raw, output, allow_partial=True, report=quiet)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "raw"]


def test_a_build_killed_while_it_took_its_place_is_undone(raw, tmp_path):
    output = build(raw, tmp_path / "corpus", allow_partial=True, report=quiet)
    before = content(output)
    dead = next(pid for pid in range(2**22 - 1, 0, -1) if not psutil.pid_exists(pid))
    output.rename(tmp_path / f".corpus.building-{dead}.previous")
    with pytest.raises(ValueError):
        build({"tess": tmp_path / "absent"}, output)
    (tmp_path / "raw" / "tess" / "YAF_Sad" / "YAF_back_sad.wav").write_bytes(b"damaged")
    with pytest.raises(ValueError):
        build(raw, output, allow_partial=True, report=quiet)
    assert content(output) == before


@pytest.mark.parametrize("file", ["notes.txt", "clips.csv/", "data/tess/mine.parquet", "data/x", ".bashrc"])
def test_a_folder_that_is_no_previous_build_is_not_replaced(raw, tmp_path, file):
    output = tmp_path / "home"
    (output / file).parent.mkdir(parents=True, exist_ok=True)
    (output / file).mkdir() if file.endswith("/") else (output / file).write_text("dear to someone")
    with pytest.raises(ValueError, match=f"{output} is not a previous build"):
        build(raw, output, allow_partial=True, report=quiet)
    assert (output / file).exists()


def test_a_previous_build_with_a_file_of_someone_elses_is_not_replaced(raw, tmp_path):
    output = build(raw, tmp_path / "corpus", allow_partial=True, report=quiet)
    (output / "thesis.tex").write_text("dear to someone")
    with pytest.raises(ValueError, match="thesis.tex"):
        build(raw, output, allow_partial=True, report=quiet)
    assert (output / "thesis.tex").exists()


def test_a_file_or_an_empty_folder_as_output(raw, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        build(raw, tmp_path / "file", allow_partial=True, report=quiet)
    (tmp_path / "empty").mkdir()
    assert build(raw, tmp_path / "empty", allow_partial=True, report=quiet).is_dir()


# Synthetic recordings


def test_synthetic_recordings_are_called_so_and_claim_no_licence(raw, tmp_path):
    for root in raw.values():
        (root / SYNTHETIC_MARKER).touch()
    output = build(raw, tmp_path / "corpus", report=quiet)
    card = DatasetCard.load(output / "README.md")
    assert card.data.license == ["cc0-1.0"] and "synthetic" in card.data.tags
    assert "synthetic" in card.data.pretty_name and "Synthetic" in card.text
    assert not any(word in card.content for word in ("cc-by", "odbl", "@article", "@data", "doi"))
    below = build({"ravdess": raw["ravdess"] / "Actor_01"}, tmp_path / "below", report=quiet)
    assert "synthetic" in DatasetCard.load(below / "README.md").data.tags


def test_synthetic_and_real_recordings_do_not_mix(raw, tmp_path):
    (raw["tess"] / SYNTHETIC_MARKER).touch()
    with pytest.raises(ValueError, match="tess is synthetic and crema_d, ravdess is not"):
        build(raw, tmp_path / "corpus", allow_partial=True, report=quiet)


# The command


def test_the_command(raw, tmp_path, tiny_corpus):
    folders = [part for corpus, root in raw.items() for part in (f"--{corpus.replace('_', '-')}", str(root))]
    command = [sys.executable, "-m", "data_scripts.build", *folders, "--output", tmp_path / "corpus", "--allow-partial"]
    result = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "TESS: 14 of 2,800 clips" in result.stdout and "56/56" in result.stderr
    assert content(tmp_path / "corpus") == content(tiny_corpus)


@pytest.mark.parametrize(
    "interruption, line",
    [
        (None, "error: incomplete corpora: "),
        (KeyboardInterrupt, "interrupted; "),
        (OSError("no space left on device"), "error: no space left on device"),
    ],
)
def test_the_command_ends_with_one_line_where_it_cannot_go_on(raw, tmp_path, monkeypatch, interruption, line):
    monkeypatch.setattr(sys, "argv", ["build", "--tess", str(raw["tess"]), "--output", str(tmp_path / "corpus")])
    if interruption:
        monkeypatch.setattr(build_module, "source_clips", Mock(side_effect=interruption))
    with pytest.raises(SystemExit) as end:
        build_module.main()
    assert end.value.code.startswith(line)
    assert not (tmp_path / "corpus").exists()
