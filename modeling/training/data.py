"""Any labelled audio dataset, on disk or on the Hub, and its clips as waveforms."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from datasets import Audio, ClassLabel, Dataset, DatasetDict, load_dataset
from datasets.data_files import SPLIT_KEYWORDS
from huggingface_hub import DatasetCard
from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

from modeling.recording_mel_cnn import read_recording
from modeling.recordings import is_audio_name, walk_files

SPLIT_FOLDERS = {name: str(split) for split, names in SPLIT_KEYWORDS.items() for name in names}  # such as val and dev


@dataclass
class DataArguments:
    """Which clips are trained on, and which are not."""

    dataset_name: str | None = field(
        default=None,
        metadata={
            "help": "Dataset on disk or on the Hub, or a folder with one sub-folder of audio per class. Without it, a synthetic demo corpus is made."
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


def load(arguments: DataArguments, label_names: list[str] | None = None) -> DatasetDict:
    """Loads all splits, undecoded, with labels as a `ClassLabel` in the order of `label_names` where it is given.

    Raises:
        ValueError: A column is missing, a label is null or not one of `label_names`, or a folder's classes are unclear.
    """
    if is_folder_of_classes(Path(arguments.dataset_name)):
        splits = _load_folder_of_classes(Path(arguments.dataset_name))
    else:
        splits = load_dataset(arguments.dataset_name, arguments.dataset_config_name)
    columns = next(iter(splits.values())).column_names
    for option in ("audio_column_name", "label_column_name", "speaker_column_name"):
        name = getattr(arguments, option)
        if name is not None and name not in columns:
            raise ValueError(
                f"--{option} {name}: {arguments.dataset_name} has no such column. Choose one of {', '.join(columns)}."
            )
    if arguments.speaker_column_name is None and "speaker_id" in columns:
        arguments.speaker_column_name = "speaker_id"
    splits = splits.cast_column(arguments.audio_column_name, Audio(decode=False))
    return _with_labels(splits, arguments.label_column_name, label_names)


def load_card(dataset_name: str) -> dict:
    """The metadata of a dataset's card, on disk or on the Hub; {} without one.

    Raises:
        ValueError: The Hub is out of reach, so that nobody knows whether there is one.
    """
    if Path(dataset_name).is_dir():
        card = Path(dataset_name, "README.md")
        return DatasetCard.load(card).data.to_dict() if card.is_file() else {}
    try:
        return DatasetCard.load(dataset_name).data.to_dict()
    except RemoteEntryNotFoundError:
        return {}
    except LocalEntryNotFoundError as error:
        raise ValueError(
            f"--dataset_name {dataset_name}: its card, which states its licence, is not in the Hub's cache, and the Hub is "
            "out of reach. Go online once, or name a copy of the dataset on disk."
        ) from error


def is_folder_of_classes(folder: Path) -> bool:
    """Whether a folder holds nothing but folders of audio, one for each class, or train/validation/test of them."""
    files = list(walk_files(folder)) if folder.is_dir() else []
    return bool(files) and all(is_audio_name(path.name) and path.parent != folder for path in files)


def _load_folder_of_classes(folder: Path) -> DatasetDict:
    """What `load_dataset("audiofolder")` gives, which would need torchcodec and FFmpeg even to list the files."""
    splits = {}
    for path in sorted(walk_files(folder)):
        *above, label, _ = path.relative_to(folder).parts
        if len(above) > 1 or above and above[0] not in SPLIT_FOLDERS:
            raise ValueError(
                f"{path} lies {len(above) + 1} folders deep, so its class is unclear: one sub-folder of audio per class is "
                f"needed, in {folder} itself or in its train, validation and test."
            )
        rows = splits.setdefault(SPLIT_FOLDERS[above[0]] if above else "train", {"audio": [], "label": []})
        rows["audio"].append(str(path))
        rows["label"].append(label)
    return DatasetDict({split: Dataset.from_dict(rows) for split, rows in splits.items()})


def _with_labels(splits: DatasetDict, column: str, label_names: list[str] | None) -> DatasetDict:
    for name, split in splits.items():
        n_unlabelled = list(split[column]).count(None)
        if n_unlabelled:
            raise ValueError(
                f"{n_unlabelled} of {len(split)} clips of the split {name} have no {column}: label them or leave them out."
            )
    feature = next(iter(splits.values())).features[column]
    if isinstance(feature, ClassLabel):
        found = feature.names
        if label_names in (None, found):
            return splits
    else:
        found = sorted({str(value) for split in splits.values() for value in split.unique(column)})
    target = ClassLabel(names=label_names or found)
    unknown = [name for name in found if name not in target.names]
    if unknown:
        raise ValueError(
            f"The dataset's label(s) {', '.join(unknown)} are not among the model's: {', '.join(target.names)}. "
            "Train on this dataset first."
        )

    def to_index(value):
        return target.str2int(feature.int2str(value) if isinstance(feature, ClassLabel) else str(value))

    for name, split in splits.items():
        indices = [to_index(value) for value in split[column]]
        splits[name] = split.remove_columns(column).add_column(column, indices, feature=target)
    return splits


def own_labels(splits: DatasetDict, arguments: DataArguments) -> dict[str, list[int]]:
    """The labels that occur in each corpus, over all splits; one nameless corpus where the column is absent."""
    labels = {}
    for split in splits.values():
        for corpus, label in zip(column(split, "corpus", ""), split[arguments.label_column_name], strict=True):
            labels.setdefault(corpus, set()).add(label)
    return {corpus: sorted(found) for corpus, found in labels.items()}


def column(data: Dataset, name: str | None, default=None) -> list:
    """A column's values, or the default for every row where there is no such column."""
    return list(data[name]) if name in data.column_names else [default] * len(data)


