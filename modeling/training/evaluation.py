"""The figures of an evaluation: over all clips and by corpus, gender and speaker, raw and among a corpus's own labels."""

import os
import re
from collections import defaultdict
from pathlib import Path

import evaluate
import numpy as np
from datasets import Dataset

from modeling.training.data import DataArguments, column, corpora_of
from modeling.training.folds import HELD_OUT_SHARE, Fold

METRICS = Path(__file__).parent / "metrics.py"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def evaluate_clips(
    probabilities: np.ndarray,
    data: Dataset,
    arguments: DataArguments,
    own_labels: dict[str, list[int]],
    threshold: float | np.ndarray = 0.0,
) -> dict:
    """Figures of merit, each of them twice: `raw`, and `own_labels`, among the labels of the clip's corpus only.

    Where a corpus has no calm, whoever speaks calmly is neutral: among its own labels, the probability of calm counts as
    neutral's.

    Args:
        probabilities: `(n_clips, n_labels)`.
        data: The clips, in the same order.
        arguments: Names of the columns.
        own_labels: Indices of the labels of each corpus.
        threshold: Below this probability of the best label the model is not sure; one for all clips, or `(n_clips,)`.

    Returns:
        `labels`, their names in order; `all`, and `corpus`, `gender` (within a corpus) and `speaker` with an entry for every value; `shared_labels`,
        where corpora differ in their labels: the clips whose label every corpus has, and as `own_labels` these labels
        alone. Each entry holds `raw` and `own_labels` as `metrics.py` returns them.
    """
    metric = evaluate.load(str(METRICS))
    labels = np.asarray(data[arguments.label_column_name])
    corpora = np.asarray(corpora_of(data))
    possible = [own_labels[corpus] for corpus in corpora]
    names = data.features[arguments.label_column_name].names
    among_own = with_calm_as_neutral(probabilities, possible, names)
    threshold = np.broadcast_to(threshold, len(labels))
    speakers = _known(column(data, arguments.speaker_column_name))

    def figures(rows: np.ndarray, allowed: list[list[int]] = possible) -> dict:
        common = {
            "references": labels[rows],
            "speakers": speakers[rows].tolist() if arguments.speaker_column_name else None,
            "threshold": threshold[rows],
        }
        own = [allowed[row] for row in rows]
        return {
            "raw": metric.compute(predictions=probabilities[rows], **common),
            "own_labels": metric.compute(predictions=among_own[rows], own_labels=own, **common),
        }

    def by(values: np.ndarray) -> dict:
        return {str(value): figures(np.flatnonzero(values == value)) for value in np.unique(values)}

    result = {"labels": names, "all": figures(np.arange(len(labels)))}
    shared = sorted(set.intersection(*map(set, possible)))
    with_shared = np.flatnonzero(np.isin(labels, shared))
    if 1 < len(shared) < max(map(len, possible)) and len(with_shared) > 0:
        result["shared_labels"] = figures(with_shared, [shared] * len(labels))
    columns = {"corpus": "corpus", "gender": "gender", "speaker": arguments.speaker_column_name}
    groups = {group: _known(column(data, name)) for group, name in columns.items() if name in data.column_names}
    if "corpus" in groups and "gender" in groups:
        # One corpus is harder than another, and has more women or fewer.
        groups["gender"] = [", ".join(pair) for pair in zip(groups["corpus"], groups["gender"], strict=True)]
    return result | {group: by(np.asarray(values)) for group, values in groups.items()}


def with_calm_as_neutral(probabilities: np.ndarray, possible: list[list[int]], names: list[str]) -> np.ndarray:
    """Adds calm's probability to neutral's for the clips to which neutral is possible and calm is not."""
    if not {"neutral", "calm"} <= set(names):
        return probabilities
    neutral, calm = names.index("neutral"), names.index("calm")
    concerned = [neutral in labels and calm not in labels for labels in possible]
    moved = np.array(probabilities)
    moved[concerned, neutral] += moved[concerned, calm]
    moved[concerned, calm] = 0
    return moved


def _known(values: list) -> np.ndarray:
    """A column's values as words: null is unknown."""
    return np.asarray(["unknown" if value is None else str(value) for value in values])


