"""Reads the tables that come with a corpus."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd


def read_table(
    root: Path,
    name: str,
    columns: dict[str, type],
    gives: str,
    corpus: str,
    landing_page: str,
    report: Callable[[str], None],
) -> pd.DataFrame:
    """The columns of a table anywhere below a corpus's folder or beside it; without the table no rows.

    Args:
        root: the corpus's folder.
        name: the table's path, comma-separated, or tab-separated where it ends in ``.tsv``.
        columns: name -> type of the columns to read.
        gives: what is null without the table, for ``report``.
        corpus: its name, for messages.
        landing_page: where the table can be had.
        report: told if the table is not there.

    Raises:
        ValueError: the table lacks a column, or has a value of another type.
    """
    beside = root.resolve().parent / name
    found = sorted(root.rglob(Path(name).name)) or [path for path in (beside,) if path.is_file()]
    if not found:
        report(f"{name} is not in {root}: {gives} will be null; it comes with {landing_page}")
        return pd.DataFrame(columns=list(columns))
    separator = "\t" if name.endswith(".tsv") else ","
    try:
        return pd.read_csv(found[0], sep=separator, usecols=list(columns), dtype=columns)[list(columns)]
    except ValueError as error:
        raise ValueError(f"{found[0]} is not {corpus}'s table ({error}); fetch it from {landing_page}") from None
