"""Whole datasets: what is said of every row, by any number of processes, killed or not."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch
from datasets import Audio, load_dataset

from modeling import annotate as script
from modeling.annotation import work
from modeling.loading import load_model
from tests.modeling.annotated import clip, digests, write_dataset
from tests.modeling.tiny import EMOTIONS, save_checkpoint

ROOT = Path(__file__).parents[2]
NEW = ("emotion", "probability", "sure", "probabilities", "unlikeness", "duration_heard", "problem")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(folder, unsure_threshold=0.32)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "clips"
    return write_dataset(folder, train=[range(30), range(30, 45), range(0)], test=[range(100, 106)])


def run(source, output, model, *options, rank: int = 0, world_size: int = 1) -> str | int:
    """What the command ends with: 0, or its last words."""
    environment = {"RANK": str(rank), "WORLD_SIZE": str(world_size)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            options = (source, "--output", output, "--model", model, "--workers", 1, "--rows-per-shard", 7, *options)
            script.main(list(map(str, options)))
        except SystemExit as end:
            return end.code
    return 0


@pytest.fixture(scope="module")
def result(source, model, tmp_path_factory) -> Path:
    """The source with answers in full precision."""
    output = tmp_path_factory.mktemp("result") / "emotions"
    assert run(source, output, model, "--dtype", "float32", "--embeddings") == 0
    return output


def test_every_row_has_the_answer_of_the_model(source, model, result):
    heard = load_dataset(str(result))
    assert {split: rows["id"] for split, rows in heard.items()} == {
        "train": list(range(45)),
        "test": list(range(100, 106)),
    }
    loaded, _ = load_model(model)
    for row in (*heard["train"], *heard["test"]):
        answer = {name: row[f"predicted_{name}"] for name in (*NEW, "embedding")}
        assert row["emotion"] == "acted" and "audio" not in row
        if row["id"] in (7, 8, 9):
            assert (
                answer["problem"].endswith(".") and answer["emotion"] is answer["sure"] is answer["embedding"] is None
            )
            continue
        waveform, _ = soundfile.read(io.BytesIO(clip(row["id"])), dtype="float32")
        with torch.inference_mode():
            expected = loaded(torch.from_numpy(waveform)[None]).logits[0].softmax(-1)
            embedding = loaded.mel_cnn(torch.from_numpy(waveform)[None]).pooler_output[0]
        assert [answer["probabilities"][name] for name in EMOTIONS] == pytest.approx(expected.tolist(), abs=1e-5)
        assert answer["emotion"] == EMOTIONS[expected.argmax()] and answer["probability"] == pytest.approx(
            expected.max()
        )
        assert answer["sure"] == (answer["probability"] >= 0.32) and answer["problem"] is None
        assert answer["duration_heard"] == pytest.approx(len(waveform) / 16_000)
        assert row["audio_path"] == f"{row['id']}.flac"
        np.testing.assert_allclose(answer["embedding"], embedding, rtol=2e-3, atol=2e-3)


def test_bfloat16_changes_no_label_and_no_doubt(source, model, result, tmp_path):
    assert run(source, tmp_path / "fast", model, "--dtype", "bfloat16", "--embeddings") == 0
    precise, fast = (load_dataset(str(folder), split="train") for folder in (result, tmp_path / "fast"))
    for name in ("predicted_emotion", "predicted_sure", "predicted_problem"):
        assert fast[name] == precise[name]


def test_the_card_says_what_it_is(source, model, result):
    card = (result / "README.md").read_text()
    for fact in (
        f"`{source}`",
        f"`{model}`",
        "float32",
        "--rows-per-shard 7",
        "| train | 45 |",
        "| 3 |",
        "not what anybody",
    ):
        assert fact in card
    terms = json.loads((result / "annotation.json").read_text())
    assert terms["model"]["fingerprint"] in card and terms["source"]["files"].startswith("4 files")


@pytest.mark.parametrize("world_size", [2, 7])
def test_any_number_of_processes_gives_the_same_bytes(source, model, result, tmp_path, world_size, capsys):
    """Seven share the parts, of which there are only four."""
    for rank in reversed(range(world_size)):
        assert not (tmp_path / "out" / "README.md").exists()
        options = ("--dtype", "float32", "--embeddings")
        assert run(source, tmp_path / "out", model, *options, rank=rank, world_size=world_size) == 0
    assert digests(tmp_path / "out") == digests(result)
    said = capsys.readouterr().err
    assert said.count("still missing") == world_size - 1 and said.count("is complete: 51 rows, 3 of them with") == 1


def test_what_is_missing_is_made_and_nothing_else(source, model, result, tmp_path, capsys):
    output = shutil.copytree(result, tmp_path / "out")
    kept, *gone = sorted(output.glob("data/*.parquet"))
    before = kept.stat().st_mtime_ns
    for path in gone[::2]:
        path.unlink()
    assert run(source, output, model, "--dtype", "float32", "--embeddings") == 0
    assert digests(output) == digests(result) and kept.stat().st_mtime_ns == before
    assert "51/51" in capsys.readouterr().err  # the bar, which begins with what was there


def test_killed_processes_lose_nothing(source, model, result, tmp_path):
    """Three under torchrun, of which one is killed, which ends all; two go on; every byte is as it would have been."""
    output = tmp_path / "out"
    command = [*("-m", "modeling.annotate", source, "--output", output, "--model", model, "--workers", 1)]
    command += ["--rows-per-shard", 7, "--dtype", "float32", "--embeddings"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}

    def launch(n_processes: int) -> subprocess.Popen:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", n_processes]
        return subprocess.Popen([sys.executable, *map(str, launcher + command)], cwd=tmp_path, env=environment)

    launched = launch(3)
    deadline = time.monotonic() + 300
    while not list(output.glob("data/*.parquet")) and launched.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    ranks = [process for process in psutil.Process(launched.pid).children() if "modeling.annotate" in process.cmdline()]
    for process in ranks[:1]:
        process.send_signal(signal.SIGKILL)
    launched.wait(timeout=300)
    assert launch(2).wait(timeout=300) == 0
    assert digests(output) == digests(result) and (output / "README.md").is_file()
    assert not [path for path in output.rglob(".*") if "building" in path.name]


def test_a_shard_that_another_process_is_writing_is_left_to_it(source, model, result, tmp_path, capsys):
    output = shutil.copytree(result, tmp_path / "out")
    first, second, *_ = sorted(output.glob("data/*.parquet"))
    first.unlink()
    second.unlink()
    code = f"""
