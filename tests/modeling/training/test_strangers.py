"""What a trained model is told of its training data."""

import io

import numpy as np
import pytest
import soundfile
import torch
from datasets import ClassLabel, Dataset

from modeling.training.calibration import UNLIKE_TEMPERATURE
from modeling.training.data import Clips, DataArguments
from modeling.training.strangers import (
    measure_unlikeness,
    note_uncommon_labels,
    recognise_strangers,
    use_clean_statistics,
)
from tests.modeling.tiny import tiny_model, voice

RATE = 16_000


def clips(seeds: range, noise: float = 0.0, corpus: str | None = "here") -> Clips:
    rows = []
    for seed in seeds:
        hiss = noise * np.random.default_rng(seed).standard_normal(RATE // 2)
        file = io.BytesIO()
        soundfile.write(file, voice(0.5, seed=seed) + hiss, RATE, format="WAV", subtype="FLOAT")
        rows.append({"audio": {"bytes": file.getvalue(), "path": f"{seed}.wav"}, "emotion": seed % 2, "corpus": corpus})
    data = Dataset.from_list(rows).cast_column("emotion", ClassLabel(names=["neutral", "happy"]))
    return Clips(data, DataArguments(dataset_name="made up"), RATE)


class Joined:
    """Clips of two corpora."""

    def __init__(self, *parts: Clips):
        self.clips = [clip for part in parts for clip in part]
        self.corpora = [corpus for part in parts for corpus in part.corpora]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict:
        return self.clips[index]


def unlikeness(model, heard: Clips) -> np.ndarray:
    with torch.no_grad():
        return np.concatenate([model(torch.from_numpy(clip["input_values"])[None]).unlikeness for clip in heard])


def test_clean_statistics_are_those_of_the_clips():
    model = tiny_model()
    norm = model.mel_cnn.encoder.stem[1]
    model.train()
    seen = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    use_clean_statistics(model, clips(range(6)), range(6))
    assert norm.training and norm.momentum == 0.1
    torch.testing.assert_close(norm.running_mean, torch.cat(seen).mean((0, 2, 3)), atol=1e-5, rtol=1e-4)


def test_most_new_voices_are_below_one_and_another_microphone_is_above():
    model = tiny_model()
    measure_unlikeness(model, clips(range(40)), range(40), clips(range(40, 60)))
    assert model.config.unlike_temperature == UNLIKE_TEMPERATURE
    known = unlikeness(model, clips(range(40, 60)))
    assert np.mean(known < 1) == pytest.approx(0.95, abs=0.001)
    assert np.median(unlikeness(model, clips(range(60, 70), noise=0.1))) > 2


def test_another_microphone_is_told_from_new_voices_and_new_voices_are_not():
    model = tiny_model()
    measure_unlikeness(model, clips(range(40)), range(40), clips(range(40, 60)))
    heard = recognise_strangers(model, clips(range(40, 60)), clips(range(60, 80), noise=0.1))
    assert heard["unlikeness_auroc"] > 0.95 and heard["unlike_share"] > 0.9
    alike = recognise_strangers(model, clips(range(40, 60)), clips(range(60, 80)))
    assert alike["unlikeness_auroc"] == pytest.approx(0.5, abs=0.25) and alike["unlike_share"] < 0.5


def test_a_place_between_two_corpora_is_unlike_both():
    """One distribution over both would take what lies between them for the most ordinary."""
    model = tiny_model()
    hushed, between = clips(range(20)), clips(range(20), noise=0.02)
    hissing = clips(range(20), noise=0.5, corpus=None)  # nobody named it
    both = Joined(hushed, hissing)
    measure_unlikeness(model, both, range(40), both)
    assert model.config.n_corpora == 2
    assert np.median(unlikeness(model, between)) > 1


def test_labels_that_most_corpora_lack_are_noted():
    model, heard = tiny_model(), clips(range(6))
    heard.corpora, heard.labels = [*"aabbcc"], [0, 1, 0, 1, 1, 3]
    note_uncommon_labels(model, heard)
    assert list(model.config.uncommon_labels) == [2, 3]
