"""An evaluation as a table, as `evaluation.json` and as pictures."""

import json
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

matplotlib.use("Agg")

SHORT_NAMES = {
    "accuracy": "accuracy",
    "unweighted_average_recall": "UAR",
    "macro_f1": "macro F1",
    "expected_calibration_error": "calibration error",
}


def write_report(folder: Path, evaluation: dict, history: list[dict] | None = None) -> None:
    """Writes `evaluation.json` and its pictures into a folder.

    Args:
        folder: An existing folder.
        evaluation: As `evaluate_clips` returns it, with `dataset`, `split`, `protocol`, `labels`, `unseen_speakers`
            and `synthetic` beside.
        history: `log_history` of the Trainer; without it there are no training curves.
    """
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1) + "\n")
    figures = {"confusion": draw_confusion(evaluation), "reliability": draw_reliability(evaluation)}
    if "corpus" in evaluation:
        figures["corpora"] = draw_corpora(evaluation)
    if history:
        figures["training"] = draw_training(history)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight")
        plt.close(figure)


def table(evaluation: dict) -> str:
    """The evaluation as a Markdown table: lines for all clips, and one for every corpus, and women and men in it."""
    voices = "speakers unseen in training" if evaluation["unseen_speakers"] else "speakers perhaps met in training"
    lines = [f"| {voices} | clips | speakers | " + " | ".join(SHORT_NAMES.values()) + " |"]
    lines.append("|---" * (3 + len(SHORT_NAMES)) + "|")
    rows = {"all, any label": evaluation["all"]["raw"], "all": evaluation["all"]["own_labels"]}
    if "shared_labels" in evaluation:
        rows["all, labels that every corpus has"] = evaluation["shared_labels"]["own_labels"]
    for group in ("corpus", "gender"):
        rows |= {name: entry["own_labels"] for name, entry in evaluation.get(group, {}).items()}
    for name, entry in rows.items():
        cells = [name, str(entry["n_clips"]), str(entry["n_speakers"] or "?")]
        lines.append("| " + " | ".join(cells + [with_interval(entry, figure) for figure in SHORT_NAMES]) + " |")
    return "\n".join(lines)


def with_interval(entry: dict, name: str) -> str:
    """A figure with its 95 % interval, such as `0.642 [0.601, 0.683]`."""
    if not entry["interval"]:
        return f"{entry[name]:.3f}"
    low, high = entry["interval"][name]
    return f"{entry[name]:.3f} [{low:.3f}, {high:.3f}]"


def title(evaluation: dict) -> str:
    """What the figures were measured on; synthetic voices are called so."""
    synthetic = "synthetic voices, " if evaluation["synthetic"] else ""
    return f"{synthetic}{evaluation['dataset']}, {evaluation['protocol']}"


def study_tables(study: dict) -> str:
    """What other protocols and degraded sound do to the figures, as Markdown tables; see `study.py`."""
    parts = {"protocol": "protocols", "sound, validation speakers": "robustness"}
    tables = [brief_table(study[part], head) for head, part in parts.items() if study[part]]
    strangers = {
        name.removeprefix("without-"): entry for name, entry in study["protocols"].items() if "without-" in name
    }
    return "\n\n".join([*tables, strangers_table(strangers)] if strangers else tables)


def brief_table(entries: dict[str, dict], head: str) -> str:
    """What `brief` returned, one line an entry, with the figures of every corpus, as a Markdown table."""
    groups = sorted({name for entry in entries.values() for name in entry} - {"protocol", "all"})
    cells = [head, *(f"{group}, {figure}" for group in groups for figure in ("accuracy", "UAR"))]
    lines = ["| " + " | ".join(cells) + " |", "|---" * len(cells) + "|"]
    for name, entry in entries.items():
        cells = [f"{name}: {entry['protocol']}" if "protocol" in entry else name]
        for group in groups:
            for figure in ("accuracy", "unweighted_average_recall"):
                cells.append(with_interval(entry[group], figure) if group in entry else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def strangers_table(runs: dict[str, dict]) -> str:
    """How a corpus is heard that was not trained on, one line for every corpus that was left out, as a Markdown table.

    Args:
        runs: Corpus -> what `brief` returns for the run without it, which was tested on it, with what `recognise_strangers` does.
    """
    figures = {
        "unweighted_average_recall": "UAR",
        "neutral_recall": "neutral's recall",
        "expected_calibration_error": "calibration error",
        "sure_accuracy": "accuracy of sure answers",
        "sure_share": "share of sure answers",
        "unlikeness_auroc": "told from known corpora, AUROC",
        "unlike_share": "said to be unlike",
    }
    known = {corpus: entry[corpus] for corpus, entry in runs.items() if corpus in entry}
    # What was not measured at all has no column.
    figures = {name: title for name, title in figures.items() if any(name in entry for entry in known.values())}
    rows = {corpus: [entry.get(figure) for figure in figures] for corpus, entry in known.items()}
    by_figure = [[value for value in values if value is not None] for values in zip(*rows.values(), strict=True)]
    rows["mean"] = [float(np.mean(values)) if values else None for values in by_figure]
    lines = [
        "| corpus that was never heard | " + " | ".join(figures.values()) + " |",
        "|---" * (1 + len(figures)) + "|",
    ]
    for name, values in rows.items():
        cells = ["" if value is None else f"{value:.3f}" for value in values]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_adaptation(curves: dict[str, dict[str, float]]) -> plt.Figure:
    """UAR on corpora that were not trained on against the number of their clips that the model was adapted to."""
    figure, axes = plt.subplots(figsize=(6, 3.5))
    numbers = list(next(iter(curves.values())))
    for corpus, curve in curves.items():
        axes.plot(numbers, [curve[number] for number in numbers], marker="o", linewidth=1, label=corpus)
    if len(curves) > 1:
        mean = [float(np.mean([curve[number] for curve in curves.values()])) for number in numbers]
        axes.plot(numbers, mean, color="black", linewidth=3, label="mean")
    axes.set(xlabel="unlabelled clips of the corpus that the model was adapted to", ylabel="UAR among its own labels")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, ncol=2)
    return figure


