"""A small dataset with good and bad rows, and what the tests of annotation ask about a result."""

import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from datasets import Audio, Features, Value

from tests.modeling.tiny import voice

FEATURES = Features({"audio": Audio(), "id": Value("int64"), "emotion": Value("string")})
BAD = {7: {"bytes": b"rubbish", "path": "rubbish.wav"}, 8: None, 9: {"bytes": None, "path": "/nowhere/gone.wav"}}


def clip(number: int) -> bytes:
    """A FLAC of 0.2 to 0.5 s."""
    file = io.BytesIO()
    soundfile.write(file, voice(0.2 + 0.05 * (number % 7), seed=number), 16_000, format="FLAC")
    return file.getvalue()


def rows(numbers: range) -> pa.Table:
    """Rows with a recording each; 7, 8 and 9 are bad."""
    audio = [BAD.get(number, {"bytes": clip(number), "path": f"{number}.flac"}) for number in numbers]
    columns = {"audio": audio, "id": list(numbers), "emotion": ["acted"] * len(numbers)}
    return pa.table(columns, schema=FEATURES.arrow_schema)


def write_dataset(folder: Path, **splits: list[range]) -> Path:
    """A folder that `load_dataset` takes: a file for every range of rows, in row groups of six."""
    (folder / "data").mkdir(parents=True)
    for split, files in splits.items():
        for number, numbers in enumerate(files):
            path = folder / "data" / f"{split}-{number:05d}-of-{len(files):05d}.parquet"
            pq.write_table(rows(numbers), path, row_group_size=6)
    return folder


def digests(output: Path) -> dict[str, str]:
    """Every shard of a result and its bytes."""
    shards = sorted(output.glob("data/*.parquet"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards}
