"""Temperature and threshold."""

import numpy as np
import pytest
import torch

from modeling.training.calibration import calibrate, choose_temperature, choose_threshold
from tests.modeling.tiny import EMOTIONS, tiny_model


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_of_made_up_logits_is_found(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 6, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]
    assert choose_temperature(logits.numpy(), labels.numpy()) == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize("overconfidence", [0.0, 0.2])
def test_at_the_threshold_answers_are_right_as_often_as_wanted(overconfidence):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 4000)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = (rng.random(4000) > confidence - overconfidence).astype(int)
    assert choose_threshold(probabilities, labels, accuracy=0.7) == pytest.approx(0.7 + overconfidence, abs=0.05)


def test_where_every_answer_is_right_all_are_given():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1]])
    assert choose_threshold(probabilities, np.zeros(2, dtype=int)) == 0.6


def test_without_a_good_threshold_the_surest_tenth_is_answered():
    probabilities = np.tile([0.9, 0.1], (100, 1)) + np.linspace(0, 0.05, 100)[:, None] * [1, -1]
    threshold = choose_threshold(probabilities, np.ones(100, dtype=int))
    assert (probabilities[:, 0] >= threshold).sum() == 10


def test_calibrated_model_divides_its_logits():
    model = tiny_model()
    waveform = torch.randn(1, 8000)
    before = model(waveform).logits
    calibrate(model, 3 * torch.eye(len(EMOTIONS)), np.arange(len(EMOTIONS)))
    assert model.config.calibration_temperature != 1.0
    torch.testing.assert_close(model(waveform).logits, before / model.config.calibration_temperature)
