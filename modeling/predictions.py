"""What was heard where, and how it is written down."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_scripts.growing import growing_file
from data_scripts.terminal import say_aside
from modeling.tables_mel_cnn import csv_bytes, csv_length, csv_rows, printable


@dataclass
class Prediction:
    """What was heard between `start` and `end` (seconds) of a file.

    Args:
        path: The file.
        start, end: Span, seconds.
        probabilities: Of every label, likeliest first; empty where there is no speech.
        unsure_threshold: Below this probability of the likeliest, the model is not sure.
        no_speech: Why a window of a timeline can hold no speech, such as "holds only silence"; None where it may hold some.
        unlikeness: How unlike the training data the file is, above 1 hardly as a clip of theirs; None where the model has no
            such statistic, and in timelines.
        embedding: Pooled embedding, float16, `(embedding_size,)`, where it was asked for.
    """

    path: Path
    start: float
    end: float
    probabilities: dict[str, float]
    unsure_threshold: float = 0.0
    no_speech: str | None = None
    unlikeness: float | None = None
    embedding: np.ndarray | None = None

    @property
    def emotion(self) -> str | None:
        """The likeliest label; None where there is no speech."""
        return next(iter(self.probabilities), None)

    @property
    def probability(self) -> float | None:
        """Of the likeliest label."""
        return next(iter(self.probabilities.values()), None)

    @property
    def sure(self) -> bool | None:
        """Whether its probability reaches the model's threshold."""
        return None if self.probability is None else self.probability >= self.unsure_threshold

    @property
    def answer(self) -> str:
        """The likeliest label, or why there is none, as it is written down."""
        return self.emotion or f"no speech ({self.no_speech})"


def table(predictions: Sequence[Prediction], timeline: bool) -> str:
    """The predictions as lines of aligned text."""
    rows = [["file", *(["start", "end"] if timeline else []), "emotion", "probability", "then"]]
    for prediction in predictions:
        others = list(prediction.probabilities.items())[1:4]
        rows.append(
            [
                printable(str(prediction.path)),
                *([f"{prediction.start:.2f} s", f"{prediction.end:.2f} s"] if timeline else []),
                f"not sure ({prediction.emotion})" if prediction.sure is False else prediction.answer,
                "" if prediction.probability is None else f"{prediction.probability:.2f}",
                ", ".join(f"{name} {value:.2f}" for name, value in others),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def csv_header(labels: Sequence[str]) -> list[str]:
    """The columns of `csv_row`."""
    return ["path", "start", "end", "emotion", "probability", "sure", *labels]


def csv_row(prediction: Prediction, labels: Sequence[str]) -> list:
    """A prediction with one cell for every label."""
    of_label = prediction.probabilities
    known = [prediction.path, prediction.start, prediction.end, prediction.answer]
    return [*known, prediction.probability, prediction.sure, *(of_label.get(name) for name in labels)]


def json_line(prediction: Prediction) -> str:
    """A prediction as a JSON object on one line, its probabilities likeliest first."""
    return json.dumps(
        {
            "path": str(prediction.path),
            "start": prediction.start,
            "end": prediction.end,
            "emotion": prediction.answer,
            "probability": prediction.probability,
            "sure": prediction.sure,
            "probabilities": prediction.probabilities or None,
        }
    )


class Answers:
    """What a command has answered, file by file: a table in the end, or a file that grows.

    Args:
        output: The file, CSV or, where its name ends in `.jsonl`, lines of JSON; None for the table.
        timeline: Whether the table shows spans.

    Attributes:
        n_files: How many files were asked about.
        n_answered: How many of them have an answer.
    """

    def __init__(self, output: Path | None, timeline: bool):
        self.output, self.timeline = output, timeline
        self.n_files = self.n_answered = 0
        self._predictions: list[Prediction] = []
        self._earlier: set[str] = set()

    @contextmanager
    def writing(self, labels: Sequence[str], settings: dict) -> Iterator[None]:
        """Takes answers while the block runs; when it ends well, prints the table, or gives the file its name.

        Args:
            labels: All labels, in the order of their columns.
            settings: As for `growing_file`.
        """
        if self.output is None:
            yield
            self._print_table()
            return
        with growing_file(self.output, settings) as self._file:
            self._labels, self._as_csv = labels, self.output.suffix == ".csv"
            self._take_up()
            yield

    def _take_up(self) -> None:
        content = self._file.content
        self._file.truncate(csv_length(content) if self._as_csv else content.rfind(b"\n") + 1)
        if self._as_csv:
            names = [row[0] for row in csv_rows(self._file.content)[1:]]
        else:
            names = [json.loads(line)["path"] for line in self._file.content.splitlines()]
        self._earlier = set(map(in_utf8, names))

    def left_of(self, paths: Sequence[Path]) -> list[Path]:
        """The files that an earlier run has not answered.

        Raises:
            ValueError: It has answered others.
        """
        self.n_files = len(paths)
        left = [path for path in paths if in_utf8(str(path)) not in self._earlier]
        self.n_answered = len(paths) - len(left)
        if self.n_answered < len(self._earlier):
            raise ValueError(
                f"{self._file.path} holds answers for files that this command does not name: run the command again that "
                "wrote it, or remove it to begin anew"
            )
        if self.n_answered:
            say_aside(f"{self.n_answered:,} of {self.n_files:,} files were answered before, in {self._file.path}")
        return left

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Takes the predictions of one file."""
        if self.output is None:
            self._predictions += predictions
        elif self._as_csv:
            header = None if self._file.n_bytes else csv_header(self._labels)
            self._file.append(csv_bytes([csv_row(prediction, self._labels) for prediction in predictions], header))
        else:
            self._file.append("".join(f"{json_line(prediction)}\n" for prediction in predictions).encode())
        self.n_answered += 1

    def kept(self) -> str:
        """What is left where the command ends early; the table is printed, as far as it goes."""
        if not self.n_answered:
            return "nothing is answered yet"
        answered = f"{self.n_answered:,} of {self.n_files:,} files are answered"
        if self.output:
            return f"{answered}, in {self.output}.partial: the same command goes on with the rest"
        self._print_table()
        return f"{answered}, above: with --output FILE, answers are kept as they come and gone on with"

    def _print_table(self) -> None:
        if self._predictions:
            print(table(self._predictions, self.timeline), flush=True)


def in_utf8(name: str) -> str:
    """A file's name in characters that UTF-8 has."""
    return name.encode(errors="backslashreplace").decode()
