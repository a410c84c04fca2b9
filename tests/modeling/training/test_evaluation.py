"""What figures are made of, and what they are called."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset

from modeling.training.data import DataArguments, own_labels
from modeling.training.evaluation import composition, evaluate_clips, name_of, score


def clips(emotions: tuple[str, ...] = ("neutral", "happy", "sad"), **columns: list) -> Dataset:
    return Dataset.from_dict(columns).cast_column("emotion", ClassLabel(names=list(emotions)))


def test_null_speakers_are_unknown_and_zero_is_a_name():
    data = clips(("neutral", "happy"), emotion=[0, 1, 1, 0], person=[0, 0, 7, None], gender=["f", "f", None, "m"])
    arguments = DataArguments(dataset_name="made up", speaker_column_name="person")
    evaluation = evaluate_clips(np.eye(2)[[0, 1, 0, 0]], data, arguments, {"": [0, 1]})
    assert set(evaluation["speaker"]) == {"0", "7", "unknown"} and set(evaluation["gender"]) == {"f", "m", "unknown"}
    assert evaluation["speaker"]["0"]["raw"]["n_clips"] == 2 and evaluation["all"]["raw"]["n_speakers"] == 3


def test_clips_whose_corpus_nobody_named_are_a_corpus_of_their_own():
    data, arguments = clips(emotion=[0, 1, 2, 1], corpus=["a", None, "a", None]), DataArguments(dataset_name="made up")
    possible = own_labels({"train": data}, arguments)
    assert possible == {"a": [0, 2], "": [1]}
    probabilities = np.asarray([[0.3, 0.6, 0.1]] * 4)
    evaluation = evaluate_clips(probabilities, data, arguments, possible)
    assert {name: entry["own_labels"]["accuracy"] for name, entry in evaluation["corpus"].items()} == {
        "a": 0.5,
        "unknown": 1.0,
    }
    figures = score(probabilities, data, arguments, possible)
    assert figures["unweighted_average_recall"] == 0.75 and figures["unweighted_average_recall_a"] == 0.5


def test_merged_corpora_are_compared_by_the_labels_that_all_of_them_have():
    data = clips(emotion=[0, 1, 1, 2], corpus=["a", "a", "b", "b"], gender=["f", "m", "f", "f"], person=[0, 1, 2, 3])
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


def test_calm_counts_as_neutral_where_a_corpus_has_no_calm():
    data = clips(("neutral", "calm", "happy"), emotion=[0, 2, 0, 1], corpus=["a", "a", "b", "b"])
    probabilities = np.asarray([[0.2, 0.5, 0.3]] * 4)
    evaluation = evaluate_clips(probabilities, data, DataArguments(dataset_name="made up"), {"a": [0, 2], "b": [0, 1]})
    assert evaluation["corpus"]["a"]["own_labels"]["recall"] == [1.0, None, 0.0]
    assert evaluation["corpus"]["b"]["own_labels"]["recall"] == [0.0, 1.0, None]
    assert evaluation["all"]["raw"]["recall"] == [0.0, 1.0, 0.0]


def test_answers_that_are_sure_are_counted_apart():
    data = clips(("neutral", "happy"), emotion=[0, 0, 0, 1])
    probabilities = np.asarray([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.1, 0.9]])
    arguments, possible = DataArguments(dataset_name="made up"), {"": [0, 1]}
    figures = evaluate_clips(probabilities, data, arguments, possible, threshold=0.7)["all"]["raw"]
    assert (figures["sure_share"], figures["sure_accuracy"]) == (0.75, pytest.approx(2 / 3))
    figures = evaluate_clips(probabilities, data, arguments, possible, threshold=np.asarray([1.0] * 4))["all"]["raw"]
    assert (figures["sure_share"], figures["sure_accuracy"]) == (0.0, None)


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
