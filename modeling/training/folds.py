"""Splits into training and held-out clips: the dataset's own, by speaker, by file, or without a corpus."""

import warnings
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from datasets import Dataset, DatasetDict, concatenate_datasets
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from modeling.training.data import DataArguments, column, corpora_of

HELD_OUT_SHARE = 5  # one clip, or speaker, in five


@dataclass
class Fold:
    """Clips to train on, clips that calibrate, and clips that are reported on; the latter two may be the same."""

    train: Dataset
    validation: Dataset
    evaluation: Dataset


def make_folds(splits: DatasetDict, arguments: DataArguments, seed: int) -> list[Fold]:
    """Applies the protocol that the arguments ask for. Clips with conflicting labels are reported on, not trained on.

    Raises:
        ValueError: A split, corpus or column that the protocol needs is not there, or the arguments contradict each other.
    """
    folds = _by_protocol(splits, arguments, seed)
    return [replace(fold, train=_without_conflicts(fold.train)) for fold in folds]


def _by_protocol(splits: DatasetDict, arguments: DataArguments, seed: int) -> list[Fold]:
    if arguments.folds > 1 and (arguments.leave_out or arguments.split_by == "official"):
        raise ValueError(
            f"--folds {arguments.folds}: only new splits have folds; add --split_by speaker, without --leave_out."
        )
    if arguments.leave_out:
        return [_leave_out(splits, arguments, seed)]
    if arguments.split_by == "official":
        return [_official(splits, arguments, seed)]
    pool = concatenate_datasets([splits[name] for name in (arguments.train_split_name, "validation") if name in splits])
    parts = _parts(pool, arguments, max(arguments.folds, HELD_OUT_SHARE), arguments.split_by == "speaker", seed)
    if len(parts) < max(arguments.folds, 3):
        raise ValueError(
            f"--split_by {arguments.split_by} --folds {arguments.folds}: the speakers and clips make {len(parts)} parts, but "
            "3 are needed, to train, to calibrate and to report, and one for each fold. Name more data or fewer folds."
        )
    folds = []
    for held_out in range(arguments.folds):
        # Another part chooses the temperature: the one that is reported on must not.
        choosing = (held_out + 1) % len(parts)
        rest = np.concatenate([part for i, part in enumerate(parts) if i not in (held_out, choosing)])
        folds.append(Fold(pool.select(np.sort(rest)), pool.select(parts[choosing]), pool.select(parts[held_out])))
    return folds


def _official(splits: DatasetDict, arguments: DataArguments, seed: int) -> Fold:
    train = _split(splits, arguments.train_split_name)
    if "validation" in splits:
        validation = splits["validation"]
    else:
        by_speaker = any(name is not None for name in column(train, arguments.speaker_column_name))
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
    known = sorted(set(corpora_of(fold.train)) - {""})
    if arguments.leave_out not in known or len(known) < 2:
        raise ValueError(
            f"--leave_out {arguments.leave_out}: the corpora in training are {', '.join(known) or 'not named'}; "
            "name one of at least two."
        )

    def rows(split: Dataset, left_out: bool) -> Dataset:
        is_left_out = np.asarray(corpora_of(split)) == arguments.leave_out
        return split.select(np.flatnonzero(is_left_out == left_out))

    return Fold(
        train=rows(fold.train, False),
        validation=rows(fold.validation, False),
        evaluation=concatenate_datasets([rows(fold.train, True), rows(fold.validation, True)]),
    )


def _parts(data: Dataset, arguments: DataArguments, n_parts: int, by_speaker: bool, seed: int) -> list[np.ndarray]:
    """Indices of `n_parts` parts of equal make-up, in which no speaker is in two parts if they are made by speaker."""
    labels = data[arguments.label_column_name]
    counts = Counter(labels)
    rarest = min(counts, key=counts.get)
    if counts[rarest] < 2:
        name = data.features[arguments.label_column_name].names[rarest]
        raise ValueError(
            f"The class {name} has 1 clip, but 2 are needed, to train and to hold out: add clips of it, leave it out, or add a "
            "validation split."
        )
    n_parts = min(n_parts, max(counts.values()))
    if not by_speaker:
        return _divide(StratifiedKFold(n_parts, shuffle=True, random_state=seed), labels)
    if arguments.speaker_column_name is None:
        raise ValueError("--split_by speaker: the dataset has no speaker_id; name its column by --speaker_column_name.")
    # Whose voice is not known is nobody's: no two such clips need to stay together.
    speakers = [
        f"of clip {i}" if name is None else str(name) for i, name in enumerate(data[arguments.speaker_column_name])
    ]
    n_parts = min(n_parts, len(set(speakers)))
    if n_parts < 2:
        raise ValueError(
            f"The only speaker is {speakers[0]}; a split by speaker needs at least 2. Use --split_by file."
        )
    # By label alone, one speaker of very many clips would take the place of many speakers of another corpus.
    strata = [f"{corpus} {label}" for corpus, label in zip(corpora_of(data), labels, strict=True)]
    if max(Counter(strata).values()) < n_parts:  # too few clips for so fine a division
        strata = labels
    return _divide(StratifiedGroupKFold(n_parts, shuffle=True, random_state=seed), strata, speakers)


def _divide(
    splitter: StratifiedKFold | StratifiedGroupKFold, strata: list, groups: list | None = None
) -> list[np.ndarray]:
    with warnings.catch_warnings():  # of classes with fewer clips than there are parts, which then miss it
        warnings.simplefilter("ignore", UserWarning)
        return [part for _, part in splitter.split(strata, strata, groups)]


def _split(splits: DatasetDict, name: str) -> Dataset:
    if name not in splits:
        raise ValueError(f"There is no split {name!r} in this dataset; it has {', '.join(splits)}.")
    return splits[name]


def _without_conflicts(data: Dataset) -> Dataset:
    """Leaves out the clips that are known to carry a wrong label, in datasets that say so."""
    return data.select(np.flatnonzero(~np.asarray(column(data, "label_conflict", False), dtype=bool)))
