"""Pooled embeddings of files, as .npz or .parquet."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_scripts.staging import whole_file

SUFFIXES = (".npz", ".parquet")


def write_embeddings(output: Path, paths: list[str], embeddings: list[np.ndarray]) -> None:
    """Writes a file that appears whole or not at all.

    Args:
        output: `.npz` with the arrays `path` and `embedding`, or `.parquet` with these columns.
        paths: What was heard.
        embeddings: float16, `(embedding_size,)` each.
    """
    with whole_file(output) as staging, open(staging, "wb") as file:
        if output.suffix == ".npz":
            np.savez(file, path=np.array(paths), embedding=np.stack(embeddings))
        else:
            flat = pa.array(np.concatenate(embeddings))
            vectors = pa.FixedSizeListArray.from_arrays(flat, len(embeddings[0]))
            pq.write_table(pa.table({"path": pa.array(paths, pa.string()), "embedding": vectors}), file)