def draw_robustness(conditions: dict) -> plt.Figure:
    """Accuracy of each corpus under every condition, with intervals."""
    groups = [name for name in next(iter(conditions.values())) if name != "all"]
    n_lines = len(groups) + 1  # of every condition: a line for each corpus, and a gap to the next condition
    figure, axes = plt.subplots(figsize=(6.5, 0.15 * n_lines * len(conditions) + 1))
    places = np.arange(len(conditions))
    for position, group in enumerate(groups):
        values, intervals = _with_intervals([entry[group] for entry in conditions.values()], "accuracy")
        y = places + (position - (len(groups) - 1) / 2) / n_lines
        axes.errorbar(values, y, xerr=np.abs(intervals.T - values), fmt="o", markersize=5, capsize=2, label=group)
        axes.axvline(values[0], color=f"C{position}", linestyle=":", linewidth=1)
    axes.set_yticks(places, conditions)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="accuracy among the corpus's own labels, unseen speakers")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(frameon=False, loc="lower left")
    return figure


def draw_confusion(evaluation: dict) -> plt.Figure:
    """Which emotion was taken for which; shares of the true class, among the labels of a clip's corpus."""
    counts = np.asarray(evaluation["all"]["own_labels"]["confusion"])
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    labels = evaluation["labels"]
    figure, axes = plt.subplots(figsize=(1.5 + 0.7 * len(labels), 1 + 0.7 * len(labels)))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(shares.shape):
        if counts[row].sum():
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="heard as", ylabel="acted")
    axes.set_title(title(evaluation), fontsize=10)
    return figure


def draw_reliability(evaluation: dict) -> plt.Figure:
    """How often the model is right when it claims a probability."""
    figure, axes = plt.subplots(figsize=(4.5, 4.5))
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="perfectly calibrated")
    entry = evaluation["all"]["raw"]
    bins = entry["reliability"]
    sizes = [10 + 400 * bin["n_clips"] / entry["n_clips"] for bin in bins]
    axes.plot([bin["confidence"] for bin in bins], [bin["accuracy"] for bin in bins], color="C0", linewidth=1)
    axes.scatter([bin["confidence"] for bin in bins], [bin["accuracy"] for bin in bins], sizes, color="C0", alpha=0.6)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the answer", ylabel="share of right answers")
    axes.text(0.03, 0.87, f"calibration error {entry['expected_calibration_error']:.3f}", transform=axes.transAxes)
    axes.legend(loc="upper left", frameon=False)
    axes.set_title(title(evaluation), fontsize=10)
    return figure


def draw_corpora(evaluation: dict) -> plt.Figure:
    """Accuracy, UAR and F1 of every corpus, with intervals."""
    corpora = list(evaluation["corpus"])
    names = ["accuracy", "unweighted_average_recall", "macro_f1"]
    figure, axes = plt.subplots(figsize=(2 + 1.6 * len(corpora), 3.5))
    for position, name in enumerate(names):
        entries = [evaluation["corpus"][corpus]["own_labels"] for corpus in corpora]
        values, intervals = _with_intervals(entries, name)
        x = np.arange(len(corpora)) + (position - 1) * 0.25
        errors = np.abs(intervals.T - values)
        axes.bar(x, values, 0.23, yerr=errors, capsize=3, label=SHORT_NAMES[name])
    axes.set_xticks(range(len(corpora)), corpora)
    axes.set_ylim(0, 1)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncol=3, frameon=False)
    axes.set_title(title(evaluation) + ", own labels", fontsize=10)
    return figure


def draw_training(history: list[dict]) -> plt.Figure:
    """Loss of training and validation, and recall on validation, over the epochs; no recall without evaluations."""
    recall = "eval_unweighted_average_recall"
    losses = {"loss": "training (augmented, all tasks)", "eval_loss": "validation"}
    recalls = {
        key: key.removeprefix(recall).strip("_") or "mean of the corpora"
        for key in sorted({key for entry in history for key in entry if key.startswith(recall)})
    }
    panels = [("loss", losses), ("UAR on validation", recalls)] if recalls else [("loss", losses)]
    figure, row = plt.subplots(1, len(panels), figsize=(4.5 * len(panels), 3.5), squeeze=False)
    for axes, (quantity, labels) in zip(row[0], panels, strict=True):
        for key, label in labels.items():
            points = [(entry["epoch"], entry[key]) for entry in history if key in entry]
            if points:
                axes.plot(*zip(*points, strict=True), label=label)
        axes.set(xlabel="epoch", ylabel=quantity, ylim=(0, 1) if labels is recalls else None)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def _with_intervals(entries: list[dict], name: str) -> tuple[np.ndarray, np.ndarray]:
    """A figure `(n,)` and its intervals `(n, 2)`, which are empty where there is one speaker."""
    intervals = [entry["interval"][name] if entry["interval"] else [entry[name]] * 2 for entry in entries]
    return np.asarray([entry[name] for entry in entries]), np.asarray(intervals)
