"""Augmentation's effects, one by one: each acts, within its range."""

import math

import numpy as np
import pytest
import torch

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.training.augmentation import (
    add_noise,
    change_speed,
    change_voice,
    cut_start,
    equalize,
    limit_band,
    mix_up,
    reverberate,
    surround_by_quiet,
)
from tests.modeling.tiny import batch, voice

RATE = 16_000


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.15])
def test_speed_changes_pitch_and_length(factor):
    tone = torch.sin(2 * math.pi * 440 / RATE * torch.arange(RATE))[None]
    faster, lengths = change_speed(tone, torch.tensor([RATE]), factor)
    assert lengths.item() == pytest.approx(RATE / factor, abs=1)
    assert lengths.item() <= faster.shape[1]
    spectrum = torch.fft.rfft(faster[0, : lengths.item()]).abs()
    assert spectrum.argmax().item() * RATE / lengths.item() == pytest.approx(440 * factor, abs=3)


def test_cut_takes_the_start_alone():
    waveform = torch.arange(1, 1001.0).repeat(50, 1)
    cut, lengths = cut_start(waveform, torch.full((50,), 1000), longest=100)
    taken = 1000 - lengths
    assert taken.min() >= 0 and taken.max() <= 100 and taken.unique().numel() > 10
    for row, length in zip(cut, lengths, strict=True):
        assert row[:length].tolist() == list(range(1001 - length, 1001))
    _, lengths = cut_start(waveform, torch.full((50,), 10), longest=100)
    assert lengths.min() >= 8


def test_quiet_around_a_clip():
    clip = voice(1.0).astype(np.float32)
    peak = np.abs(clip).max()
    lengths = []
    for _ in range(50):
        quiet = surround_by_quiet(clip, 8_000, (40.0, 50.0), probability=1.0)
        lengths.append(len(quiet))
        assert quiet.dtype == np.float32
        start = np.correlate(quiet, clip, "valid").argmax()
        beneath = 20 * np.log10((quiet[start : start + RATE] - clip).std() / peak)
        assert -51 < beneath < -39
        around = np.abs(np.concatenate([quiet[:start], quiet[start + RATE :]]))
        assert around.max() < 0.06 * peak  # no speech is left there
    assert RATE <= min(lengths) < RATE + 6_000 and RATE + 10_000 < max(lengths) < RATE + 16_000
    assert sum(len(surround_by_quiet(clip, 8_000, (40.0, 50.0), 0.3)) > RATE for _ in range(200)) in range(40, 80)
    assert surround_by_quiet(np.zeros(100, np.float32), 50, (40.0, 90.0), 1.0).max() == 0  # silence stays silent


def test_reverberation_rings_on():
    click = torch.zeros(20, RATE)
    click[:, 100] = 1.0
    wet = reverberate(click, RATE, (0.1, 0.3), probability=1.0)
    assert (wet[:, 100] - 1).abs().max() < 0.8
    assert not wet[:, :100].abs().gt(1e-6).any()
    early, late = wet[:, 101:900].square().mean(1), wet[:, 3_000:3_800].square().mean(1)
    assert (early > 0).all() and (late < early).all()
    assert wet[:, 101 + round(0.3 * RATE) :].abs().max() < 1e-4
    assert torch.equal(reverberate(click, RATE, (0.1, 0.3), probability=0.0), click)
    share = (reverberate(click, RATE, (0.1, 0.3), probability=0.5) != click).any(1).float().mean()
    assert 0.2 < share < 0.8


@pytest.mark.parametrize("ratio", [0.0, 20.0])
def test_noise_is_as_loud_as_it_says(ratio):
    waveform = torch.from_numpy(voice(40.0)).view(40, RATE)
    lengths = torch.full((40,), RATE)
    noise = add_noise(waveform, lengths, (ratio, ratio), probability=1.0) - waveform
    measured = 10 * torch.log10(waveform.square().mean(1) / noise.square().mean(1))
    torch.testing.assert_close(measured, torch.full((40,), ratio), atol=0.2, rtol=0)
    assert torch.equal(add_noise(waveform, lengths, (ratio, ratio), probability=0.0), waveform)
    share = (add_noise(waveform, lengths, (ratio, ratio), probability=0.5) != waveform).any(1).float().mean()
    assert 0.25 < share < 0.75


