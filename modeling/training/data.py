"""Any labelled audio dataset, on disk or on the Hub, and its clips as waveforms."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from datasets import Audio, ClassLabel, Dataset, DatasetDict, List, Value

from modeling.recording_mel_cnn import Recording, read_recording
from modeling.training.sources import load_splits


@dataclass
class DataArguments:
    """Which clips are trained on, and which are not."""

    dataset_name: str | None = field(
        default=None,
        metadata={
            "help": "Folder with one sub-folder of audio per class; table (.csv, .tsv, .jsonl) of paths and labels; dataset on "
            "disk or on the Hub. Without it, a synthetic demo corpus is made."
        },
    )
    dataset_config_name: str | None = field(default=None, metadata={"help": "Configuration, such as crema_d."})
    audio_column_name: str = field(default="audio", metadata={"help": "Column with the audio."})
    label_column_name: str = field(default="emotion", metadata={"help": "Column with the label, ClassLabel or text."})
    speaker_column_name: str | None = field(
        default=None, metadata={"help": "Column with the speaker: speaker_id where there is one."}
    )
    text_column_name: str = field(
        default="text", metadata={"help": "Column with the sentence that is read, where there is one."}
    )
    train_split_name: str = field(default="train", metadata={"help": "Split to train on."})
    eval_split_name: str = field(
        default="validation", metadata={"help": "Split to report on. The temperature is always chosen on validation."}
    )
    split_by: Literal["official", "speaker", "file"] = field(
        default="official",
        metadata={
            "help": "The dataset's splits; or new ones of train and validation, by speaker, or by file (voices leak)."
        },
    )
    folds: int = field(default=1, metadata={"help": "Train this many times, so that every fold is held out once."})
    leave_out: str | None = field(default=None, metadata={"help": "Train without this corpus and report on it."})
    is_demo: bool = field(default=False, init=False)
    max_length_seconds: float = field(default=2.0, metadata={"help": "Longer clips are cropped at random in training."})


def load(
    arguments: DataArguments, label_names: list[str] | None = None, report: Callable[[str], None] = print
) -> DatasetDict:
    """Loads all splits, undecoded, with labels as a `ClassLabel` in the order of `label_names` where it is given.

    Args:
        arguments: `speaker_column_name` is set where it is absent and there is a speaker_id.
        label_names: The labels of a model.
        report: Told what was left out and why.

    Raises:
        ValueError: A column is missing or of another kind, a label is missing or not one of `label_names`, there is one class
            only, or `load_splits` says why not.
    """
    name = arguments.dataset_name
    splits = load_splits(name, arguments.dataset_config_name, arguments.audio_column_name, report)
    columns = next(iter(splits.values())).column_names
    for option in ("audio_column_name", "label_column_name", "speaker_column_name"):
        wanted = getattr(arguments, option)
        if wanted is not None and wanted not in columns:
            raise ValueError(f"--{option} {wanted}: {name} has no such column. Choose one of {', '.join(columns)}.")
    if arguments.speaker_column_name is None and "speaker_id" in columns:
        arguments.speaker_column_name = "speaker_id"
    return _with_labels(_undecoded(splits, arguments), arguments.label_column_name, label_names)


def _undecoded(splits: DatasetDict, arguments: DataArguments) -> DatasetDict:
    """The splits with an audio column that `read_recording` takes row by row."""
    column = arguments.audio_column_name
    features = next(iter(splits.values())).features
    feature = features[column]
    if isinstance(feature, dict) and ("array" in feature or {"bytes", "path"} <= set(feature)):
        return splits
    if isinstance(feature, List) and getattr(feature.feature, "dtype", "").startswith("float"):
        if "sampling_rate" not in features:
            raise ValueError(
                f"--audio_column_name {column} holds arrays, and no column says at which rate: add a column sampling_rate, in Hz."
            )
        return splits
    if not isinstance(feature, Audio) and getattr(feature, "dtype", "") not in (
        "string",
        "large_string",
        "binary",
        "null",
    ):
        raise ValueError(
            f"--audio_column_name {column} holds {_kind(feature)}, no recordings. Choose one of {', '.join(features)}."
        )
    return splits.cast_column(column, Audio(decode=False))


def _kind(feature) -> str:
    return getattr(feature, "dtype", type(feature).__name__).lower()


def _with_labels(splits: DatasetDict, column: str, label_names: list[str] | None) -> DatasetDict:
    feature = next(iter(splits.values())).features[column]
    is_class = isinstance(feature, ClassLabel)
    if not is_class and not (isinstance(feature, Value) and not feature.dtype.startswith(("float", "double"))):
        raise ValueError(
            f"--label_column_name {column} holds {_kind(feature)}, but one class a clip is needed, as a name or a number. "
            "Choose another column, or make one."
        )
    unlabelled = []
    for name, split in splits.items():
        known = range(len(feature.names)) if is_class else None
        missing = sum(value is None or (is_class and value not in known) for value in split[column])
        if missing:
            unlabelled.append(f"{missing} of {len(split)} clips of the split {name}")
    if unlabelled:
        raise ValueError(
            f"{' and '.join(unlabelled)} have no {column} (null, or the -1 of hidden labels): label them or leave them out."
        )
    if is_class:
        occurring = {feature.names[index] for split in splits.values() for index in split.unique(column)}
        found = feature.names
    else:
        occurring = {str(value) for split in splits.values() for value in split.unique(column)}
        found = sorted(occurring)
    if label_names is None and len(occurring) < 2:
        n_clips = sum(map(len, splits.values()))
        raise ValueError(
            f"All {n_clips} clips have the one {column} {', '.join(occurring)}; at least 2 are needed to be told apart. Add clips "
            "of another, or choose another --label_column_name."
        )
    if is_class and label_names in (None, found):
        return splits
    target = ClassLabel(names=label_names or found)
    unknown = [name for name in found if name not in target.names]
    if unknown:
        raise ValueError(
            f"The dataset's label(s) {', '.join(unknown)} are not among the model's: {', '.join(target.names)}. "
            "Train on this dataset first."
        )

    def to_index(value):
        return target.str2int(feature.int2str(value) if is_class else str(value))

    for name, split in splits.items():
        indices = [to_index(value) for value in split[column]]
        splits[name] = split.remove_columns(column).add_column(column, indices, feature=target)
    return splits


def own_labels(splits: DatasetDict, arguments: DataArguments) -> dict[str, list[int]]:
    """The labels that occur in each corpus, over all splits; one nameless corpus where the column is absent."""
    labels = {}
    for split in splits.values():
        for corpus, label in zip(corpora_of(split), split[arguments.label_column_name], strict=True):
            labels.setdefault(corpus, set()).add(label)
    return {corpus: sorted(found) for corpus, found in labels.items()}


def column(data: Dataset, name: str | None, default=None) -> list:
    """A column's values, or the default for every row where there is no such column."""
    return list(data[name]) if name in data.column_names else [default] * len(data)


