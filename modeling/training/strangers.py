"""After training: BatchNorm's statistics of clean clips, and what `unlikeness` is measured against."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.strangers_mel_cnn import adapt_statistics
from modeling.training.calibration import UNLIKE_TEMPERATURE
from modeling.training.data import Clips

STATISTICS_CLIPS = 400  # of which BatchNorm's statistics are taken
UNLIKENESS_CLIPS = 2_000  # of which the spread of the training data is taken
SHARE_BELOW = (
    0.95  # of the validation clips, whose voices are new and whose studios are known, has an unlikeness below 1
)


def use_clean_statistics(model: MelCNNForAudioClassification, clips: Clips, order: Iterable[int]) -> None:
    """Takes BatchNorm's statistics anew, over clean clips: those that training leaves are of augmented ones."""
    waveforms = [torch.from_numpy(clips[index]["input_values"]) for index in islice(order, STATISTICS_CLIPS)]
    adapt_statistics(model.mel_cnn, waveforms, model.config.sampling_rate, share=1.0)


def measure_unlikeness(
    model: MelCNNForAudioClassification, clips: Clips, order: Iterable[int], validation: Clips
) -> None:
    """Fits the model's `unlikeness` to training clips; its unit is what most validation clips stay below.

    From then on the model is less sure of what is unlike.
    """
    unlikeness = model.mel_cnn.unlikeness
    known = _statistics(model, clips, islice(order, UNLIKENESS_CLIPS))
    covariance = LedoitWolf().fit(known).covariance_
    unlikeness.fit(torch.from_numpy(known.mean(0)), torch.from_numpy(covariance))
    new = torch.from_numpy(_statistics(model, validation, range(len(validation))))
    distances = (new - unlikeness.mean.cpu()) @ unlikeness.whitening.cpu()
    unit = np.quantile(distances.norm(dim=1), SHARE_BELOW)
    unlikeness.fit(torch.from_numpy(known.mean(0)), torch.from_numpy(covariance), unit=max(unit, 1e-6))
    model.config.unlike_temperature = UNLIKE_TEMPERATURE


@torch.no_grad()
def _statistics(model: MelCNNForAudioClassification, clips: Clips, order: Iterable[int]) -> np.ndarray:
    """What [`Unlikeness`] goes by, of every clip, `(n_clips, n_statistics)`."""
    unlikeness, found = model.mel_cnn.unlikeness, []
    hook = unlikeness.register_forward_pre_hook(lambda _, inputs: found.append(unlikeness.statistics(*inputs).cpu()))
    model.eval()
    for index in order:
        model.mel_cnn(torch.from_numpy(clips[index]["input_values"])[None].to(model.device))
    hook.remove()
    return torch.cat(found).numpy()
