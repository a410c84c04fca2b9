"""How often the checkpoint is right: out of its own `evaluation.json` and `study.json`, and out of nothing else."""

from checkpoint import Record
from hearing import Answer

UNHEARD = "without-"  # protocols of the study that leave a corpus out
FOLDS = "by-speaker"
FEWEST = 20  # clips behind a figure


def worth(record: Record, answer: Answer) -> str:
    """What an answer is worth for sounds like this one; empty where the checkpoint's files do not say.

    How often answers as sure as this one are right was measured in studios that were trained in, and is left out where the
    checkpoint says that a clip is unlike those. That it does not say so is no proof that a clip is like them: what was
    measured elsewhere stands beside every answer.
    """
    sentences = []
    found = None if answer.unlike else reliability(record.evaluation, answer.probability)
    if found is not None:
        right, n_clips = found
        sentences.append(
            f"Of {n_clips} clips with answers as sure as this one, by voices that it had not met, "
            f"{round(100 * right)} in 100 were named right."
        )
    corpora = unheard(record.study).values()
    if corpora:
        sure = answer.sure and all(figures.get("sure_accuracy") is not None for figures in corpora)
        shares = [round(100 * figures["sure_accuracy" if sure else "accuracy"]) for figures in corpora]
        span = f"{min(shares)} to {max(shares)}" if min(shares) != max(shares) else f"{min(shares)}"
        answers = " where it was sure" if sure else ""
        sentences.append(
            f"On recordings from elsewhere, whole corpora that it had not heard, it named {span} in 100 right{answers}."
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
    """Figures on speakers that were left out of training, of all and by the corpus; empty where there are none."""
    return _groups(study.get("protocols", {}).get(FOLDS, {}))


def of_test_speakers(study: dict) -> dict[str, dict]:
    """Figures on speakers whom nothing was chosen by, of all and by the corpus; empty where they were not heard."""
    return _groups(study.get("test", {}))


def calibration(study: dict) -> float | None:
    """How far probabilities are from what they say, on clips that did not choose the temperature; None where unknown."""
    for figures in (of_test_speakers(study), folds(study)):
        error = figures.get("all", {}).get("expected_calibration_error")
        if error is not None:
            return error
    return None


def _groups(protocol: dict) -> dict[str, dict]:
    return {name: figures for name, figures in protocol.items() if isinstance(figures, dict)}
