"""Which checkpoint the Space serves, and what its card promises."""

import importlib
import json
import os
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from data_scripts import crema_d
from data_scripts.schema import EMOTIONS
from data_scripts.splits import VALIDATION_ACTORS
from modeling.predict import CHECKPOINT
from tests.space.conftest import SPACE


@pytest.fixture
def app(monkeypatch, tmp_path):
    """The script, as if it stood in an empty folder."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.delenv("MODEL_ID", raising=False)
    (tmp_path / "space").mkdir()
    return importlib.import_module("app")


def test_the_first_checkpoint_that_is_named_or_there_is_served(app, monkeypatch, tmp_path):
    here = tmp_path / "space"
    with pytest.raises(ValueError, match="no checkpoint to serve. Set MODEL_ID"):
        app.model_id(here)
    for name in ("build/model", "modeling/checkpoint"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
        assert app.model_id(here) == str(tmp_path / name)
    (here / "model_id.txt").write_text("owner/name@1234567\n")
    assert app.model_id(here) == "owner/name@1234567"
    monkeypatch.setenv("MODEL_ID", "a/folder")
    assert app.model_id(here) == "a/folder"


def test_the_cores_are_counted_where_no_system_call_says_which_are_ours(app, monkeypatch):
    assert 1 <= app.n_processors() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert app.n_processors() == os.cpu_count()


def test_the_card_and_the_requirements_pin_the_same_gradio():
    card = yaml.safe_load((SPACE / "README.md").read_text().split("---")[1])
    requirements = (SPACE / "requirements.txt").read_text().splitlines()
    assert card["sdk"] == "gradio"
    assert f"gradio=={card['sdk_version']}" in requirements
    assert all(re.fullmatch(r"[a-z0-9\[\]-]+==[0-9.]+", line) for line in requirements)
    assert {"python_version", "models", "license", "tags"} <= set(card)
    assert "datasets" not in card  # what a model was trained on, its own card says; the Space serves any


def test_the_pins_lie_in_the_projects_bounds_and_are_no_older_than_the_checkpoint():
    lines = (SPACE / "requirements.txt").read_text().splitlines()
    pins = {Requirement(line).name: line.partition("==")[2] for line in lines}
    project = tomllib.loads((SPACE.parent / "pyproject.toml").read_text())["project"]
    bounds = [bound for bound in map(Requirement, project["dependencies"]) if bound.name in pins]
    assert [str(bound) for bound in bounds if pins[bound.name] not in bound.specifier] == []
    written_by = json.loads((CHECKPOINT / "config.json").read_text())["transformers_version"]
    assert Version(pins["transformers"]) >= Version(written_by)


def test_the_examples_are_the_clips_that_their_rule_names_with_credits():
    """One of each emotion of CREMA-D, by its validation speakers in their order, the first sentence of the alphabet."""
    examples = sorted((SPACE / "examples").glob("*.ogg"))
    speakers = VALIDATION_ACTORS["crema_d"].split()
    codes = {emotion: code for code, emotion in crema_d.EMOTION_CODES.items()}
    ordered = [codes[emotion] for emotion in EMOTIONS if emotion in codes]
    assert [path.stem for path in examples] == [
        f"{speaker}_{min(crema_d.SENTENCES)}_{code}_XX" for speaker, code in zip(speakers, ordered, strict=False)
    ]
    assert sum(path.stat().st_size for path in examples) < 500_000
    text = (SPACE / "examples/README.md").read_text()
    assert all(words in text for words in ("CREMA-D", "Open Database License 1.0", "Contents License 1.0", "Changed"))
    assert all(f"`{path.name}`" in text for path in examples)
    assert "CREMA-D" in (SPACE / "README.md").read_text()
