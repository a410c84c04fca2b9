"""Augmentation as a model gets it: on training batches alone, repeatable, every effect in its place."""

import pytest
import torch

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.training.augmentation import Augmentation
from tests.modeling.tiny import batch, tiny_model, voice

RATE = 16_000
NOTHING = {
    "speed": (1.0,),
    "shift": 0.0,
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


def labelled(*seconds: float) -> dict[str, torch.Tensor]:
    return {**batch(*seconds), "labels": torch.arange(len(seconds)) % 4}


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
    model, inputs = tiny_model(), labelled(0.5, 0.3)
    expected = model(**inputs)
    without_labels = {name: inputs[name] for name in ("input_values", "attention_mask")}
    Augmentation().attach(model)
    output = model(**inputs)
    assert torch.equal(output.logits, expected.logits) and torch.equal(output.loss, expected.loss)
    assert torch.equal(model(**without_labels).logits, expected.logits)
    assert torch.equal(model(*without_labels.values()).logits, expected.logits)


@pytest.mark.parametrize("architecture", ["residual", "plain"])
def test_a_seed_repeats_it(architecture):
    model, inputs = tiny_model(architecture=architecture, dropout=0.0).train(), labelled(0.5, 1.0, 0.3)
    Augmentation().attach(model)

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        return model(**inputs).loss.item()

    assert loss(1) == loss(1)
    assert len({loss(seed) for seed in range(5)}) == 5


def test_without_effects_nothing_changes():
    inputs = labelled(0.5, 1.0)
    seen = augmented_inputs(inputs)
    assert torch.equal(seen["input_values"], inputs["input_values"])
    assert torch.equal(seen["attention_mask"], inputs["attention_mask"])
    assert seen["labels"].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    changed, unchanged = augmented_spectrogram(inputs)
    assert torch.equal(changed, unchanged)


def test_inputs_of_the_caller_stay_as_they_are():
    inputs = labelled(0.5, 1.0)
    before = {name: values.clone() for name, values in inputs.items()}
    augmented_inputs(inputs, noise_probability=1.0, reverberation_probability=1.0, mixup=0.5, shift=0.1)
    assert all(torch.equal(inputs[name], values) for name, values in before.items())


def test_labels_are_probabilities():
    labels = augmented_inputs(labelled(0.1, 0.2, 0.3), mixup=0.4, label_smoothing=0.1)["labels"]
    torch.testing.assert_close(labels.sum(1), torch.ones(3))
    assert labels.min() >= 0.1 / 4 - 1e-6
    soft = labelled(0.1, 0.1) | {"labels": torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0.3, 0.7]])}
    assert torch.equal(augmented_inputs(soft)["labels"], soft["labels"])


def test_masks_are_there():
    inputs = labelled(2.0, 2.0, 1.5)
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
    inputs = labelled(1.0, 0.4, 0.7)
    for _ in range(5):
        seen = augmented_inputs(inputs, **{name: getattr(Augmentation(), name) for name in NOTHING})
        assert seen["attention_mask"].shape == seen["input_values"].shape
        lengths = seen["attention_mask"].sum(-1)
        assert lengths.min() >= 0.3 * RATE and lengths.max() <= RATE / 0.85 + 1
        assert (seen["attention_mask"].diff(dim=1) <= 0).all()
        assert torch.isfinite(seen["input_values"]).all()


def test_clips_without_a_mask_are_taken_whole():
    inputs = labelled(0.5, 0.5)
    del inputs["attention_mask"]
    assert augmented_inputs(inputs)["attention_mask"].all()
