"""How often the checkpoint is right: out of its own `evaluation.json` and `study.json`, and out of nothing else."""

from hearing import Answer

UNHEARD = "without-"  # protocols of the study that leave a corpus out
FOLDS = "by-speaker"
FEWEST = 20  # clips behind a figure


def worth(record, answer: Answer) -> str:
    """What an answer is worth, in two sentences at most; empty where the files do not say.

    Args:
        record: The `Record` of the checkpoint.
        answer: One answer.
    """
    sentences = []
    if (found := reliability(record.evaluation, answer.probability)) is not None:
        right, n_clips = found
        sentences.append(
            f"Of {n_clips} clips with answers as sure as this one, by voices that it had not met, "
            f"{round(100 * right)} in 100 were named right."
        )
    if shares := [entry["accuracy"] for entry in unheard(record.study).values()]:
        low, high = round(100 * min(shares)), round(100 * max(shares))
        span = f"{low} to {high}" if low != high else f"{low}"
        sentences.append(
            f"On recordings from elsewhere, whole corpora that it had not heard, it named {span} in 100 right."
        )
    return " ".join(sentences)


def reliability(evaluation: dict | None, probability: float) -> tuple[float, int] | None:
    """How often answers of about this probability are right, and how many clips say so; None where nobody measured it."""
    if not evaluation or evaluation.get("synthetic") or not evaluation.get("unseen_speakers"):
        return None
    bins = [entry for entry in evaluation["all"]["own_labels"].get("reliability", []) if entry["n_clips"] >= FEWEST]
    if not bins:
        return None
    nearest = min(bins, key=lambda entry: abs(entry["confidence"] - probability))
    return nearest["accuracy"], nearest["n_clips"]


def unheard(study: dict) -> dict[str, dict]:
    """Figures on corpora that were left out of training, by the corpus."""
    return {
        name.removeprefix(UNHEARD): protocol[name.removeprefix(UNHEARD)]
        for name, protocol in study.get("protocols", {}).items()
        if name.startswith(UNHEARD) and name.removeprefix(UNHEARD) in protocol
    }


def folds(study: dict) -> dict[str, dict]:
    """Figures on speakers that were left out of training, by the corpus; empty where there are none."""
    protocol = study.get("protocols", {}).get(FOLDS, {})
    return {name: figures for name, figures in protocol.items() if isinstance(figures, dict) and name != "all"}
