"""Adapting to a voice or a place by a folder of recordings, and the advice to do so."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from modeling.recording_mel_cnn import stream_recording
from modeling.recordings import find_audio

ENOUGH_FILES = 20  # with fewer of a place, adapting changes little
MOST_FILES = 200  # more change nothing
HEARD = 600.0  # seconds of all recordings together: as many as adapting makes use of


def adapt_to(model, feature_extractor, folder: str | Path):
    """Adapts a model to the voice or the place of some recordings, without labels.

    Args:
        model, feature_extractor: As `modeling.loading.load_model` returns them.
        folder: Folder, file or glob of recordings of any length. Ten minutes are heard in all: the beginnings of all recordings, or
            of evenly chosen ones where there are very many.

    Raises:
        ValueError: There is none, or one of them cannot be read.
    """
    paths = find_audio(folder)
    chosen = np.linspace(0, len(paths) - 1, min(len(paths), MOST_FILES)).round().astype(int)
    rate, n_samples = feature_extractor.sampling_rate, round(HEARD / len(chosen) * feature_extractor.sampling_rate)
    return model.adapt([_beginning(paths[index], rate, n_samples) for index in chosen])


def _beginning(path: Path, sampling_rate: int, n_samples: int) -> np.ndarray:
    """At most the first `n_samples` of a recording, `(n_samples,)`; the rest is not read."""
    heard, n_heard = [], 0
    with closing(stream_recording(path, sampling_rate)) as pieces:
        for piece in pieces:
            heard.append(piece[: n_samples - n_heard])
            n_heard += len(heard[-1])
            if n_heard == n_samples:
                break
    return np.concatenate(heard)


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
