"""What figures are made of, and what they are called."""

import numpy as np
import pytest
from datasets import Dataset

from modeling.training.data import DataArguments
from modeling.training.evaluation import composition, evaluate_clips, name_of


def test_null_speakers_are_unknown_and_zero_is_a_name():
    data = Dataset.from_dict({"emotion": [0, 1, 1, 0], "person": [0, 0, 7, None], "gender": ["f", "f", None, "m"]})
    arguments = DataArguments(dataset_name="made up", speaker_column_name="person")
    evaluation = evaluate_clips(np.eye(2)[[0, 1, 0, 0]], data, arguments, {"": [0, 1]})
    assert set(evaluation["speaker"]) == {"0", "7", "unknown"} and set(evaluation["gender"]) == {"f", "m", "unknown"}
    assert evaluation["speaker"]["0"]["raw"]["n_clips"] == 2 and evaluation["all"]["raw"]["n_speakers"] == 3


def test_merged_corpora_are_compared_by_the_labels_that_all_of_them_have():
    data = Dataset.from_dict(
        {
            "emotion": [0, 1, 1, 2],
            "corpus": ["a", "a", "b", "b"],
            "gender": ["f", "m", "f", "f"],
            "person": [0, 1, 2, 3],
        }
    )
    arguments = DataArguments(dataset_name="made up", speaker_column_name="person")
    # The third clip is called by the label that only its own corpus has, and next by its own.
    probabilities = np.asarray([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.1, 0.4, 0.5], [0.0, 0.0, 1.0]])
    evaluation = evaluate_clips(probabilities, data, arguments, {"a": [0, 1], "b": [0, 1, 2]})
    shared = evaluation["shared_labels"]["own_labels"]
    assert (shared["n_clips"], shared["accuracy"]) == (3, pytest.approx(2 / 3))
    assert evaluation["shared_labels"]["raw"]["accuracy"] == pytest.approx(1 / 3)
    assert {name: entry["raw"]["n_clips"] for name, entry in evaluation["gender"].items()} == {
        "a, f": 1,
        "a, m": 1,
        "b, f": 2,
    }
    assert "shared_labels" not in evaluate_clips(probabilities, data, arguments, {"a": [0, 1, 2], "b": [0, 1, 2]})


def test_what_a_model_is_trained_on_is_counted_by_corpus():
    data = Dataset.from_dict({"corpus": ["a", "a", "a", "b"], "person": [0, 0, 7, None]})
    arguments = DataArguments(dataset_name="made up", speaker_column_name="person")
    assert composition(data, arguments) == {
        "a": {"n_clips": 3, "n_speakers": 2},
        "b": {"n_clips": 1, "n_speakers": None},
    }
    nameless = composition(Dataset.from_dict({"emotion": [0, 1]}), DataArguments(dataset_name="made up"))
    assert nameless == {"": {"n_clips": 2, "n_speakers": None}}


def test_dataset_is_named_without_a_path_of_this_machine(tmp_path, monkeypatch):
    (tmp_path / "project/build/corpus").mkdir(parents=True)
    (tmp_path / "clinic").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    names = [
        name_of(DataArguments(dataset_name=str(name))) for name in ("build/corpus", tmp_path / "clinic", "you/corpus")
    ]
    assert names == ["build/corpus", "clinic", "you/corpus"]
    assert name_of(DataArguments(dataset_name="../clinic", dataset_config_name="all")) == "clinic (all)"
