"""The front end against librosa, and the masks behind it."""

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.layers_mel_cnn import LogMel, ResidualBlock
from tests.modeling.tiny import tiny_config, voice


@pytest.mark.parametrize("options", [{}, {"n_mels": 40, "n_fft": 1024, "hop_length": 256, "f_min": 50, "f_max": 7_600}])
def test_log_mel_equals_librosa(options):
    config = MelCNNConfig(**options)
    waveform = voice(1.0)
    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=config.sampling_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max,
        pad_mode="constant",
        htk=True,
        norm=None,
    )
    of_frames = power.mean(0)
    level = (of_frames**2).sum() / of_frames.sum()
    expected = (np.log(power / level + config.log_floor) - config.log_mel_mean) / config.log_mel_std
    spectrogram, mask = LogMel(config)(torch.from_numpy(waveform)[None])
    assert mask is None
    # Both compute in single precision; a thousandth of log_mel_std is 0.02 dB.
    np.testing.assert_allclose(spectrogram[0].numpy(), expected, atol=1e-3)


def test_neither_level_nor_silence_around_a_clip_changes_how_it_looks():
    log_mel, waveform = LogMel(MelCNNConfig()), torch.from_numpy(voice(1.0))
    spectrogram, _ = log_mel(waveform[None])
    for gain in (0.03, 0.3, 10.0):
        torch.testing.assert_close(log_mel(gain * waveform[None])[0], spectrogram, atol=1e-3, rtol=0)
    n_frames, hop_length = 50, log_mel.config.hop_length
    silence = torch.zeros(n_frames * hop_length)
    surrounded, _ = log_mel(torch.cat([silence, waveform, silence])[None])
    inside = surrounded[..., n_frames : n_frames + spectrogram.shape[-1]]
    torch.testing.assert_close(inside[..., 2:-2], spectrogram[..., 2:-2], atol=0.02, rtol=0)


def test_digital_silence_is_not_raised_to_speech():
    log_mel, config = LogMel(MelCNNConfig()), MelCNNConfig()
    dither = torch.randint(-1, 2, (1, 16_000), generator=torch.Generator().manual_seed(0)) / 32_768
    assert log_mel(dither)[0].mean() < log_mel(torch.from_numpy(voice(1.0))[None])[0].mean()
    floor = (np.log(config.log_floor) - config.log_mel_mean) / config.log_mel_std
    torch.testing.assert_close(log_mel(torch.zeros(1, 16_000))[0], torch.full((1, 80, 51), float(floor)))


def test_mel_spectrogram_equals_torchaudio():
    """Published checkpoints learned from torchaudio's, which carries the same names."""
    config = MelCNNConfig()
    theirs = torchaudio.transforms.MelSpectrogram(
        sample_rate=config.sampling_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
        f_min=config.f_min,
        f_max=config.f_max,
        pad_mode="constant",
    )
    ours = LogMel(config).mel_spectrogram
    # Their filters were computed in single precision, ours in double.
    torch.testing.assert_close(ours.mel_scale.fb, theirs.mel_scale.fb, atol=1e-5, rtol=0)
    ours.load_state_dict(theirs.state_dict())
    waveform = torch.from_numpy(voice(1.0))[None]
    torch.testing.assert_close(ours(waveform), theirs(waveform), atol=0, rtol=1e-5)


def test_every_band_hears_something():
    assert (LogMel(MelCNNConfig()).mel_spectrogram.mel_scale.fb.sum(0) > 0).all()


def test_level_of_speech_is_about_zero_and_one():
    """The constants of the configuration fit speech at a usual level."""
    spectrogram, _ = LogMel(MelCNNConfig())(torch.from_numpy(voice(3.0))[None])
    assert abs(spectrogram.mean()) < 2
    assert 0.3 < spectrogram.std() < 2


@pytest.mark.parametrize("n_samples", [1, 159, 160, 161, 800, 16_000])
def test_frames_of_a_clip(n_samples):
    log_mel = LogMel(tiny_config())
    waveform = torch.zeros(1, 20_000)
    waveform[:, :n_samples] = torch.randn(n_samples)
    mask = (torch.arange(20_000) < n_samples).int()[None]
    alone, _ = log_mel(waveform[:, :n_samples])
    padded, frame_mask = log_mel(waveform, mask)
    n_frames = alone.shape[-1]
    assert n_frames == n_samples // 160 + 1 == int(frame_mask.sum())
    torch.testing.assert_close(padded[..., :n_frames], alone)
    assert not padded[..., n_frames:].any()


def test_fixed_window_crops_and_pads():
    log_mel = LogMel(tiny_config(architecture="plain"))
    long = torch.randn(1, 80_000)
    expected, _ = log_mel(long[:, :48_000])
    torch.testing.assert_close(log_mel(long)[0], expected)
    assert log_mel(long[:, :800])[0].shape == expected.shape


def test_half_precision_leaves_the_front_end_alone():
    log_mel = LogMel(tiny_config())
    waveform = torch.from_numpy(voice(0.5))[None]
    expected, _ = log_mel(waveform)
    for converted in (log_mel.half(), log_mel.to(torch.bfloat16), log_mel.double()):
        torch.testing.assert_close(converted(waveform)[0], expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(log_mel(waveform)[0], expected)


def test_mean_over_a_long_clip_fits_half_precision():
    block = ResidualBlock(8, 8, (1, 1)).eval().half()
    torch.nn.init.constant_(block.norm_2.bias, 20.0)
    hidden_state, frame_mask = torch.zeros(1, 8, 1, 8_000).half(), torch.ones(1, 1, 1, 8_000).half()
    masked, _ = block(hidden_state, frame_mask)
    torch.testing.assert_close(masked, block(hidden_state, None)[0], atol=0.05, rtol=0)
