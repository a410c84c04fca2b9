"""The mel spectrogram by products is the one by Fourier transform."""

import pytest
import torch

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.fourier import MelSpectrogramByProducts
from modeling.layers_mel_cnn import LogMel


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 40},
        {"n_fft": 600, "win_length": 599, "hop_length": 250, "n_mels": 40},
        {"n_fft": 405, "win_length": 400, "hop_length": 81, "n_mels": 40},
        {"n_fft": 509, "win_length": 509, "hop_length": 512, "n_mels": 40},
    ],
    ids=["default", "shorter window", "no power of two", "odd", "prime, and frames apart"],
)
@pytest.mark.parametrize("n_samples", [1, 800, 16_001])
def test_products_equal_the_transform(sizes, n_samples):
    exact = LogMel(MelCNNConfig(**sizes)).mel_spectrogram
    waveform = 0.1 * torch.randn(2, n_samples, generator=torch.Generator().manual_seed(0))
    expected, found = exact(waveform), MelSpectrogramByProducts(exact)(waveform)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * max(expected.max().item(), 1e-6))
