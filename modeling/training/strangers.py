"""After training: BatchNorm's statistics of clean clips, and what `unlikeness` is measured against."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from torch.nn.modules.batchnorm import _BatchNorm

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.calibration import UNLIKE_TEMPERATURE
from modeling.training.data import Clips

STATISTICS_CLIPS = 400  # of which BatchNorm's statistics are taken
PIECE = 2.0  # seconds: in pieces of one length, because padding would count
PIECES_AT_ONCE = 40
UNLIKENESS_CLIPS = 2_000  # of which the spread of the training data is taken
SHARE_BELOW = (
    0.95  # of the validation clips, whose voices are new and whose studios are known, has an unlikeness below 1
)


@torch.no_grad()
def use_clean_statistics(model: MelCNNForAudioClassification, clips: Clips, order: Iterable[int]) -> None:
    """Takes BatchNorm's statistics anew, over clean clips: those that training leaves are of augmented ones."""
    waveforms = [torch.from_numpy(clips[index]["input_values"]) for index in islice(order, STATISTICS_CLIPS)]
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    was_training = model.training
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    for pieces in _pieces(waveforms, round(PIECE * model.config.sampling_rate)).split(PIECES_AT_ONCE):
        model.mel_cnn(pieces.to(model.device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(was_training)


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


def _pieces(waveforms: Sequence[torch.Tensor], length: int) -> torch.Tensor:
    """All clips in pieces of one length, `(n_pieces, length)`, evenly drawn where they are many; what is shorter is repeated."""

    def cut(waveform: torch.Tensor) -> Iterator[torch.Tensor]:
        for start in range(0, max(len(waveform) - length // 2, 1), length):
            piece = waveform[start : start + length]
            yield piece.repeat(-(-length // len(piece)))[:length]

    pieces = [piece for waveform in waveforms for piece in cut(waveform)]
    chosen = torch.linspace(0, len(pieces) - 1, min(len(pieces), STATISTICS_CLIPS)).round().long()
    return torch.stack([pieces[index] for index in chosen])
