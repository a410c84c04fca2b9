"""What a checkpoint knows of recordings that are not like its training data: how unlike they are, and how to adapt."""

from collections.abc import Sequence

import torch
from torch import nn

from .speech_mel_cnn import no_speech

PIECE = 3.0  # seconds, as the clips that are trained on
MOST_PIECES = 200  # more make no difference, and take their time
HALF_WAY = 5  # pieces that adapt half way; chosen on corpora that were not trained on (EXPERIMENTS.md)


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
    """Lowers the bias of a classifier's head, in place, where its mean logit over some pieces of speech lies above the others'."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    embeddings = torch.cat([model.mel_cnn(piece[None].to(device), return_dict=True).pooler_output for piece in pieces])
    favour = model.classifier(embeddings).float().mean(0)
    model.classifier.bias -= len(pieces) / (len(pieces) + HALF_WAY) * (favour - favour.mean())
    model.train(was_training)
