"""Accuracy, unweighted average recall, macro F1 and calibration error, with intervals bootstrapped over speakers."""

import datasets
import evaluate
import numpy as np

_DESCRIPTION = """
Figures of merit of an emotion classifier on speakers that it has not met. `unweighted_average_recall` (UAR) is the mean
recall over the classes that occur. Intervals hold 95 % of the figures on speakers drawn again with replacement.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: Probabilities of every clip, (n_clips, n_labels).
    references: Index of the true label of every clip, (n_clips,).
    speakers: Speaker of every clip, (n_clips,); without it there are no intervals.
    own_labels: Indices of the labels that are possible for a clip, (n_clips, any number): the others are ruled out and
        the probabilities renormalised. A corpus that has no calm voices is then not asked for them.
    threshold: Below this probability of the best label an answer is not sure; one for all clips, or (n_clips,).
    n_bootstrap: Number of draws.
Returns:
    n_clips, n_speakers, accuracy, unweighted_average_recall, macro_f1, expected_calibration_error (15 bins), recall (a
    list, one for each label; None where it does not occur), sure_share and sure_accuracy (of the answers that are sure; the
    accuracy is None where there are none), confusion (rows: truth), interval (name: [low, high]),
    reliability (per bin: n_clips, confidence, accuracy).
"""

N_BINS = 15


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class EmotionMetrics(evaluate.Metric):
    """See the description above; loaded by `evaluate.load("path/to/metrics.py")`."""

    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features(
                {"predictions": datasets.Sequence(datasets.Value("float32")), "references": datasets.Value("int64")}
            ),
        )

    def _compute(self, predictions, references, speakers=None, own_labels=None, threshold=0.0, n_bootstrap=1000):
        probabilities, references = np.asarray(predictions, dtype=np.float64), np.asarray(references)
        if own_labels is not None:
            probabilities = _restricted(probabilities, own_labels)
        names, clip_speaker = np.unique(["" for _ in references] if speakers is None else speakers, return_inverse=True)
        confusion, reliability = _sums_by_speaker(probabilities, references, clip_speaker, len(names))
        figures = _figures(confusion.sum(0), reliability.sum(0))
        recall = _recall(confusion.sum(0))
        bins = reliability.sum(0)
        sure = probabilities.max(1) >= threshold
        right = probabilities.argmax(1) == references
        return {
            "n_clips": len(references),
            "n_speakers": None if speakers is None else len(names),
            **{name: float(value) for name, value in figures.items()},
            "recall": [None if np.isnan(value) else float(value) for value in recall],
            "sure_share": float(sure.mean()),
            "sure_accuracy": float(right[sure].mean()) if sure.any() else None,
            "confusion": confusion.sum(0).astype(int).tolist(),
            "reliability": [
                {"n_clips": int(n), "confidence": float(confidence / n), "accuracy": float(correct / n)}
                for n, confidence, correct in bins
                if n
            ],
            "interval": _intervals(confusion, reliability, n_bootstrap) if len(names) > 1 else None,
        }


def _restricted(probabilities: np.ndarray, own_labels: list) -> np.ndarray:
    allowed = np.zeros_like(probabilities, dtype=bool)
    for row, labels in enumerate(own_labels):
        allowed[row, list(labels)] = True
    probabilities = np.where(allowed, np.maximum(probabilities, 1e-30), 0.0)
    return probabilities / probabilities.sum(1, keepdims=True)


def _sums_by_speaker(probabilities, references, clip_speaker, n_speakers):
    """Confusion matrices (n_speakers, n_labels, n_labels) and sums over confidence bins (n_speakers, n_bins, 3)."""
    n_labels = probabilities.shape[1]
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    confusion = np.zeros((n_speakers, n_labels, n_labels))
    np.add.at(confusion, (clip_speaker, references, predicted), 1)
    reliability = np.zeros((n_speakers, N_BINS, 3))
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    columns = np.stack([np.ones_like(confidence), confidence, predicted == references], axis=1)
    np.add.at(reliability, (clip_speaker, bins), columns)
    return confusion, reliability


def _recall(confusion: np.ndarray) -> np.ndarray:
    """Recall of every label from matrices (..., n_labels, n_labels); nan where a label does not occur."""
    support = confusion.sum(-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.divide(hits, support, out=np.full(support.shape, np.nan), where=support > 0)


def _figures(confusion: np.ndarray, reliability: np.ndarray) -> dict:
    """Each figure from sums of shape (..., n_labels, n_labels) and (..., n_bins, 3)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, claimed = confusion.sum(-1), confusion.sum(-2)
    n_clips = support.sum(-1)
    occurs = support + claimed > 0
    f1 = np.divide(2 * hits, support + claimed, out=np.zeros_like(hits), where=occurs)
    gap = np.abs(reliability[..., 1] - reliability[..., 2]).sum(-1)
    return {
        "accuracy": hits.sum(-1) / n_clips,
        "unweighted_average_recall": np.nanmean(_recall(confusion), axis=-1),
        "macro_f1": f1.sum(-1) / occurs.sum(-1),
        "expected_calibration_error": gap / n_clips,
    }


def _intervals(confusion: np.ndarray, reliability: np.ndarray, n_bootstrap: int) -> dict:
    n_speakers = len(confusion)
    draws = np.random.default_rng(0).multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), n_bootstrap)
    figures = _figures(np.tensordot(draws, confusion, 1), np.tensordot(draws, reliability, 1))
    return {name: np.percentile(values, [2.5, 97.5]).tolist() for name, values in figures.items()}
