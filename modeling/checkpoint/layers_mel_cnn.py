"""Layers of the mel-spectrogram CNN, in the order in which a clip passes them."""

from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers.audio_utils import mel_filter_bank

from .configuration_mel_cnn import MelCNNConfig

LOWEST_LEVEL = (
    1e-4  # of mel power, some 70 dB below full scale: what is softer is left soft, rather than raised with its hiss
)


class LogMel(nn.Module):
    """Normalised log-mel spectrogram: `(batch, n_samples)` to `(batch, n_mels, n_frames)`, always in float32."""

    def __init__(self, config: MelCNNConfig):
        super().__init__()
        self.config = config
        self.mel_spectrogram = nn.Sequential(
            OrderedDict(spectrogram=PowerSpectrogram(config), mel_scale=MelScale(config))
        )

    def forward(self, waveform: torch.Tensor, attention_mask: torch.Tensor | None = None):
        """Returns the spectrogram and its mask `(batch, 1, n_frames)`, or None where all are real."""
        if self.config.window_length:
            waveform, attention_mask = F.pad(waveform, (0, self.config.window_length - waveform.shape[1])), None
        with torch.autocast(waveform.device.type, enabled=False):
            power = self.mel_spectrogram(waveform.float())
            frame_mask = None
            if attention_mask is not None:
                # A frame after the first is real where the sample before its centre is.
                before_centres = attention_mask[:, None, self.config.hop_length - 1 :: self.config.hop_length]
                frame_mask = F.pad(before_centres.to(power.dtype), (1, 0), value=1.0)
                power = power * frame_mask
            log_mel = torch.log(power / level(power) + self.config.log_floor)
        spectrogram = (log_mel - self.config.log_mel_mean) / self.config.log_mel_std
        return (spectrogram if frame_mask is None else spectrogram * frame_mask), frame_mask

    def _apply(self, fn, recurse=True):
        """Follows the model to another device, but not into half precision, which would spoil the spectrogram."""

        def keep_dtype(tensor):
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(keep_dtype, recurse)


def level(power: torch.Tensor) -> torch.Tensor:
    """Level of every clip of `(batch, n_mels, n_frames)`, `(batch, 1, 1)`: the mean power of its frames, weighted by itself.

    The weights make silence around the speech count for nothing. How loud a microphone is set says nothing of emotion.
    """
    of_frames = power.mean(1)
    of_clips = of_frames.square().sum(-1) / of_frames.sum(-1).clamp(min=LOWEST_LEVEL)
    return of_clips.clamp(min=LOWEST_LEVEL)[:, None, None]


class PowerSpectrogram(nn.Module):
    """Power of every frequency, in frames that are centred on multiples of the hop: `(batch, n_bins, n_frames)`.

    Of torch alone: torchaudio's own is not exported strictly, and its squared absolute value takes half as long again.
    """

    def __init__(self, config: MelCNNConfig):
        super().__init__()
        self.config = config
        # from_pretrained builds on the meta device and in its dtype, in which these numbers cannot be computed.
        self.register_buffer("window", torch.hann_window(config.win_length, dtype=torch.float32, device="cpu"))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(
            waveform,
            self.config.n_fft,
            self.config.hop_length,
            self.config.win_length,
            self.window,
            pad_mode="constant",  # "reflect" would make the last frames depend on the padding
            return_complex=True,
        )
        return spectrum.real.square() + spectrum.imag.square()


