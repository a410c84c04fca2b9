"""After training: BatchNorm's statistics of clean clips, what `unlikeness` is measured against, and whether it knows strangers."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.calibration import UNLIKE_TEMPERATURE
from modeling.training.data import Clips, evenly

STATISTICS_CLIPS = 400  # of which BatchNorm's statistics are taken
PIECE = 2.0  # seconds: in pieces of one length, because padding would count
PIECES_AT_ONCE = 40
UNLIKENESS_CLIPS = 2_000  # of which the spread of the training data is taken
COMPARED_CLIPS = 400  # of what is known and of a stranger each
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
    unlikeness, chosen = model.mel_cnn.unlikeness, list(islice(order, UNLIKENESS_CLIPS))
    names, corpora = np.unique([clips.corpora[index] for index in chosen], return_inverse=True)
    first, last = _statistics(model, clips, chosen)
    axes = np.linalg.eigh(np.cov(within_corpora(last, corpora).T))[1]  # the strongest one comes last
    directions = axes[:, -unlikeness.directions.shape[1] :]
    known = np.hstack([first, last @ directions])
    variances, axes = np.linalg.eigh(LedoitWolf(assume_centered=True).fit(within_corpora(known, corpora)).covariance_)
    whitening = axes / np.sqrt(variances.clip(1e-10))
    centres = np.stack([known[corpora == corpus].mean(0) for corpus in range(len(names))]) @ whitening
    unlikeness.fit(directions, whitening, centres)
    distances = hear(model, validation, range(len(validation)), "unlikeness")
    unit = max(np.quantile(distances, SHARE_BELOW), 1e-6)
    unlikeness.fit(directions, whitening / unit, centres / unit)
    model.config.n_corpora, model.config.unlike_temperature = len(names), UNLIKE_TEMPERATURE


def recognise_strangers(model: MelCNNForAudioClassification, known: Clips, unheard: Clips) -> dict[str, float]:
    """How well `unlikeness` tells a corpus that was never heard from new voices of those that were.

    Returns:
        `unlikeness_auroc`: Area under the ROC curve; 0.5 is by chance. `unlike_share`: Of the unheard corpus's clips, those above 1,
        which are said to be unlike. By 400 clips each.
    """
    distances = [hear(model, clips, evenly(len(clips), COMPARED_CLIPS), "unlikeness") for clips in (known, unheard)]
    is_unheard = np.repeat([0, 1], [len(part) for part in distances])
    return {
        "unlikeness_auroc": float(roc_auc_score(is_unheard, np.concatenate(distances))),
        "unlike_share": float((distances[1] > 1).mean()),
    }


def note_uncommon_labels(model: MelCNNForAudioClassification, clips: Clips) -> None:
    """Tells the model which labels most of the corpora lack, so that it expects them no more often where it adapts."""
    labels = labels_by_corpus(clips)
    n_corpora = Counter(label for found in labels.values() for label in found)
    uncommon = [label for label in range(model.config.num_labels) if n_corpora[label] < len(labels) / 2]
    model.config.uncommon_labels = uncommon


def labels_by_corpus(clips: Clips) -> dict[str, set[int]]:
    """Which labels every corpus has."""
    labels = defaultdict(set)
    for corpus, label in zip(clips.corpora, clips.labels, strict=True):
        labels[corpus].add(label)
    return labels


def within_corpora(statistics: np.ndarray, corpora: np.ndarray) -> np.ndarray:
    """What is left of `(n_clips, n_statistics)` without the mean of each clip's corpus."""
    means = np.stack([statistics[corpora == corpus].mean(0) for corpus in range(corpora.max() + 1)])
    return statistics - means[corpora]


@torch.no_grad()
def hear(model: MelCNNForAudioClassification, clips: Clips, order: Iterable[int], output: str) -> np.ndarray:
    """One of the outputs of [`MelCNNModel`], of whole clips one by one, `(n_clips, ...)`."""
    model.eval()
    indices = tqdm(order, desc="hearing clips")
    waveforms = (torch.from_numpy(clips[index]["input_values"])[None].to(model.device) for index in indices)
    return torch.cat([model.mel_cnn(waveform, return_dict=True)[output] for waveform in waveforms]).cpu().numpy()


def _statistics(model: MelCNNForAudioClassification, clips: Clips, order: Iterable[int]) -> tuple[np.ndarray, ...]:
    """What [`Unlikeness`] goes by, of first and last features of every clip, `(n_clips, n_statistics)` each."""
    unlikeness, found = model.mel_cnn.unlikeness, []
    hook = unlikeness.register_forward_pre_hook(lambda _, inputs: found.append(unlikeness.statistics(*inputs)))
    hear(model, clips, order, "unlikeness")
    hook.remove()
    return tuple(torch.cat(part).cpu().numpy() for part in zip(*found, strict=True))


def _pieces(waveforms: Sequence[torch.Tensor], length: int) -> torch.Tensor:
    """All clips in pieces of one length, `(n_pieces, length)`, evenly drawn where they are many; what is shorter is repeated."""

    def cut(waveform: torch.Tensor) -> Iterator[torch.Tensor]:
        for start in range(0, max(len(waveform) - length // 2, 1), length):
            piece = waveform[start : start + length]
            yield piece.repeat(-(-length // len(piece)))[:length]

    pieces = [piece for waveform in waveforms for piece in cut(waveform)]
    chosen = torch.linspace(0, len(pieces) - 1, min(len(pieces), STATISTICS_CLIPS)).round().long()
    return torch.stack([pieces[index] for index in chosen])
