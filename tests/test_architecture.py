"""Which part of the project may know of which: imports follow the arrow from corpora to dataset to model to Space."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"data_scripts", "modeling", "space", "tests", "train"}
TRAVELLING = sorted((ROOT / "modeling").glob("*_mel_cnn.py"))
SERVED = [path for path in sorted((ROOT / "space").glob("*.py")) if path.name != "publish.py"]


def imported(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def ours_imported(path: Path, start: str) -> set[str]:
    """Names of the modules that a file imports, of those that begin so."""
    found = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
    return {name for name in found if name and name.startswith(start)}


# What opens recordings, finds them and writes tables is one for all, so that a corpus is built of what a model will hear. It
# needs no torch.
OF_BOTH = {"modeling.recording_mel_cnn", "modeling.recordings", "modeling.tables_mel_cnn"}


def imported_modules(path: Path) -> set[str]:
    """Full names of the modules that a file imports, those of `from package import module` included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            is_package = (ROOT / node.module.replace(".", "/")).is_dir()
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if is_package else {node.module}
    return names


@pytest.mark.parametrize("path", sorted((ROOT / "data_scripts").glob("*.py")), ids=lambda path: path.name)
def test_dataset_is_made_without_the_model_and_its_libraries(path):
    assert not imported(path) & {"torch", "torchaudio", "transformers", "space", "train"}
    assert {name for name in imported_modules(path) if name.split(".")[0] == "modeling"} <= OF_BOTH


def test_what_the_dataset_takes_of_the_model_needs_none_of_its_libraries():
    script = f"import sys, {', '.join(OF_BOTH)}; assert not {{'torch', 'transformers', 'datasets'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.mark.parametrize("path", TRAVELLING, ids=lambda path: path.name)
def test_files_of_a_checkpoint_import_each_other_and_nothing_else_of_ours(path):
    assert not imported(path) & (OURS | {"datasets", "evaluate"})
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:  # `from . import x` would not travel
            assert node.level == 1 and ROOT / "modeling" / f"{node.module}.py" in TRAVELLING


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.name)
def test_space_imports_nothing_of_this_repository(path):
    assert not imported(path) & (OURS - {"space"}) and "space" not in imported(path)


def test_training_knows_the_corpora_only_as_its_demo():
    helpers = {"data_scripts.staging", "data_scripts.terminal"}  # how anything is written, and how a command ends
    assert ours_imported(ROOT / "train.py", "data_scripts") - helpers == {"data_scripts.demo_corpus"}


@pytest.mark.parametrize(
    "path", [*TRAVELLING, ROOT / "modeling" / "training" / "metrics.py"], ids=lambda path: path.name
)
def test_the_checkpoint_brings_the_code_that_stands_here(path):
    """The copies are how a checkpoint is loaded elsewhere; one that was left behind would hear differently there."""
    assert (ROOT / "modeling" / "checkpoint" / path.name).read_text() == path.read_text()