class Draw(NamedTuple):
    """A clip that is drawn for training, and the seed of whatever happens to it at random."""

    index: int
    seed: int


class Clips(torch.utils.data.Dataset):
    """Waveforms and labels, decoded when they are asked for.

    What a [`Draw`] gives does not depend on who asks: workers and processes may share an epoch, and a resumed run goes on as it
    would have.

    Args:
        data: Undecoded rows.
        sampling_rate: Hz.
        max_length: Longer clips are cropped at random to this many samples; None keeps them whole.
        transform: Takes a whole waveform and its index in `data`, returns another waveform.
        sentences: Index of every clip's sentence, for a second task.
    """

    def __init__(
        self,
        data: Dataset,
        arguments: DataArguments,
        sampling_rate: int,
        max_length: int | None = None,
        transform: Callable[[np.ndarray, int], np.ndarray] | None = None,
        sentences: list[int] | None = None,
    ):
        self.audio = data.select_columns([arguments.audio_column_name]).with_format(None)
        self.audio_column_name = arguments.audio_column_name
        self.labels = list(data[arguments.label_column_name])
        self.speakers = column(data, arguments.speaker_column_name)
        self.sampling_rate, self.max_length, self.transform = sampling_rate, max_length, transform
        self.sentences = sentences

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, draw: int | Draw) -> dict:
        if not isinstance(draw, Draw):
            return self._clip(draw)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draw.seed)
            return self._clip(draw.index)

    def _clip(self, index: int) -> dict:
        waveform = read_recording(self.audio[index][self.audio_column_name], self.sampling_rate).waveform
        if self.transform:
            waveform = self.transform(waveform, index)
        if self.max_length and len(waveform) > self.max_length:
            start = torch.randint(len(waveform) - self.max_length + 1, ()).item()
            waveform = waveform[start : start + self.max_length]
        clip = {"input_values": waveform, "labels": self.labels[index]}
        return clip if self.sentences is None else clip | {"sentences": self.sentences[index]}
