"""What a checkpoint knows of recordings that are not like its training data: how unlike they are, and how to adapt."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

PIECE = 2.0  # seconds: statistics are taken over pieces of one length, because padding would count in them
MOST_PIECES = 400  # more make no difference, and take their time
PIECES_AT_ONCE = 40


class Unlikeness(nn.Module):
    """How unlike the training data a clip sounds, by the statistics of its first features (Mahalanobis distance).

    The mean and the standard deviation over time of every channel tell microphones, rooms and codecs apart. In units of
    what 95 % of the clips of new voices in known studios stay below. Where `fit` was not called, it is 0.

    Args:
        n_channels: Channels of the features.
    """

    def __init__(self, n_channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * n_channels))
        self.register_buffer("whitening", torch.zeros(2 * n_channels, 2 * n_channels))

    def forward(self, features: torch.Tensor, frame_mask: torch.Tensor | None) -> torch.Tensor:
        """`(batch, n_channels, n_bands, n_frames)` with its mask `(batch, 1, 1, n_frames)` to `(batch,)`."""
        deviation = self.statistics(features, frame_mask) - self.mean.float()
        return (deviation @ self.whitening.float()).norm(dim=1)

    @staticmethod
    def statistics(features: torch.Tensor, frame_mask: torch.Tensor | None) -> torch.Tensor:
        """Mean and standard deviation over real frames of every channel, `(batch, 2 * n_channels)`."""
        frames = features.float().mean(2)
        weights = torch.ones_like(frames[:, :1]) if frame_mask is None else frame_mask[:, 0].float()
        weights = weights / weights.sum(-1, keepdim=True)
        mean = (frames * weights).sum(-1, keepdim=True)
        variance = ((frames - mean).square() * weights).sum(-1)
        return torch.cat([mean.squeeze(-1), variance.clamp(min=0).sqrt()], dim=1)

    def fit(self, mean: torch.Tensor, covariance: torch.Tensor, unit: float = 1.0) -> None:
        """Sets the centre `(2 * n_channels,)`, the covariance around it, and the distance that counts as 1."""
        values, vectors = torch.linalg.eigh(covariance.double())
        self.mean.copy_(mean)
        self.whitening.copy_(vectors / values.clamp(min=1e-10).sqrt() / unit)


@torch.no_grad()
def adapt_statistics(model: nn.Module, waveforms: Sequence[torch.Tensor], sampling_rate: int, share: float) -> None:
    """Moves the statistics of every BatchNorm layer towards those of some clips, in place.

    Args:
        model: Takes waveforms `(batch, n_samples)`.
        waveforms: Mono waveforms at the model's rate, `(n_samples,)` each.
        sampling_rate: Hz.
        share: Of the clips' statistics in the result; the rest is what they were. 0 leaves the model as it is.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [(norm.running_mean.clone(), norm.running_var.clone(), norm.momentum) for norm in norms]
    was_training = model.training
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    device = next(model.parameters()).device
    for pieces in _pieces(waveforms, round(PIECE * sampling_rate)).split(PIECES_AT_ONCE):
        model(pieces.to(device))
    for norm, (mean, variance, momentum) in zip(norms, before, strict=True):
        norm.running_mean.lerp_(mean, 1 - share)
        norm.running_var.lerp_(variance, 1 - share)
        norm.momentum = momentum
    model.train(was_training)


def _pieces(waveforms: Sequence[torch.Tensor], length: int) -> torch.Tensor:
    """All clips in pieces of one length, `(n_pieces, length)`, evenly drawn where they are many; what is shorter is repeated."""

    def cut(waveform: torch.Tensor) -> Iterator[torch.Tensor]:
        for start in range(0, max(len(waveform) - length // 2, 1), length):
            piece = waveform[start : start + length]
            yield piece.repeat(-(-length // len(piece)))[:length]

    pieces = [piece for waveform in waveforms for piece in cut(waveform)]
    chosen = torch.linspace(0, len(pieces) - 1, min(len(pieces), MOST_PIECES)).round().long()
    return torch.stack([pieces[index] for index in chosen])