def test_noise_beside_shorter_clips():
    inputs = batch(1.0, 0.5, 0.25, 0.8)
    lengths = inputs["attention_mask"].sum(-1)
    noise = add_noise(inputs["input_values"], lengths, (10.0, 10.0), probability=1.0) - inputs["input_values"]
    for clip, added, length in zip(inputs["input_values"], noise, lengths, strict=True):
        measured = 10 * torch.log10(clip[:length].square().mean() / added[:length].square().mean())
        assert measured.item() == pytest.approx(10, abs=6)


def test_mixup_shares_sound_and_label():
    waveform, lengths = torch.eye(8), torch.arange(1, 9)
    mixed, longer, labels = mix_up(waveform, lengths, torch.eye(8), alpha=0.5)
    torch.testing.assert_close(mixed, labels)
    torch.testing.assert_close(labels.sum(1), torch.ones(8))
    assert (labels.diagonal() >= 0.5 - 1e-6).all() and (labels.diagonal() < 1).any()
    for row, length in zip(labels, longer, strict=True):
        assert length == (row.nonzero().max() + 1)


def test_harmonics_and_formants_move_apart():
    bins = torch.arange(513.0)
    formant = 4 * torch.exp(-(((bins - 150) / 40) ** 2))
    harmonics = torch.cos(2 * math.pi * bins / 16)  # in the log spectrum, a harmonic every 16 bins
    power = torch.exp(formant + harmonics).expand(32, -1)[..., None].repeat(1, 1, 3)

    def peaks(power: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bin of the formant, and spacing of the harmonics."""
        cepstrum = torch.fft.rfft(power[:, :400, 0].log().diff(dim=1), n=8_192).abs()
        cepstrum[:, :200] = 0
        smooth = torch.nn.functional.avg_pool1d(power[..., 0].log(), 33, 1, 16, count_include_pad=False)
        return smooth.argmax(1), 8_192 / cepstrum.argmax(1)

    torch.testing.assert_close(change_voice(power, pitch=0.0, vocal_tract=0.0), power)
    formants, spacings = peaks(change_voice(power, pitch=0.2, vocal_tract=0.0))
    assert (formants - 150).abs().max() <= 8
    assert 16 / math.exp(0.2) - 1 < spacings.min() < 15 and 17 < spacings.max() < 16 * math.exp(0.2) + 1
    formants, spacings = peaks(change_voice(power, pitch=0.0, vocal_tract=0.1))
    assert (spacings - 16).abs().max() < 0.3
    assert 150 / 1.1 - 8 < formants.min() < 145 and 155 < formants.max() < 150 / 0.9 + 8


def test_equalizer_is_a_smooth_curve():
    curves = equalize(torch.zeros(500, 64, 3), deviation=0.5)
    assert torch.equal(curves[..., 0], curves[..., 2])
    assert 0.3 < curves.std() < 0.6
    assert curves.diff(dim=1).std() < 0.15 * curves.std()


def test_bands_outside_a_limit_fall_to_the_floor_at_most():
    config = MelCNNConfig(n_mels=64)
    floor = (math.log(config.log_floor) - config.log_mel_mean) / config.log_mel_std
    spectrogram = torch.full((256, config.n_mels, 2), 1.0)
    limited = limit_band(spectrogram, config, limits=(400.0, 3_000.0), probability=0.5)
    damped = (limited < 1.0)[..., 0]
    assert limited.min() == pytest.approx(floor)
    assert 0.35 < damped.any(1).float().mean() < 0.65
    # Mel bands 9 and 40 are centred at 400 and 3,000 Hz: between them nothing is ever lost.
    assert not damped[:, 10:40].any() and damped[:, 0].any() and damped[:, 63].any()
    assert torch.equal(limit_band(spectrogram, config, (400.0, 3_000.0), probability=0.0), spectrogram)