class MelScale(nn.Module):
    """`(batch, n_bins, n_frames)` to `(batch, n_mels, n_frames)`: triangles of height one on HTK's scale."""

    def __init__(self, config: MelCNNConfig):
        super().__init__()
        edges = (config.f_min, config.f_max, config.sampling_rate)
        filters = mel_filter_bank(config.n_fft // 2 + 1, config.n_mels, *edges, dtype=np.float32)
        self.register_buffer("fb", torch.from_numpy(filters))

    def forward(self, power: torch.Tensor) -> torch.Tensor:
        return (power.transpose(1, 2) @ self.fb).transpose(1, 2)


class ResidualEncoder(nn.Module):
    """`(batch, n_mels, n_frames)` to the output of every stage with its frame mask `(batch, 1, 1, n_frames)`.

    The stem and every stage after the first halve the frequency axis; time is halved three times in all.
    """

    def __init__(self, config: MelCNNConfig):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, config.width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(config.width), nn.ReLU()
        )
        self.stages = nn.ModuleList()
        n_channels = config.width
        for stage, depth in enumerate(config.depths):
            strides = [(1, 1), (2, 2), (2, 2)][stage] if stage < 3 else (2, 1)
            blocks = nn.ModuleList()
            for block in range(depth):
                blocks.append(ResidualBlock(n_channels, config.width * 2**stage, strides if block == 0 else (1, 1)))
                n_channels = config.width * 2**stage
            self.stages.append(blocks)

    def forward(self, hidden_state: torch.Tensor, frame_mask: torch.Tensor | None):
        hidden_state = self.stem(hidden_state.unsqueeze(1))
        if frame_mask is not None:
            frame_mask = frame_mask[:, None, :, ::2].to(hidden_state.dtype)
            hidden_state = hidden_state * frame_mask
        stages = []
        for blocks in self.stages:
            for block in blocks:
                hidden_state, frame_mask = block(hidden_state, frame_mask)
            stages.append((hidden_state, frame_mask))
        return stages


class ResidualBlock(nn.Module):
    """Two convolutions, squeeze-and-excitation over real frames, and a shortcut.

    Padded frames are set to zero after each convolution, because the bias of BatchNorm makes them non-zero again. In
    training they do count, as zeros, in the batch statistics.
    """

    def __init__(self, n_inputs: int, n_outputs: int, strides: tuple[int, int], reduction: int = 4):
        super().__init__()
        self.strides = strides
        self.convolution_1 = nn.Conv2d(n_inputs, n_outputs, 3, strides, padding=1, bias=False)
        self.norm_1 = nn.BatchNorm2d(n_outputs)
        self.convolution_2 = nn.Conv2d(n_outputs, n_outputs, 3, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(n_outputs)
        self.squeeze = nn.Linear(n_outputs, n_outputs // reduction)
        self.excite = nn.Linear(n_outputs // reduction, n_outputs)
        self.shortcut = nn.Identity()
        if n_inputs != n_outputs or strides != (1, 1):
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_inputs, n_outputs, 1, strides, bias=False), nn.BatchNorm2d(n_outputs)
            )

    def forward(self, inputs: torch.Tensor, frame_mask: torch.Tensor | None):
        hidden_state = F.relu(self.norm_1(self.convolution_1(inputs)))
        if frame_mask is not None:
            frame_mask = frame_mask[..., :: self.strides[1]]
            hidden_state = hidden_state * frame_mask
        hidden_state = self.norm_2(self.convolution_2(hidden_state))
        if frame_mask is None:
            mean = hidden_state.mean((2, 3))
        else:
            weights = frame_mask[:, 0] / frame_mask[:, 0].sum(-1, keepdim=True)
            mean = (hidden_state.mean(2) * weights).sum(-1)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))[:, :, None, None]
        hidden_state = F.relu(hidden_state * gate + self.shortcut(inputs))
        return (hidden_state if frame_mask is None else hidden_state * frame_mask), frame_mask