def brief(evaluation: dict) -> dict:
    """The main figures of an evaluation, of `all` clips and of each corpus.

    Accuracy, UAR and neutral's recall are among the corpora's own labels; calibration error, and share and accuracy of
    the answers that are sure, among all labels.
    """
    names = ("accuracy", "unweighted_average_recall")
    of_sureness = ("expected_calibration_error", "sure_share", "sure_accuracy")

    def main_figures(entry: dict) -> dict:
        own, raw = entry["own_labels"], entry["raw"]
        figures = {name: own[name] for name in ("n_clips", "n_speakers", *names)}
        figures["interval"] = own["interval"] and {name: own["interval"][name] for name in names}
        figures["neutral_recall"] = dict(zip(evaluation["labels"], own["recall"], strict=True)).get("neutral")
        return figures | {name: raw[name] for name in of_sureness}

    entries = {"all": evaluation["all"], **evaluation.get("corpus", {})}
    return {group: main_figures(entry) for group, entry in entries.items()}


def score(probabilities: np.ndarray, data: Dataset, arguments: DataArguments, own_labels: dict[str, list[int]]) -> dict:
    """What training watches: recall among a corpus's own labels, each corpus counting as much as the other."""
    metric = evaluate.load(str(METRICS))
    labels = np.asarray(data[arguments.label_column_name])
    corpora = np.asarray(corpora_of(data))
    names = data.features[arguments.label_column_name].names
    probabilities_among_own = with_calm_as_neutral(probabilities, [own_labels[corpus] for corpus in corpora], names)
    recalls = {}
    for corpus in np.unique(corpora):
        rows = np.flatnonzero(corpora == corpus)
        figures = metric.compute(
            predictions=probabilities_among_own[rows],
            references=labels[rows],
            own_labels=[own_labels[corpus]] * len(rows),
        )
        recalls[str(corpus)] = figures["unweighted_average_recall"]
    by_corpus = {f"unweighted_average_recall_{corpus}": recall for corpus, recall in recalls.items() if corpus}
    accuracy = float((probabilities.argmax(1) == labels).mean())
    return {"unweighted_average_recall": float(np.mean(list(recalls.values()))), "accuracy": accuracy, **by_corpus}


def describe(folds: list[Fold], arguments: DataArguments, dataset_card: dict) -> dict:
    """What an evaluation is of: the dataset, the split, the protocol, and whether voices and recordings are new and real."""
    return {
        "dataset": name_of(arguments),
        "hub_dataset": hub_name_of(arguments),
        "split": arguments.eval_split_name,
        "protocol": protocol(arguments),
        "unseen_speakers": all(hears_new_voices(fold, arguments.speaker_column_name) for fold in folds),
        "synthetic": "synthetic" in dataset_card.get("tags", []),
    }


def composition(data: Dataset, arguments: DataArguments) -> dict[str, dict]:
    """What a model is trained on: `n_clips` and `n_speakers` (None if unknown) of each corpus, the name "" if it has none."""
    speakers = defaultdict(list)
    for corpus, speaker in zip(corpora_of(data), column(data, arguments.speaker_column_name), strict=True):
        speakers[corpus].append(speaker)
    return {
        corpus: {"n_clips": len(found), "n_speakers": len(set(found) - {None}) or None}
        for corpus, found in sorted(speakers.items())
    }


def name_of(arguments: DataArguments) -> str:
    """The dataset as figures name it: never a path that only this machine has."""
    path, name = Path(os.path.abspath(arguments.dataset_name)), arguments.dataset_name
    if path.exists():
        name = path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else path.name
    return f"{name} ({arguments.dataset_config_name})" if arguments.dataset_config_name else name


def hub_name_of(arguments: DataArguments) -> str | None:
    """The dataset's name on the Hub; None where it is a folder, a file or an address."""
    name = arguments.dataset_name
    return name if HUB_NAME.fullmatch(name) and not Path(name).exists() else None


def protocol(arguments: DataArguments) -> str:
    """How training and evaluation were kept apart, in words."""
    if arguments.leave_out:
        return f"trained without {arguments.leave_out}, tested on it"
    if arguments.split_by == "official":
        return f"{arguments.eval_split_name} split"
    leak = " (voices are shared with training)" if arguments.split_by == "file" else ""
    return f"{arguments.folds} of {max(arguments.folds, HELD_OUT_SHARE)} folds by {arguments.split_by}{leak}"


def hears_new_voices(fold: Fold, speaker_column: str | None) -> bool:
    """Whether it is certain that no voice of the evaluation was trained on."""
    if speaker_column is None:
        return False
    trained, heard = set(fold.train[speaker_column]), set(fold.evaluation[speaker_column])
    return trained.isdisjoint(heard) and None not in trained | heard  # whose voice is unknown may be anybody's
