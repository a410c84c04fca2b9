"""The order of the clips in training."""

from datasets import Dataset
from transformers import TrainingArguments

from modeling.training.data import Clips, DataArguments
from modeling.training.trainer import BalancedSampler, EmotionTrainer
from tests.modeling.tiny import tiny_model


def test_sampler_balances_classes_repeatably_and_anew_in_each_epoch():
    groups = [0] * 900 + [1] * 100
    assert sorted(BalancedSampler(groups, balance=0, seed=1)) == list(range(1000))
    sampler = BalancedSampler(groups, balance=1, seed=1)
    first = list(sampler)
    assert list(sampler) == first
    assert 400 < sum(index >= 900 for index in first) < 600
    sampler.set_epoch(1)
    assert list(sampler) != first


def drawn(tmp_path, **columns: list) -> list[int]:
    """Clips of an epoch with every class of every speaker drawn alike."""
    data = Dataset.from_dict({"audio": [None] * 1000, **columns})
    speaker = "speaker_id" if "speaker_id" in columns else None
    clips = Clips(data, DataArguments(label_column_name="emotion", speaker_column_name=speaker), 16_000)
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, report_to="none")
    trainer = EmotionTrainer(tiny_model(), arguments, train_dataset=clips, class_balance=1.0)
    return [index for batch in trainer.get_train_dataloader().batch_sampler for index in batch]


def test_one_voice_with_many_clips_does_not_crowd_out_the_others(tmp_path):
    order = drawn(tmp_path, emotion=[0, 1] * 500, speaker_id=["talkative"] * 900 + ["reticent"] * 100)
    assert 400 < sum(index >= 900 for index in order) < 600


def test_without_speakers_classes_are_drawn_alike(tmp_path):
    order = drawn(tmp_path, emotion=[0] * 900 + [1] * 100)
    assert 400 < sum(index >= 900 for index in order) < 600
