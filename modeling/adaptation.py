"""Adapting to a voice or a place by a folder of recordings, and the advice to do so."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modeling.recording_mel_cnn import read_recording
from modeling.recordings import find_audio

ENOUGH_FILES = 20  # with fewer of a place, adapting changes little
MOST_FILES = 200  # more change nothing
LONGEST = 60.0  # seconds that are heard of one recording


def adapt_to(model, feature_extractor, folder: str | Path):
    """Adapts a model to the voice or the place of some recordings, without labels.

    Args:
        model, feature_extractor: As `modeling.loading.load_model` returns them.
        folder: Folder, file or glob of recordings; where there are very many, evenly chosen ones are heard.

    Raises:
        ValueError: There is none, or one of them cannot be read.
    """
    paths = find_audio(folder)
    chosen = np.linspace(0, len(paths) - 1, min(len(paths), MOST_FILES)).round().astype(int)
    rate = feature_extractor.sampling_rate
    return model.adapt([read_recording(paths[index], rate, LONGEST).waveform for index in chosen])


def advice(unlikeness: Sequence[float | None], adapted: bool) -> str | None:
    """What the user should know of how unlike the training data these files are, and that adapting could help; None if nothing.

    Args:
        unlikeness: Of every file.
        adapted: Whether the model was adapted before it heard them.
    """
    n_files, n_unlike = len(unlikeness), sum(value is not None and value > 1 for value in unlikeness)
    sentences = []
    if n_unlike and n_files == 1:
        sentences.append(
            "This sounds unlike the recordings that the model learned from: its answer is less certain than it looks."
        )
    elif n_unlike:
        sentences.append(
            f"{n_unlike} of {n_files} files sound unlike the recordings that the model learned from: answers on them are wrong more often."
        )
    if n_files >= ENOUGH_FILES and not adapted:
        sentences.append("If these files are of one voice or place, --adapt-to a folder of them could help.")
    return " ".join(sentences) or None
