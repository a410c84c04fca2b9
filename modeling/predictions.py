"""What was heard where, and how it is written down."""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Prediction:
    """What was heard between `start` and `end` (seconds) of a file.

    Args:
        path: The file.
        start, end: Span, seconds.
        probabilities: Of every label, likeliest first.
        unsure_threshold: Below this probability of the likeliest, the model is not sure.
    """

    path: Path
    start: float
    end: float
    probabilities: dict[str, float]
    unsure_threshold: float = 0.0

    @property
    def emotion(self) -> str:
        """The likeliest label."""
        return next(iter(self.probabilities))

    @property
    def sure(self) -> bool:
        """Whether its probability reaches the model's threshold."""
        return self.probabilities[self.emotion] >= self.unsure_threshold


def table(predictions: Sequence[Prediction], timeline: bool) -> str:
    """The predictions as lines of aligned text."""
    rows = [["file", *(["start", "end"] if timeline else []), "emotion", "probability", "then"]]
    for prediction in predictions:
        (emotion, probability), *others = prediction.probabilities.items()
        rows.append(
            [
                str(prediction.path).encode(errors="backslashreplace").decode(),
                *([f"{prediction.start:.2f} s", f"{prediction.end:.2f} s"] if timeline else []),
                emotion if prediction.sure else f"not sure ({emotion})",
                f"{probability:.2f}",
                ", ".join(f"{name} {value:.2f}" for name, value in others[:3]),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def as_csv(predictions: Sequence[Prediction], labels: Sequence[str]) -> str:
    """One line a prediction, one column a label."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "start", "end", "emotion", "probability", "sure", *labels])
    for prediction in predictions:
        of_label = prediction.probabilities
        known = [prediction.path, prediction.start, prediction.end, prediction.emotion]
        writer.writerow([*known, of_label[prediction.emotion], prediction.sure, *(of_label[name] for name in labels)])
    return text.getvalue()


def as_json_lines(predictions: Sequence[Prediction]) -> str:
    """One JSON object a line, its probabilities likeliest first."""
    lines = [
        {
            "path": str(prediction.path),
            "start": prediction.start,
            "end": prediction.end,
            "emotion": prediction.emotion,
            "probability": prediction.probabilities[prediction.emotion],
            "sure": prediction.sure,
            "probabilities": prediction.probabilities,
        }
        for prediction in predictions
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def write_whole(output: Path, content: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