class AttentiveStatisticsPooling(nn.Module):
    """Mean and standard deviation over real frames, weighted by attention (Okabe et al., 2018)."""

    floor = 1e-4  # of the variance

    def __init__(self, config: MelCNNConfig):
        super().__init__()
        n_bands = -(-config.n_mels // 2 ** len(config.depths))
        n_channels = config.width * 2 ** (len(config.depths) - 1)
        self.projection = nn.Conv1d(n_channels * n_bands, config.hidden_size, 1, bias=False)
        self.norm = nn.BatchNorm1d(config.hidden_size)
        self.attention = nn.Sequential(
            nn.Conv1d(config.hidden_size, config.attention_size, 1),
            nn.Tanh(),
            nn.Conv1d(config.attention_size, config.hidden_size, 1),
        )
        self.embedding_size = 2 * config.hidden_size

    def forward(self, hidden_state: torch.Tensor, frame_mask: torch.Tensor | None) -> torch.Tensor:
        frames, _, mean, variance = self._statistics(hidden_state, frame_mask)
        # The floor bounds the gradient of the square root where frames do not differ.
        statistics = torch.cat([mean, variance.clamp(min=self.floor).sqrt()], dim=1)
        return statistics.squeeze(-1).to(frames.dtype)

    def gradient(
        self, hidden_state: torch.Tensor, frame_mask: torch.Tensor | None, direction: torch.Tensor
    ) -> torch.Tensor:
        """Gradient by `hidden_state` of the embedding's product with `direction`, `(batch, embedding_size)`.

        In closed form, for a network in evaluation mode, because what autograd computes cannot be exported.
        """
        frames, weights, mean, variance = self._statistics(hidden_state, frame_mask)
        by_mean, by_deviation = direction.float()[..., None].chunk(2, dim=1)
        by_variance = by_deviation / (2 * variance.clamp(min=self.floor).sqrt()) * (variance > self.floor)
        distance = frames.float() - mean
        by_weight = by_mean * frames.float() + by_variance * distance**2
        by_score = weights * (by_weight - (weights * by_weight).sum(-1, keepdim=True))
        squeeze, tanh, excite = self.attention
        by_bottleneck = excite.weight.squeeze(-1).T @ by_score.to(frames.dtype) * (1 - tanh(squeeze(frames)) ** 2)
        by_frames = weights * (by_mean + 2 * by_variance * distance) + squeeze.weight.squeeze(-1).T @ by_bottleneck
        scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        by_product = by_frames.to(frames.dtype) * (frames > 0) * scale[:, None]
        return (self.projection.weight.squeeze(-1).T @ by_product).unflatten(1, hidden_state.shape[1:3])

    def _statistics(self, hidden_state: torch.Tensor, frame_mask: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """Frames and their weights, `(batch, hidden_size, n_frames)`; weighted mean and variance, `(..., 1)`."""
        # (batch, n_channels, n_bands, n_frames) -> (batch, n_channels x n_bands, n_frames)
        frames = hidden_state.flatten(1, 2)
        # As a product, because PyTorch computes so wide a convolution of a single clip five times as slowly.
        frames = F.relu(self.norm(self.projection.weight.squeeze(-1) @ frames))
        scores = self.attention(frames).float()
        if frame_mask is not None:
            scores = scores.masked_fill(frame_mask[:, 0] == 0, float("-inf"))
        weights = scores.softmax(-1)
        mean = (weights * frames.float()).sum(-1, keepdim=True)
        return frames, weights, mean, (weights * (frames.float() - mean) ** 2).sum(-1, keepdim=True)


class PlainEncoder(nn.Module):
    """Three blocks of convolution, convolution, max-pool, dropout: the architecture that the project started from."""

    def __init__(self, config: MelCNNConfig):
        super().__init__()
        self.stages = nn.ModuleList()
        n_channels = 1
        for stage in range(config.n_stages):
            n_outputs = config.width * 2**stage
            self.stages.append(
                nn.Sequential(
                    nn.Conv2d(n_channels, n_outputs, 3, padding=1),
                    nn.BatchNorm2d(n_outputs),
                    nn.ReLU(),
                    nn.Conv2d(n_outputs, n_outputs, 3, padding=1),
                    nn.BatchNorm2d(n_outputs),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                    nn.Dropout(config.dropout),
                )
            )
            n_channels = n_outputs

    def forward(self, hidden_state: torch.Tensor, frame_mask: None):
        hidden_state, stages = hidden_state.unsqueeze(1), []
        for stage in self.stages:
            hidden_state = stage(hidden_state)
            stages.append((hidden_state, frame_mask))
        return stages


class FlattenPooling(nn.Module):
    """A dense layer over all that the fixed window holds."""

    def __init__(self, config: MelCNNConfig):
        super().__init__()
        n_frames = config.window_length // config.hop_length + 1
        n_cells = (config.n_mels // 2**config.n_stages) * (n_frames // 2**config.n_stages)
        self.dense = nn.Linear(config.width * 2 ** (config.n_stages - 1) * n_cells, config.hidden_size)
        self.embedding_size = config.hidden_size

    def forward(self, hidden_state: torch.Tensor, frame_mask: None) -> torch.Tensor:
        return F.relu(self.dense(hidden_state.flatten(1)))

    def gradient(self, hidden_state: torch.Tensor, frame_mask: None, direction: torch.Tensor) -> torch.Tensor:
        """As that of [`AttentiveStatisticsPooling`]."""
        active = self(hidden_state, frame_mask) > 0
        return ((direction * active) @ self.dense.weight).view_as(hidden_state)
