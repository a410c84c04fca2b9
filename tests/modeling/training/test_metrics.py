"""The metric module: its figures against scikit-learn's, its intervals, and its own labels."""

import evaluate
import numpy as np
import pytest
from sklearn import metrics

from modeling.training.evaluation import METRICS


@pytest.fixture(scope="module")
def metric():
    return evaluate.load(str(METRICS))


def random_evaluation(n_clips=400, n_labels=5, n_speakers=8, seed=0):
    rng = np.random.default_rng(seed)
    references = rng.integers(n_labels, size=n_clips)
    logits = rng.normal(size=(n_clips, n_labels)) + 1.5 * np.eye(n_labels)[references]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return probabilities, references, [f"speaker_{i}" for i in rng.integers(n_speakers, size=n_clips)]


def test_figures_agree_with_scikit_learn(metric):
    probabilities, references, speakers = random_evaluation()
    found = metric.compute(predictions=probabilities, references=references, speakers=speakers)
    predicted = probabilities.argmax(1)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(references, predicted))
    assert found["unweighted_average_recall"] == pytest.approx(metrics.balanced_accuracy_score(references, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(references, predicted, average="macro"))
    assert found["confusion"] == metrics.confusion_matrix(references, predicted).tolist()
    assert found["recall"] == pytest.approx(metrics.recall_score(references, predicted, average=None).tolist())
    assert (found["n_clips"], found["n_speakers"]) == (400, 8)


def test_a_class_that_does_not_occur_counts_in_no_average(metric):
    probabilities, references, _ = random_evaluation()
    rows = references != 2
    found = metric.compute(predictions=probabilities[rows], references=references[rows])
    assert found["recall"][2] is None
    recalls = [recall for label, recall in enumerate(found["recall"]) if label != 2]
    assert found["unweighted_average_recall"] == pytest.approx(np.mean(recalls))


def test_intervals_widen_with_the_spread_between_speakers(metric):
    references = np.tile([0, 1], 200)
    right = np.eye(2)[references] * 0.8 + 0.1
    speakers = np.repeat(["a", "b", "c", "d"], 100)
    alike, different = right.copy(), right.copy()
    alike[::2] = alike[::2, ::-1]  # every speaker half wrong
    different[200:] = different[200:, ::-1]  # two speakers wholly wrong
    width = {}
    for name, probabilities in (("alike", alike), ("different", different)):
        found = metric.compute(predictions=probabilities, references=references, speakers=speakers)
        low, high = found["interval"]["accuracy"]
        assert low <= found["accuracy"] == 0.5 <= high
        width[name] = high - low
    assert width["alike"] == pytest.approx(0) and width["different"] > 0.5


def test_without_speakers_or_with_one_there_is_no_interval(metric):
    probabilities, references, _ = random_evaluation()
    assert metric.compute(predictions=probabilities, references=references)["interval"] is None
    one = metric.compute(predictions=probabilities, references=references, speakers=["a"] * len(references))
    assert one["interval"] is None and one["n_speakers"] == 1


def test_own_labels_rule_the_others_out(metric):
    probabilities = np.asarray([[0.1, 0.3, 0.6], [0.5, 0.2, 0.3]])
    references = [1, 0]
    assert metric.compute(predictions=probabilities, references=references)["accuracy"] == 0.5
    found = metric.compute(predictions=probabilities, references=references, own_labels=[[0, 1]] * 2)
    assert found["accuracy"] == 1.0
    assert [bin["confidence"] for bin in found["reliability"]] == pytest.approx([0.5 / 0.7, 0.75])


def test_calibration_error_of_a_known_case(metric):
    """Ten clips at a confidence of 0.8, half of them right: the error is 0.3."""
    probabilities = np.tile([0.8, 0.2], (10, 1))
    found = metric.compute(predictions=probabilities, references=[0, 1] * 5)
    assert found["expected_calibration_error"] == pytest.approx(0.3, abs=1e-6)
