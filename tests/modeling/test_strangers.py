"""Recordings unlike the training data: how unlike they are, and what adapting to them does and leaves alone."""

import pytest
import torch

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.strangers_mel_cnn import Unlikeness, pieces_of_speech
from tests.modeling.tiny import batch, save_checkpoint, tiny_model, voice


def voices(n_clips: int, gain: float = 1.0) -> list[torch.Tensor]:
    return [gain * torch.from_numpy(voice(0.4 + 0.1 * (seed % 3), seed=seed)) for seed in range(n_clips)]


def muffled(waveform: torch.Tensor) -> torch.Tensor:
    """As by a microphone that hears no high frequencies."""
    return torch.nn.functional.avg_pool1d(waveform[None], 15, 1, 7)[0]


@pytest.fixture
def features():
    return torch.randn(300, 4, 5, 30, generator=torch.Generator().manual_seed(0))


def test_unlikeness_is_a_distance_in_units_of_the_spread(features):
    unlikeness = Unlikeness(4)
    assert unlikeness(features, None).tolist() == [0.0] * 300
    statistics = unlikeness.statistics(features, None)
    unlikeness.fit(statistics.mean(0), statistics.T.cov())
    near, far = unlikeness(features, None), unlikeness(3 * features + 1, None)
    assert near.square().mean() == pytest.approx(8, rel=0.02)  # of eight statistics, each of variance 1
    assert far.min() > near.max()
    unlikeness.fit(statistics.mean(0), statistics.T.cov(), unit=2.0)
    torch.testing.assert_close(unlikeness(features, None), near / 2)


def test_unlikeness_minds_real_frames_alone(features):
    mask = (torch.arange(30) < 20).float().expand(300, 1, 1, 30)
    padded = Unlikeness.statistics(features * mask, mask)
    torch.testing.assert_close(padded, Unlikeness.statistics(features[..., :20], None))


def test_output_has_unlikeness_and_embedding():
    model = tiny_model()
    outputs = model(**batch(0.5, 0.3))
    assert outputs.unlikeness.shape == (2,)
    assert outputs.pooler_output.shape == (2, model.mel_cnn.pooling.embedding_size)


def test_answers_on_what_is_unlike_are_less_sure():
    model = tiny_model(unlike_temperature=1.0)
    inputs = batch(0.5)
    logits = model(**inputs).logits
    n_statistics = len(model.mel_cnn.unlikeness.mean)
    model.mel_cnn.unlikeness.fit(torch.full((n_statistics,), 100.0), torch.eye(n_statistics))
    torch.testing.assert_close(model(**inputs).logits, logits / 2)


def test_adapted_model_is_another_one_and_travels(tmp_path):
    model = save_checkpoint(tmp_path / "model")
    inputs = batch(0.5, 0.3)
    before = model(**inputs).logits
    adapted = model.adapt([muffled(waveform) for waveform in voices(20)])
    assert torch.equal(model(**inputs).logits, before)
    after = adapted(**inputs).logits
    assert not torch.allclose(after, before, atol=1e-3)
    assert torch.equal(model.adapt([muffled(waveform) for waveform in voices(20)])(**inputs).logits, after)
    adapted.save_pretrained(tmp_path / "adapted")
    loaded = MelCNNForAudioClassification.from_pretrained(tmp_path / "adapted")
    torch.testing.assert_close(loaded(**inputs).logits, after)


def test_adapting_takes_back_what_a_place_favours():
    model, place = tiny_model(), [muffled(waveform) for waveform in voices(40)]
    with torch.no_grad():
        model.classifier.bias[2] += 1.5

    def spread(heard: MelCNNForAudioClassification) -> float:
        """How unequal the labels' mean logits are over the place."""
        return torch.cat([heard(waveform[None]).logits for waveform in place]).mean(0).std().item()

    assert spread(model.adapt(place[:5])) == pytest.approx(0.5 * spread(model), rel=0.2)
    assert spread(model.adapt(place)) < 0.2 * spread(model)


def test_a_long_recording_counts_as_several_clips_and_silence_as_none():
    speech, rate = torch.from_numpy(voice(9.0)), 16_000
    assert [len(piece) / rate for piece in pieces_of_speech([speech, speech[: 2 * rate]], rate)] == [3.0, 3.0, 3.0, 2.0]
    with_pause = torch.cat([speech[: 3 * rate], torch.zeros(6 * rate)])
    assert len(pieces_of_speech([with_pause], rate)) == 1
    assert len(pieces_of_speech([speech[:rate]] * 1_000, rate)) == 200
    with pytest.raises(ValueError, match="None of 2 clips to adapt to is speech"):
        tiny_model().adapt([torch.zeros(rate)] * 2)


def test_nothing_to_adapt_to_changes_nothing():
    model, inputs = tiny_model(), batch(0.5)
    assert torch.equal(model.adapt([])(**inputs).logits, model(**inputs).logits)


def test_dropout_and_mode_stay_as_they_are():
    model = tiny_model()
    assert not model.adapt(voices(3)).training
    assert not any(module.training for module in model.adapt(voices(3)).modules())


@pytest.mark.parametrize("waveform", [torch.zeros(0), torch.zeros(2, 100), torch.tensor([0.0, float("nan")])])
def test_what_is_no_waveform_is_refused(waveform):
    with pytest.raises(ValueError, match=r"Clip 1 of 2 has shape .*feature extractor"):
        tiny_model().adapt([torch.zeros(100), waveform])
