"""A voice and figures that nobody has."""

import numpy as np

LABELS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
RATE = 16_000  # Hz


def hum(pitch: float, seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """A buzz that moves as a voice does: syllables of a quarter of a second, a gliding pitch, changing vowels; `(n_samples,)`."""
    time_axis = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * pitch * (time_axis + 0.05 / (2 * np.pi * 1.7) * np.sin(2 * np.pi * 1.7 * time_axis))
    harmonics = sum(
        np.sin(n * phase) * (0.1 + np.sin(np.pi * (2.3 * time_axis + 0.37 * n)) ** 2) / n
        for n in range(1, 9)
        if 1.1 * pitch * n < rate / 2
    )
    noise = np.random.default_rng(seed).standard_normal(len(time_axis))
    return (0.25 * harmonics * (0.02 + np.sin(np.pi * 4 * time_axis) ** 2) + 0.002 * noise).astype(np.float32)


def evaluation() -> dict:
    """An evaluation as training writes it, with made-up figures."""
    confusion = (np.eye(8, dtype=int) * 60 + 5).tolist()
    figures = {
        "n_clips": 760,
        "n_speakers": 13,
        "accuracy": 0.641,
        "unweighted_average_recall": 0.632,
        "macro_f1": 0.63,
        "expected_calibration_error": 0.043,
        "recall": [0.65] * 8,
        "confusion": confusion,
        "interval": {name: [0.6, 0.68] for name in ("accuracy", "unweighted_average_recall")},
        "reliability": [
            {"n_clips": 60, "confidence": 0.5, "accuracy": 0.41},
            {"n_clips": 500, "confidence": 0.95, "accuracy": 0.93},
        ],
    }
    both = {"raw": figures, "own_labels": figures}
    return {
        "dataset": "build/corpus",
        "split": "validation",
        "protocol": "validation split",
        "synthetic": False,
        "unseen_speakers": True,
        "labels": LABELS,
        "all": both,
        "corpus": {"crema_d": both, "ravdess": both},
    }


def study() -> dict:
    """A study as `modeling.training.study` writes it, with made-up figures."""

    def figures(accuracy: float) -> dict:
        interval = {name: [accuracy - 0.05, accuracy + 0.05] for name in ("accuracy", "unweighted_average_recall")}
        shares = {"accuracy": accuracy, "unweighted_average_recall": accuracy, "interval": interval}
        sure = {"expected_calibration_error": 0.08, "sure_share": 0.5, "sure_accuracy": accuracy + 0.2}
        return {"n_clips": 1000, "n_speakers": 20, **shares, **sure}

    protocols = {
        "without-crema_d": {"protocol": "trained without crema_d, tested on it", "crema_d": figures(0.35)},
        "without-ravdess": {"protocol": "trained without ravdess, tested on it", "ravdess": figures(0.24)},
        "by-speaker": {"protocol": "5 of 5 folds by speaker", "all": figures(0.6), "crema_d": figures(0.57)},
    }
    return {"protocols": protocols, "robustness": {}, "test": {"all": figures(0.61), "crema_d": figures(0.62)}}