def corpora_of(data: Dataset) -> list[str]:
    """Name of every clip's corpus; those that nobody named are one, with the name ""."""
    return ["" if name is None else str(name) for name in column(data, "corpus")]


class Recordings:
    """The recordings of a split, to be read row by row.

    Args:
        data: Undecoded rows.
        arguments: `audio_column_name` says where they are.
    """

    def __init__(self, data: Dataset, arguments: DataArguments):
        self.column = arguments.audio_column_name
        rate = [name for name in ("sampling_rate",) if name in data.column_names and name != self.column]
        self.rows = data.select_columns([self.column, *rate]).with_format(None)

    def __len__(self) -> int:
        return len(self.rows)

    def source(self, index: int) -> dict | None:
        """What `read_recording` takes."""
        row = self.rows[index]
        audio = row[self.column]
        return {"array": audio, "sampling_rate": row["sampling_rate"]} if isinstance(audio, list) else audio

    def name(self, index: int) -> str:
        """The file of one, or its row where it has none of its own."""
        source = self.source(index) or {}
        path = source.get("path")
        return f"row {index}" if not path else path if source.get("bytes") is None else f"row {index} ({path})"

    def read(self, index: int, sampling_rate: float) -> Recording:
        """Reads one; messages name it."""
        return read_recording(self.source(index), sampling_rate, name=self.name(index))


class Draw(NamedTuple):
    """A clip that is drawn for training, and the seed of whatever happens to it at random."""

    index: int
    seed: int


def evenly(n_clips: int, most: int) -> np.ndarray:
    """Indices of at most so many clips, evenly chosen from all."""
    return np.linspace(0, n_clips - 1, min(n_clips, most)).round().astype(int)


class Clips(torch.utils.data.Dataset):
    """Waveforms and labels, decoded when they are asked for.

    What a [`Draw`] gives does not depend on who asks: workers and processes may share an epoch, and a resumed run goes on as it
    would have.

    Args:
        data: Undecoded rows.
        sampling_rate: Hz.
        max_length: Longer clips are cropped at random to this many samples; None keeps them whole.
        transform: Takes a whole waveform and its index in `data`, returns another waveform.
        further: Further numbers of every clip, by name, such as the index of its sentence for a second task.
    """

    def __init__(
        self,
        data: Dataset,
        arguments: DataArguments,
        sampling_rate: int,
        max_length: int | None = None,
        transform: Callable[[np.ndarray, int], np.ndarray] | None = None,
        further: dict[str, list[int]] | None = None,
    ):
        self.audio = Recordings(data, arguments)
        self.labels = list(data[arguments.label_column_name])
        self.speakers = column(data, arguments.speaker_column_name)
        self.corpora = corpora_of(data)
        self.sampling_rate, self.max_length, self.transform = sampling_rate, max_length, transform
        self.further = further or {}

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, draw: int | Draw) -> dict:
        if not isinstance(draw, Draw):
            return self._clip(draw)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draw.seed)
            return self._clip(draw.index)

    def _clip(self, index: int) -> dict:
        waveform = self.audio.read(index, self.sampling_rate).waveform
        if self.transform:
            waveform = self.transform(waveform, index)
        if self.max_length and len(waveform) > self.max_length:
            start = torch.randint(len(waveform) - self.max_length + 1, ()).item()
            waveform = waveform[start : start + self.max_length]
        further = {name: values[index] for name, values in self.further.items()}
        return {"input_values": waveform, "labels": self.labels[index]} | further
