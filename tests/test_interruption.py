"""train.py cut short and gone on with, stopped early, and in two processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from datasets import load_dataset
from safetensors.torch import load_file

import train
from data_scripts.staging import claim
from modeling.training.checkpoints import checkpoints
from tests.tiny_model import train_command

ROOT = Path(__file__).parents[1]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@pytest.mark.parametrize(("patience", "taken"), [(0, "last"), (1, "first")])
def test_the_last_epoch_is_taken_unless_training_may_stop_early(tiny_corpus, run_train, monkeypatch, patience, taken):
    monkeypatch.setattr(train, "score", lambda *_: {"unweighted_average_recall": 0.5})  # the first epoch is the best
    monkeypatch.setattr(train.shutil, "rmtree", Mock())  # the checkpoints outlive the run
    options = ("--early_stopping_patience", str(patience), "--hub_token", "hf_canary")
    run_train("--dataset_name", tiny_corpus, *options, epochs=2)
    assert not [path for path in Path("build").rglob("*") if path.is_file() and b"hf_canary" in path.read_bytes()]
    saved = sorted(Path("build/run").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    # The filters are as training leaves them; the head is made anew after it.
    first, last, of_model = (
        load_file(path / "model.safetensors")["mel_cnn.encoder.stem.0.weight"] for path in (*saved, Path("build/model"))
    )
    assert not torch.equal(first, last)
    torch.testing.assert_close(of_model, {"first": first, "last": last}[taken])


def test_folds_that_are_done_are_not_trained_again(tiny_corpus, run_train, monkeypatch):
    done, train_fold = [], train.train
    step = Mock(side_effect=train.EmotionTrainer.training_step)

    def train_one_fold(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(train_fold(*arguments))
        return done[0]

    monkeypatch.setattr(train.EmotionTrainer, "training_step", lambda *arguments: step(*arguments))
    monkeypatch.setattr(train, "score", lambda *_: {"unweighted_average_recall": 0.5})  # the first epoch is the best
    monkeypatch.setattr(train, "train", train_one_fold)
    options = (
        "--dataset_name",
        tiny_corpus,
        "--split_by",
        "speaker",
        "--folds",
        "3",
        "--load_best_model_at_end",
        "True",
    )
    with pytest.raises(SystemExit, match="interrupted"):
        run_train(*options, epochs=2)
    (model, _), n_steps = done.pop(), step.call_count
    with pytest.raises(SystemExit, match="interrupted"):
        run_train(*options, "--resume_from_checkpoint", "True", epochs=2)
    assert step.call_count == n_steps > 0
    for name, values in model.state_dict().items():
        torch.testing.assert_close(done[0][0].state_dict()[name], values, rtol=0, atol=0)


def test_a_second_run_is_refused_before_it_has_cost_anything(tiny_corpus, run_train, monkeypatch):
    """Whichever of the two folders they share."""
    monkeypatch.setattr(train, "load", Mock(side_effect=AssertionError("it has begun")))
    for folder in ("build/run", "build/model"):
        hold = "import sys; from data_scripts.staging import claim; from pathlib import Path\n"
        hold += "with claim(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
        command = [sys.executable, "-c", hold, folder]
        holder = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        holder.stdout.readline()
        with pytest.raises(SystemExit, match=rf"{folder} is being written by process {holder.pid} .* since 20"):
            run_train("--dataset_name", tiny_corpus)
        holder.communicate()
    with pytest.raises(AssertionError, match="it has begun"):
        run_train("--dataset_name", tiny_corpus)


def test_a_broken_checkpoint_is_passed_over(tiny_corpus, run_train, monkeypatch, capsys):
    """What a kill leaves in the middle of a save; named, it is refused with the remedy."""
    monkeypatch.setattr(train, "save_model", Mock(side_effect=KeyboardInterrupt))
    options = ("--dataset_name", tiny_corpus, "--seed", "3")
    with pytest.raises(SystemExit, match=r"interrupted; build/model was not written; build/run/checkpoint-\d+ is kept"):
        run_train(*options, epochs=3)
    last, first = checkpoints(Path("build/run"))
    expected = load_file(last / "model.safetensors")
    (last / "optimizer.pt").write_bytes((last / "optimizer.pt").read_bytes()[:1_000])
    (last / "trainer_state.json").unlink()
    with pytest.raises(SystemExit, match=r"it lacks trainer_state.json; --resume_from_checkpoint True goes on"):
        run_train(*options, "--resume_from_checkpoint", str(last), epochs=3)
    with pytest.raises(SystemExit, match="interrupted"):
        run_train(*options, "--resume_from_checkpoint", "True", epochs=3)
    printed = capsys.readouterr().out
    assert f"{last} is passed over: it lacks trainer_state.json" in printed and f"Going on from {first}." in printed
    found = load_file(last / "model.safetensors")
    assert all(torch.equal(found[name], values) for name, values in expected.items())


def test_a_full_disk_ends_in_one_line(tiny_corpus, run_train, tiny_disk, capsys):
    with pytest.raises(SystemExit, match=r"train.py: the disk is full \(.*; build/model was not written"):
        run_train("--dataset_name", tiny_corpus, "--output_dir", tiny_disk / "run", epochs=9)


def run_in_process(folder: Path, *options: str, launcher: tuple = (sys.executable,)) -> subprocess.Popen:
    arguments = [*launcher, str(ROOT / "train.py"), *train_command(*options, epochs=4)]
    return subprocess.Popen(
        arguments,
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell has what it runs in the background ignore Ctrl-C, and so do the children of that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )


@pytest.fixture
def shared_sentences(tiny_corpus, tmp_path) -> Path:
    """The tiny corpus with two sentences that every speaker reads: there is a second task."""
    folder = tmp_path / "shared-sentences"
    folder.mkdir()
    for name, split in load_dataset(str(tiny_corpus)).items():
        texts = ["one" if number % 2 else "two" for number in range(len(split))]
        split.remove_columns("text").add_column("text", texts).to_parquet(folder / f"{name}.parquet")
    return folder


def test_killed_run_resumes_to_the_same_weights(shared_sentences, tmp_path):
    """Augmentation, sampling, dropout and the second task are on: each of them has to go on as it would have."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    options = ("--dataset_name", str(shared_sentences), "--save_strategy", "epoch", "--seed", "3")
    for folder in (whole, broken):
        folder.mkdir()
    straight, killed = (run_in_process(folder, *options) for folder in (whole, broken))
    deadline = time.monotonic() + 300
    while not list(broken.glob("build/run/checkpoint-*/trainer_state.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    saved, *_ = broken.glob("build/run/checkpoint-*/model.safetensors")
    assert "sentence_head.classifier.weight" in load_file(saved)
    assert not (broken / "build/model").exists() and list(broken.glob("build/run/checkpoint-*"))
    assert straight.wait(timeout=300) == 0, straight.stdout.read()
    refused = run_in_process(broken, *options)
    output = refused.communicate(timeout=300)[0]
    assert refused.returncode == 1 and "--resume_from_checkpoint True" in output
    resumed = run_in_process(broken, *options, "--resume_from_checkpoint", "True")
    output = resumed.communicate(timeout=300)[0]
    assert resumed.returncode == 0, output
    expected, found = (load_file(folder / "build/model/model.safetensors") for folder in (whole, broken))
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=0, atol=0)


def test_two_processes_share_the_work_and_agree_with_one(tiny_corpus, tmp_path):
    """With frozen statistics, no dropout and no augmentation two halves of a batch give the loss of the whole."""
    script = Path(__file__).parent / "world_size.py"
    losses = {}
    for processes, launcher in ((1, (sys.executable,)), (2, TORCHRUN)):
        output = tmp_path / f"{processes}.json"
        finished = subprocess.run(
            [*launcher, str(script), str(tiny_corpus), str(output)],
            cwd=tmp_path,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        found = json.loads(output.read_text())
        assert found["world_size"] == processes
        losses[processes] = found["losses"]
    assert len(losses[1]) == 4
    np.testing.assert_allclose(losses[1], losses[2], atol=1e-4)


def test_interrupted_by_ctrl_c_it_says_in_one_line_what_is_kept(tiny_corpus, tmp_path):
    for number, awaited in enumerate((None, "build/run/checkpoint-*/trainer_state.json")):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = run_in_process(folder, "--dataset_name", str(tiny_corpus))
        deadline = time.monotonic() + 300
        while awaited and not list(folder.glob(awaited)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not awaited:
            time.sleep(1)  # the libraries are being loaded
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=300)[0]
        assert process.returncode in (1, 130) and "Traceback" not in output
        assert ("checkpoint-" if awaited else "nothing was done yet") in output.splitlines()[-1]


def test_two_processes_are_both_told_that_another_run_has_the_folder(tiny_corpus, tmp_path):
    with claim(tmp_path / "build" / "model"):
        refused = run_in_process(tmp_path, "--dataset_name", str(tiny_corpus), launcher=TORCHRUN)
        output = refused.communicate(timeout=400)[0]
    assert refused.returncode == 1 and output.count("is being written by process") == 1
    assert not (tmp_path / "build" / "model").exists()


def test_two_processes_leave_one_evaluated_model(tiny_corpus, tmp_path):
    finished = run_in_process(tmp_path, "--dataset_name", str(tiny_corpus), launcher=TORCHRUN)
    output = finished.communicate(timeout=400)[0]
    assert finished.returncode == 0, output
    assert output.count("Written to build/model/.") == 1
    assert load_file(tmp_path / "build/model/model.safetensors")
    assert json.loads((tmp_path / "build/model/evaluation.json").read_text())["corpus"]
