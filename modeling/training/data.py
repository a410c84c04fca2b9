"""Any labelled audio dataset, on disk or on the Hub, as clips to train on and clips of voices that stay unheard."""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr
import torch
from datasets import Audio, ClassLabel, Dataset, DatasetDict, concatenate_datasets, load_dataset
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff"}
HELD_OUT_SHARE = 5  # one clip, or speaker, in five


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
        default="validation", metadata={"help": "Split to report on. The best epoch is always chosen on validation."}
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


@dataclass
class Fold:
    """Clips to train on, clips that choose the epoch, and clips that are reported on; the latter two may be the same."""

    train: Dataset
    validation: Dataset
    evaluation: Dataset


def load(arguments: DataArguments, label_names: list[str] | None = None) -> DatasetDict:
    """Loads all splits, undecoded, with labels as a `ClassLabel` in the order of `label_names` where it is given.

    Raises:
        ValueError: A column is missing, or a label is not one of `label_names`.
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


def is_folder_of_classes(folder: Path) -> bool:
    """Whether a folder holds nothing but folders of audio, one for each class, or train/validation/test of them."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return bool(files) and all(path.suffix.lower() in AUDIO_SUFFIXES and path.parent != folder for path in files)


def _load_folder_of_classes(folder: Path) -> DatasetDict:
    """What `load_dataset("audiofolder")` gives, which would need torchcodec and FFmpeg even to list the files."""
    splits = {}
    for path in sorted(folder.rglob("*.*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not path.name.startswith("."):
            split = parts[0] if len(parts) > 2 and parts[0] in ("train", "validation", "test") else "train"
            rows = splits.setdefault(split, {"audio": [], "label": []})
            rows["audio"].append(str(path))
            rows["label"].append(path.parent.name)
    return DatasetDict({split: Dataset.from_dict(rows) for split, rows in splits.items()})


def _with_labels(splits: DatasetDict, column: str, label_names: list[str] | None) -> DatasetDict:
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


def make_folds(splits: DatasetDict, arguments: DataArguments, seed: int) -> list[Fold]:
    """Applies the protocol that the arguments ask for.

    Raises:
        ValueError: A split, corpus or column that the protocol needs is not there.
    """
    if arguments.leave_out:
        return [_leave_out(splits, arguments, seed)]
    if arguments.split_by == "official":
        return [_official(splits, arguments, seed)]
    pool = concatenate_datasets([splits[name] for name in (arguments.train_split_name, "validation") if name in splits])
    parts = _parts(pool, arguments, max(arguments.folds, HELD_OUT_SHARE), arguments.split_by == "speaker", seed)
    if len(parts) < max(arguments.folds, 3):
        raise ValueError(
            f"--split_by {arguments.split_by} --folds {arguments.folds}: the speakers and clips make {len(parts)} parts, but "
            "3 are needed, to train, to choose the epoch and to report, and one for each fold. Name more data or fewer folds."
        )
    folds = []
    for held_out in range(arguments.folds):
        # Another part chooses the epoch: the one that is reported on must not.
        choosing = (held_out + 1) % len(parts)
        rest = np.concatenate([part for i, part in enumerate(parts) if i not in (held_out, choosing)])
        folds.append(Fold(pool.select(np.sort(rest)), pool.select(parts[choosing]), pool.select(parts[held_out])))
    return folds


def _official(splits: DatasetDict, arguments: DataArguments, seed: int) -> Fold:
    train = _split(splits, arguments.train_split_name)
    if "validation" in splits:
        validation = splits["validation"]
    else:
        by_speaker = arguments.speaker_column_name is not None
        parts = _parts(train, arguments, HELD_OUT_SHARE, by_speaker, seed)
        validation, train = train.select(parts[0]), train.select(np.sort(np.concatenate(parts[1:])))
        if by_speaker:
            print(f"No validation split: {len(validation)} clips of speakers held out of training serve as one.")
        else:
            print(
                f"No validation split and no --speaker_column_name: {len(validation)} clips drawn at random serve as "
                "one. Voices are shared between training and validation, so the figures flatter the model."
            )
    if arguments.eval_split_name == "validation":
        return Fold(train, validation, validation)
    return Fold(train, validation, _split(splits, arguments.eval_split_name))


def _leave_out(splits: DatasetDict, arguments: DataArguments, seed: int) -> Fold:
    fold = _official(splits, arguments, seed)
    known = sorted({corpus for corpus in column(fold.train, "corpus") if corpus is not None})
    if arguments.leave_out not in known or len(known) < 2:
        raise ValueError(
            f"--leave_out {arguments.leave_out}: the corpora in training are {', '.join(known) or 'not named'}; "
            "name one of at least two."
        )

    def rows(split: Dataset, left_out: bool) -> Dataset:
        is_left_out = np.asarray(column(split, "corpus")) == arguments.leave_out
        return split.select(np.flatnonzero(is_left_out == left_out))

    return Fold(
        train=rows(fold.train, False),
        validation=rows(fold.validation, False),
        evaluation=concatenate_datasets([rows(fold.train, True), rows(fold.validation, True)]),
    )


def _parts(data: Dataset, arguments: DataArguments, n_parts: int, by_speaker: bool, seed: int) -> list[np.ndarray]:
    """Indices of `n_parts` parts of equal make-up, in which no speaker is in two parts if they are made by speaker."""
    labels = data[arguments.label_column_name]
    if not by_speaker:
        return [part for _, part in StratifiedKFold(n_parts, shuffle=True, random_state=seed).split(labels, labels)]
    if arguments.speaker_column_name is None:
        raise ValueError("--split_by speaker: the dataset has no speaker_id; name its column by --speaker_column_name.")
    speakers = data[arguments.speaker_column_name]
    n_parts = min(n_parts, len(set(speakers)))
    if n_parts < 2:
        raise ValueError(
            f"The only speaker is {speakers[0]}; a split by speaker needs at least 2. Use --split_by file."
        )
    # By label alone, one speaker of very many clips would take the place of many speakers of another corpus.
    strata = [f"{corpus} {label}" for corpus, label in zip(column(data, "corpus"), labels, strict=True)]
    if max(Counter(strata).values()) < n_parts:  # too few clips for so fine a division
        strata = labels
    splitter = StratifiedGroupKFold(n_parts, shuffle=True, random_state=seed)
    return [part for _, part in splitter.split(strata, strata, speakers)]


def _split(splits: DatasetDict, name: str) -> Dataset:
    if name not in splits:
        raise ValueError(f"There is no split {name!r} in this dataset; it has {', '.join(splits)}.")
    return splits[name]


def own_labels(splits: DatasetDict, arguments: DataArguments) -> dict[str, list[int]]:
    """The labels that occur in each corpus, over all splits; one nameless corpus where the column is absent."""
    labels = {}
    for split in splits.values():
        for corpus, label in zip(column(split, "corpus", ""), split[arguments.label_column_name], strict=True):
            labels.setdefault(corpus, set()).add(label)
    return {corpus: sorted(found) for corpus, found in labels.items()}


def without_conflicts(data: Dataset) -> Dataset:
    """Leaves out the clips that are known to carry a wrong label, in datasets that say so."""
    return data.select(np.flatnonzero(~np.asarray(column(data, "label_conflict", False), dtype=bool)))


def column(data: Dataset, name: str | None, default=None) -> list:
    """A column's values, or the default for every row where there is no such column."""
    return list(data[name]) if name in data.column_names else [default] * len(data)


def decode(audio: dict, sampling_rate: int) -> np.ndarray:
    """An undecoded row of an audio column as a mono waveform, `(n_samples,)` at `sampling_rate` Hz.

    Raises:
        ValueError: The audio cannot be read; the message names the file.
    """
    try:
        waveform, rate = soundfile.read(
            audio["path"] if audio["bytes"] is None else io.BytesIO(audio["bytes"]), dtype="float32", always_2d=True
        )
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{audio['path']} cannot be read as audio: {error}. Repair or remove the file.") from error
    if not len(waveform) or not np.isfinite(waveform).all():
        fault = "samples that are NaN or infinite" if len(waveform) else "no samples"
        raise ValueError(f"{audio['path']} has {fault}. Repair or remove the file.")
    waveform = waveform.mean(1)
    return waveform if rate == sampling_rate else soxr.resample(waveform, rate, sampling_rate)


class Clips(torch.utils.data.Dataset):
    """Waveforms and labels, decoded when they are asked for.

    Args:
        data: Undecoded rows.
        sampling_rate: Hz.
        max_length: Longer clips are cropped at random to this many samples; None keeps them whole.
        transform: Takes a waveform and its index in `data`, returns another waveform.
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

    def __getitem__(self, index: int) -> dict:
        waveform = decode(self.audio[index][self.audio_column_name], self.sampling_rate)
        if self.max_length and len(waveform) > self.max_length:
            start = torch.randint(len(waveform) - self.max_length + 1, ()).item()
            waveform = waveform[start : start + self.max_length]
        if self.transform:
            waveform = self.transform(waveform, index)
        clip = {"input_values": waveform, "labels": self.labels[index]}
        return clip if self.sentences is None else clip | {"sentences": self.sentences[index]}
