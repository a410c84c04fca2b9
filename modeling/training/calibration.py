"""Temperature and threshold, chosen on validation, that make a checkpoint's probabilities mean what they say."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.isotonic import IsotonicRegression
from transformers import PreTrainedModel

# What made calibration errors smallest on corpora that were not trained on (EXPERIMENTS.md).
UNLIKE_TEMPERATURE = 1.0


def calibrate(model: PreTrainedModel, logits: torch.Tensor, labels: np.ndarray) -> None:
    """Sets the model's temperature and threshold.

    Args:
        model: Its configuration is changed.
        logits: What the model, at a temperature of 1, says to clips that it was not trained on, `(n_clips, n_labels)`.
        labels: Index of the true label, `(n_clips,)`.
    """
    model.config.calibration_temperature = choose_temperature(logits, labels)
    probabilities = torch.softmax(logits / model.config.calibration_temperature, -1).numpy()
    model.config.unsure_threshold = choose_threshold(probabilities, labels)


def choose_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that makes the true labels likeliest (Guo et al., 2017).

    Args:
        logits: Uncalibrated, `(n_clips, n_labels)`.
        labels: Index of the true label, `(n_clips,)`.
    """
    logits, labels = torch.as_tensor(logits, dtype=torch.float64), torch.as_tensor(labels)
    temperatures = torch.logspace(-1, 1, 401, dtype=torch.float64)
    losses = torch.stack([F.cross_entropy(logits / temperature, labels) for temperature in temperatures])
    return round(temperatures[losses.argmin()].item(), 4)


def choose_threshold(probabilities: np.ndarray, labels: np.ndarray, accuracy: float = 0.5) -> float:
    """The lowest probability of the best label at which an answer is right often enough.

    How often it is right grows with its probability: isotonic regression finds the steps. The mean of all answers
    that are given would say nothing of the unsurest, and be reached without leaving any out.

    Args:
        probabilities: Calibrated, `(n_clips, n_labels)`.
        labels: Index of the true label, `(n_clips,)`.
        accuracy: Share of right answers that is wanted among answers of this probability.

    Returns:
        The threshold; that of the surest tenth of the clips where fewer are right often enough.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    often_enough = confidence[IsotonicRegression().fit_transform(confidence, right) >= accuracy]
    surest_tenth = np.sort(confidence)[-math.ceil(len(confidence) / 10) :]
    lowest = min(surest_tenth.min(), often_enough.min(initial=1.0))
    return math.floor(lowest * 1e4) / 1e4  # rounded down, so that this clip is still answered
