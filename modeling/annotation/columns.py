"""The columns of the result: what is taken over from the source and what is added."""

from collections.abc import Sequence
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
from datasets import Audio, Features, List, Value

from modeling.listener import Heard

FALLBACK_PREFIX = "predicted_"  # where the source has a column of that name already, such as the emotion of a corpus
MEANINGS = {
    "emotion": "the likeliest label; null where nothing could be heard",
    "probability": "its calibrated probability",
    "sure": "whether that reaches the model's threshold",
    "probabilities": "of every label",
    "unlikeness": "how unlike the training data the clip is; above 1: unlike the recordings that the model learned from, "
    "so trust the label less. Null where the model has no such statistic",
    "duration_heard": "how much of the recording was heard, seconds",
    "problem": "null, or a sentence that says why nothing was heard",
    "embedding": "the pooled embedding of the network",
}


class Columns:
    """What a row of the result consists of.

    Args:
        source: Columns of the source.
        audio_column: The one that is heard.
        labels: Of the model, in its order.
        unsure_threshold: Below this probability of the likeliest, the model is not sure.
        prefix: Stands before the names of the new columns. Where absent, `predicted_` does if one of them is taken.
        with_audio: Carry the audio as well.
        kept: Columns that are taken over; all but audio where absent.
        embedding_size: Of the embedding, where it is wanted.

    Raises:
        ValueError: A new column has the name of one of the source, or there is no such column.
    """

    def __init__(
        self,
        source: Features,
        audio_column: str,
        labels: Sequence[str],
        unsure_threshold: float,
        *,
        prefix: str | None = None,
        with_audio: bool = False,
        kept: Sequence[str] | None = None,
        embedding_size: int | None = None,
    ):
        self.audio_column, self.labels, self.unsure_threshold = audio_column, list(labels), unsure_threshold
        if unknown := [name for name in kept or [] if name not in source]:
            raise ValueError(f"there is no column {', '.join(unknown)} to keep; the source has {', '.join(source)}")
        is_audio = {name for name, feature in source.items() if isinstance(feature, Audio)} | {audio_column}
        self.kept = [name for name in source if name not in is_audio and (kept is None or name in kept)]
        features = {name: source[name] for name in self.kept}
        self.path_column = None
        if with_audio:
            heard = source[audio_column]
            features[audio_column] = Audio(sampling_rate=heard.sampling_rate) if isinstance(heard, Audio) else Audio()
        elif f"{audio_column}_path" not in source:
            self.path_column = f"{audio_column}_path"
            features[self.path_column] = Value("string")
        self.with_audio = with_audio
        new = {
            "emotion": Value("string"),
            "probability": Value("float32"),
            "sure": Value("bool"),
            "probabilities": {label: Value("float32") for label in self.labels},
            "unlikeness": Value("float32"),
            "duration_heard": Value("float32"),
            "problem": Value("string"),
        }
        if embedding_size:
            new["embedding"] = List(Value("float16"), length=embedding_size)
        if prefix is None:
            prefix = FALLBACK_PREFIX if set(new) & set(source) else ""
        if taken := [prefix + name for name in new if prefix + name in source]:
            raise ValueError(f"the source has {', '.join(taken)} already: give the new columns another --prefix")
        self.prefix, self.new = prefix, new
        self.features = Features({**features, **{prefix + name: feature for name, feature in new.items()}})

    def meanings(self) -> dict[str, str]:
        """A sentence for every new column."""
        return {self.prefix + name: MEANINGS[name] for name in self.new}

    def rows(self, source: pa.Table, heard: Sequence[Heard]) -> pa.Table:
        """Rows of the source with what was heard in them."""
        columns: dict[str, Any] = {name: source[name] for name in self.kept}
        if self.with_audio:
            columns[self.audio_column] = source[self.audio_column]
        if self.path_column:
            columns[self.path_column] = pa.array(
                [row["path"] for row in recordings(source, self.audio_column)], pa.string()
            )
        for name, value in self._new_values(heard).items():
            columns[self.prefix + name] = value
        schema = self.features.arrow_schema
        arrays = [
            columns[field.name].cast(field.type)
            if isinstance(columns[field.name], (pa.Array, pa.ChunkedArray))
            else pa.array(columns[field.name], field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _new_values(self, heard: Sequence[Heard]) -> dict[str, list]:
        probabilities = [None if one.problem else one.probabilities[0] for one in heard]
        best = [None if row is None else int(row.argmax()) for row in probabilities]
        highest = [None if row is None else float(row[index]) for row, index in zip(probabilities, best, strict=True)]
        values = {
            "emotion": [None if index is None else self.labels[index] for index in best],
            "probability": highest,
            "sure": [None if value is None else value >= self.unsure_threshold for value in highest],
            "probabilities": [
                dict.fromkeys(self.labels) if row is None else dict(zip(self.labels, row.tolist(), strict=True))
                for row in probabilities
            ],
            "unlikeness": [one.unlikeness for one in heard],
            "duration_heard": [one.duration for one in heard],
            "problem": [one.problem for one in heard],
        }
        if "embedding" in self.new:
            values["embedding"] = [None if one.embedding is None else np.asarray(one.embedding) for one in heard]
        return values


def recordings(rows: pa.Table, audio_column: str) -> list[dict]:
    """The recordings of some rows, undecoded; a null one is without content and path."""
    return [row or {"bytes": None, "path": None} for row in rows[audio_column].to_pylist()]


def with_content(rows: pa.Table, audio_column: str) -> pa.Table:
    """Rows whose recordings hold the content of the files that they name; a file that is not there leaves null."""
    audio = recordings(rows, audio_column)
    for row in audio:
        if row["bytes"] is None and row["path"]:
            try:
                with fsspec.open(row["path"]) as file:
                    row["bytes"] = file.read()
            except Exception:  # noqa: BLE001, S112 (every store has errors of its own; whoever hears the row reports it)
                continue
    index, field = rows.schema.get_field_index(audio_column), rows.schema.field(audio_column)
    return rows.set_column(index, field, pa.array(audio, field.type))
