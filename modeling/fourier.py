"""The power spectrogram as matrix products, for runtimes whose Fourier transform is slow."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class PowerByProducts(nn.Module):
    """What [`PowerSpectrogram`] computes, by the first step of Cooley and Tukey (1965): two short transforms for a long one.

    Of `n_fft = n_1 * n_2` samples, sample `n_2 * t_1 + t_2` meets frequency `k_1 + n_1 * k_2` in a product with a matrix over
    `t_1` and one over `t_2`. In onnxruntime that takes a fifth of the time of its operator STFT.

    Args:
        spectrogram: A [`PowerSpectrogram`].
    """

    def __init__(self, spectrogram: nn.Module):
        super().__init__()
        config = spectrogram.config
        self.n_fft, self.hop_length = config.n_fft, config.hop_length
        self.n_1 = max(n for n in range(1, math.isqrt(self.n_fft) + 1) if self.n_fft % n == 0)
        self.n_2 = self.n_fft // self.n_1
        before = (self.n_fft - config.win_length) // 2
        window = F.pad(spectrogram.window, (before, self.n_fft - config.win_length - before))
        t_1, t_2 = torch.arange(self.n_1), torch.arange(self.n_2)
        k_1, k_2 = torch.arange(self.n_1)[:, None], torch.arange(self.n_2 // 2 + 1)
        first, between = _turn(k_1 * t_1, self.n_1), _turn(k_1 * t_2, self.n_fft)
        second = _turn(t_2[:, None] * k_2, self.n_2)
        self.register_buffer("window", window)
        self.register_buffer("first", torch.stack([first.real, first.imag]).float())
        self.register_buffer("between", torch.stack([between.real, between.imag]).float())
        self.register_buffer("of_real", torch.cat([second.real, second.imag], dim=1).float())
        self.register_buffer("of_imaginary", torch.cat([-second.imag, second.real], dim=1).float())

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """`(batch, n_samples)` to `(batch, n_bins, n_frames)`."""
        frames = self._frames(waveform).unflatten(-1, (self.n_1, self.n_2))
        # (batch, n_frames, t_1, t_2) -> (batch, n_frames, k_1, t_2)
        real, imaginary = self.first[0] @ frames, self.first[1] @ frames
        cosine, sine = self.between
        turned, turned_imaginary = real * cosine - imaginary * sine, real * sine + imaginary * cosine
        # -> (batch, n_frames, k_1, parts x k_2)
        spectrum = turned @ self.of_real + turned_imaginary @ self.of_imaginary
        real, imaginary = spectrum.chunk(2, dim=-1)
        power = (real * real + imaginary * imaginary).transpose(-1, -2).flatten(2)
        return power[..., : self.n_fft // 2 + 1].transpose(1, 2)

    def _frames(self, waveform: torch.Tensor) -> torch.Tensor:
        """Windowed frames, centred on multiples of the hop, `(batch, n_frames, n_fft)`."""
        n_hops = -(-self.n_fft // self.hop_length)  # that a frame touches
        n_frames = waveform.shape[1] // self.hop_length + 1
        padded = F.pad(waveform, (self.n_fft // 2, self.n_fft // 2 + n_hops * self.hop_length))
        hops = padded[:, : (n_frames + n_hops - 1) * self.hop_length].unflatten(1, (-1, self.hop_length))
        frames = torch.cat([hops[:, first : first + n_frames] for first in range(n_hops)], dim=-1)
        return frames[..., : self.n_fft] * self.window


def _turn(steps: torch.Tensor, n_steps: int) -> torch.Tensor:
    """The point of the unit circle so many steps back, of `n_steps` in all, in double precision."""
    angle = -2 * math.pi * (steps % n_steps).double() / n_steps
    return torch.polar(torch.ones_like(angle), angle)
