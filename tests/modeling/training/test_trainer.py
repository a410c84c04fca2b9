"""The order of the clips in training."""

from functools import partial
from itertools import islice

import torch
from datasets import Dataset
from transformers import TrainingArguments

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.training.augmentation import Augmentation
from modeling.training.data import Clips, DataArguments
from modeling.training.trainer import BalancedSampler, EmotionTrainer, collator
from tests.benchmarks.made_up_corpus import made_up_clips
from tests.modeling.tiny import tiny_model


def test_sampler_balances_classes_repeatably_and_anew_in_each_epoch():
    groups = [0] * 900 + [1] * 100
    assert sorted(draw.index for draw in BalancedSampler(groups, balance=0, seed=1)) == list(range(1000))
    sampler = BalancedSampler(groups, balance=1, seed=1)
    first = list(sampler)
    assert list(sampler) == first
    assert 400 < sum(draw.index >= 900 for draw in first) < 600
    assert len({draw.seed for draw in first}) == 1000  # a clip that is drawn twice is cropped twice
    sampler.set_epoch(1)
    assert list(sampler) != first


def drawn(tmp_path, **columns: list) -> list[int]:
    """Clips of an epoch with every class of every speaker drawn alike."""
    data = Dataset.from_dict({"audio": [None] * 1000, **columns})
    speaker = "speaker_id" if "speaker_id" in columns else None
    clips = Clips(data, DataArguments(label_column_name="emotion", speaker_column_name=speaker), 16_000)
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, report_to="none")
    trainer = EmotionTrainer(tiny_model(), arguments, train_dataset=clips, class_balance=1.0)
    return [draw.index for batch in trainer.get_train_dataloader().batch_sampler for draw in batch]


def test_one_voice_with_many_clips_does_not_crowd_out_the_others(tmp_path):
    order = drawn(tmp_path, emotion=[0, 1] * 500, speaker_id=["talkative"] * 900 + ["reticent"] * 100)
    assert 400 < sum(index >= 900 for index in order) < 600


def test_without_speakers_classes_are_drawn_alike(tmp_path):
    order = drawn(tmp_path, emotion=[0] * 900 + [1] * 100)
    assert 400 < sum(index >= 900 for index in order) < 600


def test_an_epoch_is_the_same_whoever_decodes_it_and_wherever_it_is_taken_up():
    """Random crops and quiet belong to the draw, not to the process that happens to make them."""
    clips = made_up_clips(24, seconds=0.5)
    clips.max_length, clips.transform = 4_000, partial(Augmentation().augment_clip, sampling_rate=16_000)
    collate = collator(MelCNNFeatureExtractor())

    def batches(n_workers: int, n_skipped: int = 0) -> list[torch.Tensor]:
        draws = list(islice(BalancedSampler(clips.labels, 0.5, seed=3), 4 * n_skipped, None))
        loader = torch.utils.data.DataLoader(clips, 4, sampler=draws, num_workers=n_workers, collate_fn=collate)
        torch.manual_seed(n_workers)
        return [batch["input_values"] for batch in loader]

    expected = batches(0)
    assert not torch.equal(expected[0][0], expected[1][0])
    for found, wanted in ((batches(2), expected), (batches(2, n_skipped=3), expected[3:])):
        assert len(found) == len(wanted) and all(map(torch.equal, found, wanted))
