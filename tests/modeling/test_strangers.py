"""Recordings unlike the training data: how unlike they are, and what adapting to them does and leaves alone."""

import numpy as np
import pytest
import torch

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.strangers_mel_cnn import Unlikeness, pieces_of_speech
from tests.modeling.tiny import batch, make_all_unlike, save_checkpoint, tiny_model, voice


def voices(n_clips: int, gain: float = 1.0) -> list[torch.Tensor]:
    return [gain * torch.from_numpy(voice(0.4 + 0.1 * (seed % 3), seed=seed)) for seed in range(n_clips)]


def muffled(waveform: torch.Tensor) -> torch.Tensor:
    """As by a microphone that hears no high frequencies."""
    return torch.nn.functional.avg_pool1d(waveform[None], 15, 1, 7)[0]


def stages(n_clips: int, n_frames: int = 30, shift: float = 0.0) -> list[tuple[torch.Tensor, None]]:
    """Made-up first and last features."""
    generator = torch.Generator().manual_seed(n_frames)
    return [(torch.randn(n_clips, n, 5, n_frames, generator=generator) + shift, None) for n in (4, 8)]


def test_unlikeness_is_the_distance_to_the_nearest_corpus():
    unlikeness = Unlikeness(4, 8, 1)
    assert unlikeness(stages(300)).tolist() == [0.0] * 300
    directions = torch.eye(16)[:, 8:].numpy()  # the deviations of the last features
    here, there = (
        torch.cat([first, last[:, 8:]], dim=1)
        for first, last in map(Unlikeness.statistics, (stages(300), stages(300, shift=9)))
    )
    centres = torch.stack([here.mean(0), there.mean(0)]).numpy()
    unlikeness.fit(directions, np.eye(16, dtype=np.float32), centres)
    near = (here - here.mean(0)).norm(dim=1)
    torch.testing.assert_close(unlikeness(stages(300)), near)
    assert unlikeness(stages(300, shift=2)).min() > near.max()
    torch.testing.assert_close(unlikeness(stages(300, shift=9)), near)
    unlikeness.fit(directions, np.eye(16) / 2, centres / 2)
    torch.testing.assert_close(unlikeness(stages(300)), near / 2)


def test_unlikeness_minds_real_frames_alone():
    mask = (torch.arange(30) < 20).float().expand(300, 1, 1, 30)
    padded = [(features * mask, mask) for features, _ in stages(300)]
    cut = [(features[..., :20], None) for features, _ in stages(300)]
    torch.testing.assert_close(Unlikeness.statistics(padded), Unlikeness.statistics(cut))


def test_output_has_unlikeness_and_embedding():
    model = tiny_model()
    outputs = model(**batch(0.5, 0.3))
    assert outputs.unlikeness.shape == (2,)
    assert outputs.pooler_output.shape == (2, model.mel_cnn.pooling.embedding_size)


@pytest.mark.parametrize(("distance", "divided_by"), [(0.8, 1), (0.95, 1.5), (1.1, 2), (5, 2)])
def test_answers_are_less_sure_the_more_unlike_a_clip_is(distance, divided_by):
    model = tiny_model(unlike_temperature=1.0)
    inputs = batch(0.5)
    logits = model(**inputs).logits
    make_all_unlike(model, distance)
    torch.testing.assert_close(model(**inputs).logits, logits / divided_by)


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


def test_adapting_leaves_uncommon_labels_alone():
    model = tiny_model(uncommon_labels=[1])
    adapted = model.adapt(voices(5))
    changed = (adapted.classifier.bias != model.classifier.bias).tolist()
    assert changed == [True, False, True, True]
    assert (adapted.classifier.bias - model.classifier.bias).sum().item() == pytest.approx(0, abs=1e-5)


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
