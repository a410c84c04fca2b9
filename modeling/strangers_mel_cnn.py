"""What a checkpoint knows of recordings that are not like its training data: how unlike they are, and how to adapt."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from .speech_mel_cnn import no_speech

N_DIRECTIONS = 16  # of the last features; more see other corpora less well (EXPERIMENTS.md)
# Unlikeness from which on a clip gets some of the `unlike_temperature`, and the whole of it (EXPERIMENTS.md).
SLIGHTLY_UNLIKE, CLEARLY_UNLIKE = 0.8, 1.1
PIECE = 3.0  # seconds, as the clips that are trained on
MOST_PIECES = 200  # more make no difference, and take their time
HALF_WAY = 5  # pieces that adapt half way; chosen on corpora that were not trained on (EXPERIMENTS.md)


class Unlikeness(nn.Module):
    """How far a clip lies from the nearest of the corpora that were trained on (Mahalanobis distance within a corpus).

    It goes by mean and standard deviation over time of every channel: of the first features, which tell microphones, rooms and
    codecs apart, and of the last ones along the directions in which clips of a corpus differ most. In units of what 95 % of
    the clips of new voices in known studios stay below. Where `fit` was not called, it is 0.

    Args:
        n_first, n_last: Channels of the first and the last features.
        n_corpora: That were trained on.
    """

    def __init__(self, n_first: int, n_last: int, n_corpora: int):
        super().__init__()
        n_directions = min(N_DIRECTIONS, 2 * n_last)
        n_statistics = 2 * n_first + n_directions
        self.register_buffer("directions", torch.zeros(2 * n_last, n_directions))
        self.register_buffer("whitening", torch.zeros(n_statistics, n_statistics))
        self.register_buffer("centres", torch.zeros(n_corpora, n_statistics))

    def forward(self, stages: Sequence[tuple[torch.Tensor, torch.Tensor | None]]) -> torch.Tensor:
        """Features of every stage, `(batch, n_channels, n_bands, n_frames)`, with masks `(batch, 1, 1, n_frames)`, to `(batch,)`."""
        first, last = self.statistics(stages)
        statistics = torch.cat([first, last @ self.directions.float()], dim=1)
        whitened = statistics @ self.whitening.float()
        return (whitened[:, None] - self.centres.float()).norm(dim=2).amin(1)

    @staticmethod
    def statistics(stages: Sequence[tuple[torch.Tensor, torch.Tensor | None]]) -> list[torch.Tensor]:
        """Mean and deviation over real frames of every channel of the first and the last features, `(batch, 2 * n_channels)` each."""
        return [_over_time(features.detach().float(), frame_mask) for features, frame_mask in (stages[0], stages[-1])]

    def fit(self, directions: np.ndarray, whitening: np.ndarray, centres: np.ndarray) -> None:
        """Sets the directions of the last features, what whitens the statistics, and the corpora's whitened centres."""
        for name, values in {"directions": directions, "whitening": whitening, "centres": centres}.items():
            setattr(self, name, torch.from_numpy(values).to(self.get_buffer(name)))


def _over_time(features: torch.Tensor, frame_mask: torch.Tensor | None) -> torch.Tensor:
    frames = features.mean(2)
    weights = torch.ones_like(frames[:, :1]) if frame_mask is None else frame_mask[:, 0].float()
    weights = weights / weights.sum(-1, keepdim=True)
    mean = (frames * weights).sum(-1, keepdim=True)
    variance = ((frames - mean).square() * weights).sum(-1)
    return torch.cat([mean.squeeze(-1), variance.clamp(min=0).sqrt()], dim=1)


def pieces_of_speech(waveforms: Sequence[torch.Tensor], sampling_rate: float) -> list[torch.Tensor]:
    """Waveforms in pieces of some 3 s, `(n_samples,)` each, without those that are no speech; evenly drawn where they are many.

    Raises:
        ValueError: There is no speech at all.
    """
    length = PIECE * sampling_rate
    pieces = [piece for waveform in waveforms for piece in waveform.tensor_split(max(round(len(waveform) / length), 1))]
    pieces = [piece for piece in pieces if no_speech(piece.numpy(), sampling_rate) is None]
    if not pieces:
        raise ValueError(
            f"None of {len(waveforms)} clips to adapt to is speech, and 1 at least is needed: silence and tones tell nothing "
            "of a voice. Record some speech."
        )
    chosen = torch.linspace(0, len(pieces) - 1, min(len(pieces), MOST_PIECES)).round().long()
    return [pieces[index] for index in chosen]


@torch.no_grad()
def take_back_favour(model: nn.Module, pieces: Sequence[torch.Tensor]) -> None:
    """Lowers the bias of a classifier's head, in place, where its mean logit over some pieces of speech lies above the others'.

    Labels that most corpora lack are left alone: a place that lacks them too would else get as many of them as of the others.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    embeddings = torch.cat([model.mel_cnn(piece[None].to(device), return_dict=True).pooler_output for piece in pieces])
    favour = model.classifier(embeddings).float().mean(0)
    common = [index for index in range(len(favour)) if index not in model.config.uncommon_labels]
    share = len(pieces) / (len(pieces) + HALF_WAY)
    model.classifier.bias[common] -= share * (favour[common] - favour[common].mean())
    model.train(was_training)
