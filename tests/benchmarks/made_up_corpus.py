"""A dataset of three-second clips as the build leaves them, for the benchmarks of training."""

import io

import soundfile
from datasets import Audio, ClassLabel, Dataset, Features

from data_scripts.schema import EMOTIONS
from modeling.training.data import Clips, DataArguments
from tests.modeling.tiny import voice


def made_up_clips(n_clips: int, seconds: float = 3.0) -> Clips:
    """Voices in 16-bit FLAC at 16 kHz, with labels in turn."""
    rows = {"audio": [], "emotion": []}
    for number in range(n_clips):
        flac = io.BytesIO()
        soundfile.write(flac, voice(seconds, seed=number), 16_000, format="FLAC")
        rows["audio"].append({"bytes": flac.getvalue(), "path": f"{number}.flac"})
        rows["emotion"].append(number % len(EMOTIONS))
    features = Features(
        {"audio": Audio(sampling_rate=16_000, decode=False), "emotion": ClassLabel(names=list(EMOTIONS))}
    )
    return Clips(Dataset.from_dict(rows).cast(features), DataArguments(), 16_000)