import time
from pathlib import Path
from data_scripts.staging import claim
with claim(Path({str(first)!r})):
    print(flush=True)
    time.sleep(99)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    holder.stdout.readline()
    try:
        assert run(source, output, model, "--dtype", "float32", "--embeddings") == 0
    finally:
        holder.kill()
        holder.wait()
    assert second.exists() and not first.exists()
    assert "is left to another process" in capsys.readouterr().err


def test_another_model_or_source_is_refused_with_both(source, model, result, tmp_path):
    options = ("--dtype", "float32", "--embeddings")
    there = json.loads((result / "annotation.json").read_text())
    save_checkpoint(tmp_path / "other", seed=1, unsure_threshold=0.32)
    said = run(source, result, tmp_path / "other", *options)
    assert there["model"]["fingerprint"] in said and str(tmp_path / "other") in said and "another --output" in said
    changed = shutil.copytree(source, tmp_path / "changed")
    moved = shutil.copytree(source, tmp_path / "moved")
    assert run(moved, result, model, *options) == 0  # the same files
    (changed / "data" / "train-00001-of-00003.parquet").unlink()
    assert f"{there['source']['files']} there, 3 files" in run(changed, result, model, *options)
    assert "settings.dtype: float32 there, bfloat16 here" in run(
        source, result, model, "--dtype", "bfloat16", options[2]
    )


def test_columns_that_are_asked_for(source, model, tmp_path):
    assert run(source, tmp_path / "keys", model, "--split", "test", "--only-new-columns", "--keep", "id") == 0
    keys = load_dataset(str(tmp_path / "keys"), split="test")
    assert keys.column_names == ["id", "audio_path", *(f"predicted_{name}" for name in NEW)]
    assert run(source, tmp_path / "all", model, "--with-audio", "--prefix", "heard_") == 0
    carried = load_dataset(str(tmp_path / "all"), split="train").cast_column("audio", Audio(decode=False))
    assert carried.column_names == ["id", "emotion", "audio", *(f"heard_{name}" for name in NEW)]
    assert carried[0]["audio"]["bytes"] == clip(0) and carried[9]["audio"]["bytes"] is None


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (["--split", "dev"], "has no split dev; it has train, test"),
        (["--audio-column", "sound"], "no column sound"),
        (["--audio-column", "id"], "holds Value('int64'), not audio"),
        (["--prefix", ""], "has emotion already"),
        (["--only-new-columns", "--keep", "name"], "no column name to keep"),
        (["--revision", "main"], "leave --revision out"),
        (["--private"], "leave it out"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_done(source, model, tmp_path, options, fact):
    assert fact in run(source, tmp_path / "out", model, *options)
    assert not (tmp_path / "out").exists()


def test_outputs_that_hold_something_else_are_left_alone(source, model, tmp_path):
    (tmp_path / "thesis.tex").write_text("\\documentclass{article}")
    assert "holds something else" in run(source, tmp_path, model)
    assert "is a file" in run(source, tmp_path / "thesis.tex", model)
    assert "lies in the source" in run(source, source / "emotions", model)
    assert "neither a folder" in run(source, "s3://bucket/emotions", model)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_broken_file_does_not_stop_the_others(source, model, tmp_path, capsys):
    broken = shutil.copytree(source, tmp_path / "broken")
    path = broken / "data" / "train-00000-of-00003.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(200) + content[204:])
    assert run(broken, tmp_path / "out", model) == 1
    assert "train, part 0: cannot be read any further" in capsys.readouterr().err
    assert any(name.startswith("train-00001") for name in digests(tmp_path / "out"))
    assert not (tmp_path / "out" / "README.md").exists()


def test_a_worker_that_is_killed_is_said(source, model, tmp_path, monkeypatch):
    monkeypatch.setattr("modeling.listener.read_recording", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    said = run(source, tmp_path / "out", model)
    assert "a worker process was killed" in said and digests(tmp_path / "out") == {}


def test_an_interrupted_command_says_how_to_go_on(source, model, tmp_path, monkeypatch):
    monkeypatch.setattr(work.ShardWriter, "close", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert "the same command goes on" in run(source, tmp_path / "out", model)


def test_the_script_lists_what_it_needs():
    """For `hf jobs uv run`, which knows this file and a mounted folder; what it lists is what the project lists."""
    header = re.search(r"^# /// script$(.+?)^# ///$", Path(script.__file__).read_text(), re.MULTILINE | re.DOTALL)[1]
    listed = tomllib.loads(re.sub("^# ?", "", header, flags=re.MULTILINE))["dependencies"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(listed) < set(project)
    names = {re.match(r"[\w-]+", entry)[0] for entry in project} - {re.match(r"[\w-]+", entry)[0] for entry in listed}
    blocked = [
        {"scikit-learn": "sklearn"}.get(name, name) for name in sorted(names - {"pandas", "urllib3", "requests"})
    ]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked})); import runpy; runpy.run_path({script.__file__!r})"
    )
    subprocess.run([sys.executable, "-c", code], cwd="/", env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
