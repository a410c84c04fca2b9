"""Augmentation: every effect acts, within its range, on training batches alone."""

import math

import numpy as np
import pytest
import torch

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.training.augmentation import (
    Augmentation,
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
from tests.modeling.tiny import tiny_model, voice

RATE = 16_000
NOTHING = {
    "speed": (1.0,),
    "shift": 0.0,
    "gain": (0.0, 0.0),
    "noise_probability": 0.0,
    "reverberation_probability": 0.0,
    "pitch": 0.0,
    "vocal_tract": 0.0,
    "equalizer": 0.0,
    "band_limit_probability": 0.0,
    "time_masks": 0,
    "frequency_masks": 0,
    "mixup": 0.0,
    "label_smoothing": 0.0,
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def batch(*seconds: float) -> dict[str, torch.Tensor]:
    clips = [voice(length, seed=seed) for seed, length in enumerate(seconds)]
    inputs = MelCNNFeatureExtractor()(clips, sampling_rate=RATE, return_tensors="pt")
    return {**inputs, "labels": torch.arange(len(clips)) % 4}


def augmented_inputs(inputs: dict, **effects) -> dict[str, torch.Tensor]:
    """What the model is given when these effects, and no others, are attached to it."""
    model, seen = tiny_model().train(), {}
    Augmentation(**NOTHING | effects).attach(model)
    model.register_forward_pre_hook(lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True)
    model(**inputs)
    return seen


def augmented_spectrogram(inputs: dict, **effects) -> tuple[torch.Tensor, torch.Tensor]:
    """The spectrogram with these effects, and without them."""
    seen = []
    for options in (effects, {}):
        model = tiny_model().train()
        Augmentation(**NOTHING | options).attach(model)
        model.mel_cnn.log_mel.register_forward_hook(lambda module, args, output: seen.append(output[0]))
        model(**inputs)
    return seen[0], seen[1]


def test_evaluation_is_never_touched():
    model, inputs = tiny_model(), batch(0.5, 0.3)
    expected = model(**inputs)
    without_labels = {name: inputs[name] for name in ("input_values", "attention_mask")}
    Augmentation().attach(model)
    output = model(**inputs)
    assert torch.equal(output.logits, expected.logits) and torch.equal(output.loss, expected.loss)
    assert torch.equal(model(**without_labels).logits, expected.logits)
    assert torch.equal(model(*without_labels.values()).logits, expected.logits)


@pytest.mark.parametrize("architecture", ["residual", "plain"])
def test_a_seed_repeats_it(architecture):
    model, inputs = tiny_model(architecture=architecture, dropout=0.0).train(), batch(0.5, 1.0, 0.3)
    Augmentation().attach(model)

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        return model(**inputs).loss.item()

    assert loss(1) == loss(1)
    assert len({loss(seed) for seed in range(5)}) == 5


def test_without_effects_nothing_changes():
    inputs = batch(0.5, 1.0)
    seen = augmented_inputs(inputs)
    assert torch.equal(seen["input_values"], inputs["input_values"])
    assert torch.equal(seen["attention_mask"], inputs["attention_mask"])
    assert seen["labels"].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    changed, unchanged = augmented_spectrogram(inputs)
    assert torch.equal(changed, unchanged)


def test_inputs_of_the_caller_stay_as_they_are():
    inputs = batch(0.5, 1.0)
    before = {name: values.clone() for name, values in inputs.items()}
    augmented_inputs(inputs, noise_probability=1.0, reverberation_probability=1.0, gain=(-9, -9), mixup=0.5, shift=0.1)
    assert all(torch.equal(inputs[name], values) for name, values in before.items())


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


def test_level_changes_within_its_range():
    inputs = batch(*[0.1] * 64)
    louder = augmented_inputs(inputs, gain=(-15.0, 10.0))["input_values"]
    change = 20 * torch.log10(louder.norm(dim=1) / inputs["input_values"].norm(dim=1))
    assert change.min() >= -15.01 and change.max() <= 10.01
    assert change.min() < -8 and change.max() > 3


def test_mixup_shares_sound_and_label():
    waveform, lengths = torch.eye(8), torch.arange(1, 9)
    mixed, longer, labels = mix_up(waveform, lengths, torch.eye(8), alpha=0.5)
    torch.testing.assert_close(mixed, labels)
    torch.testing.assert_close(labels.sum(1), torch.ones(8))
    assert (labels.diagonal() >= 0.5 - 1e-6).all() and (labels.diagonal() < 1).any()
    for row, length in zip(labels, longer, strict=True):
        assert length == (row.nonzero().max() + 1)


def test_labels_are_probabilities():
    labels = augmented_inputs(batch(0.1, 0.2, 0.3), mixup=0.4, label_smoothing=0.1)["labels"]
    torch.testing.assert_close(labels.sum(1), torch.ones(3))
    assert labels.min() >= 0.1 / 4 - 1e-6
    soft = batch(0.1, 0.1) | {"labels": torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0.3, 0.7]])}
    assert torch.equal(augmented_inputs(soft)["labels"], soft["labels"])


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


def test_masks_are_there():
    inputs = batch(2.0, 2.0, 1.5)
    in_time, clean = augmented_spectrogram(inputs, time_masks=2, time_mask_frames=30)
    blank = (in_time == 0).all(1) & ~(clean == 0).all(1)
    assert blank.any(1).all() and blank.sum(1).max() <= 60
    kept = ~blank[:, None].expand_as(clean)
    assert torch.equal(in_time[kept], clean[kept])
    in_frequency, _ = augmented_spectrogram(inputs, frequency_masks=2, frequency_mask_bands=10)
    blank = (in_frequency == 0).all(2)
    assert blank.any(1).float().mean() > 0.6 and blank.sum(1).max() <= 20


@pytest.mark.parametrize("architecture", ["residual", "plain"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "clips",
    [
        [torch.zeros(RATE), torch.zeros(RATE // 2)],
        [torch.zeros(RATE), torch.from_numpy(voice(0.5))],
        [torch.from_numpy(voice(0.05)), torch.from_numpy(voice(0.05, seed=1))],
        [torch.from_numpy(voice(0.5))],
        [torch.zeros(800)],
    ],
    ids=["silence", "half silence", "short", "one clip", "one short silence"],
)
def test_everything_at_once_is_finite(architecture, dtype, clips):
    model = tiny_model(architecture=architecture).train()
    Augmentation(noise_probability=1.0, reverberation_probability=1.0).attach(model)
    inputs = MelCNNFeatureExtractor()([clip.numpy() for clip in clips], sampling_rate=RATE, return_tensors="pt")
    for _ in range(3):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            output = model(**inputs, labels=torch.arange(len(clips)))
        output.loss.backward()
        assert torch.isfinite(output.loss) and torch.isfinite(output.logits).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())
    assert all(torch.isfinite(buffer).all() for buffer in model.buffers())


def test_mask_and_waveform_fit_each_other():
    inputs = batch(1.0, 0.4, 0.7)
    for _ in range(5):
        seen = augmented_inputs(inputs, **{name: getattr(Augmentation(), name) for name in NOTHING})
        assert seen["attention_mask"].shape == seen["input_values"].shape
        lengths = seen["attention_mask"].sum(-1)
        assert lengths.min() >= 0.3 * RATE and lengths.max() <= RATE / 0.85 + 1
        assert (seen["attention_mask"].diff(dim=1) <= 0).all()
        assert torch.isfinite(seen["input_values"]).all()


def test_clips_without_a_mask_are_taken_whole():
    inputs = batch(0.5, 0.5)
    del inputs["attention_mask"]
    assert augmented_inputs(inputs)["attention_mask"].all()
