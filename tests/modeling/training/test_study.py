"""The study of a checkpoint, as people run it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from modeling.training.robustness import CONDITIONS

ROOT = Path(__file__).parents[3]
TINY = json.dumps({"width": 4, "depths": [1, 1], "hidden_size": 8, "attention_size": 4})
SHORT = ["--model_config", TINY, "--num_train_epochs", "1", "--report_to", "none", "--bf16", "False"]


def start(folder: Path, *command: str) -> subprocess.CompletedProcess:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run(folder: Path, *command: str) -> str:
    done = start(folder, *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def studied(tiny_corpus, tmp_path_factory) -> tuple[Path, list[str], str]:
    """A folder with a tiny model that was studied, the command, and what it printed."""
    folder = tmp_path_factory.mktemp("study")
    run(folder, str(ROOT / "train.py"), "--dataset_name", str(tiny_corpus), *SHORT)
    command = ["-m", "modeling.training.study", "--dataset_name", str(tiny_corpus), "--model_dir", "build/model"]
    command += ["--parts", "by-file", "without-tess", "robustness"]
    return folder, [*command, *SHORT], run(folder, *command, *SHORT)


def test_figures_reach_the_checkpoint_and_its_card(studied):
    folder, _, printed = studied
    study = json.loads((folder / "build/model/study.json").read_text())
    assert set(study["protocols"]) == {"by-file", "without-tess"}
    by_file = study["protocols"]["by-file"]["protocol"]
    assert "voices are shared" in by_file and "--num_train_epochs 1" in by_file  # which is not the recipe's
    assert "tess" in study["protocols"]["without-tess"] and "ravdess" not in study["protocols"]["without-tess"]
    assert list(study["robustness"]) == list(CONDITIONS)
    assert list(study["adaptation"]["tess"]) == ["0", "1", "5", "20", "100"]
    assert all(0 <= uar <= 1 for uar in study["adaptation"]["tess"].values())
    unheard = study["protocols"]["without-tess"]["tess"]
    assert 0 <= unheard["unlikeness_auroc"] <= 1 and 0 <= unheard["unlike_share"] <= 1
    assert (folder / "build/model/adaptation.png").stat().st_size > 10_000
    card = ModelCard.load(folder / "build/model/README.md").content
    for text in (
        "telephone, G.711",
        "by-file",
        "](robustness.png)",
        "| corpus that was never heard |",
        "AUROC",
        "| mean |",
    ):
        assert text in card
    assert "telephone, G.711" in printed
    assert (folder / "build/model/robustness.png").stat().st_size > 10_000


def test_clean_sound_repeats_the_figures_of_the_evaluation(studied):
    folder = studied[0] / "build/model"
    clean = json.loads((folder / "study.json").read_text())["robustness"]["clean"]["all"]
    assert clean["accuracy"] == json.loads((folder / "evaluation.json").read_text())["all"]["own_labels"]["accuracy"]


def test_what_was_measured_is_not_run_again(studied):
    folder, command, _ = studied
    before = (folder / "build/model/study.json").read_bytes()
    assert "by-file: build/study/by-file/evaluation.json is there" in run(folder, *command)
    assert (folder / "build/model/study.json").read_bytes() == before


def test_figures_of_another_dataset_are_not_taken_for_this_ones(studied, tiny_corpus):
    folder, command, _ = studied
    other = shutil.copytree(tiny_corpus, folder / "other-corpus")
    done = start(folder, *[str(other) if word == str(tiny_corpus) else word for word in command])
    assert done.returncode == 1 and "this study is of other-corpus: name another --study_dir" in done.stderr


def test_options_of_the_dataset_reach_every_run(tiny_corpus, tmp_path):
    command = ["-m", "modeling.training.study", "--dataset_name", str(tiny_corpus), "--label_column_name", "feeling"]
    done = start(tmp_path, *command, "--parts", "by-file")
    assert "--label_column_name feeling" in done.stderr and "no such column" in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"), [(["--parts", "by-shoe"], "no part by-shoe"), ([], "--dataset_name is missing")]
)
def test_impossible_studies_are_refused_in_a_line(tmp_path, options, complaint):
    command = [sys.executable, "-m", "modeling.training.study", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and complaint in done.stderr and "Traceback" not in done.stderr
