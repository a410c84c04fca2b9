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
    path = find_table(root, name)
    if path is None:
        report(f"{name} is not in {root}: {gives} will be null; it comes with {landing_page}")
        return pd.DataFrame(columns=list(columns))
    separator = "\t" if name.endswith(".tsv") else ","
    try:
        return pd.read_csv(path, sep=separator, usecols=list(columns), dtype=columns)[list(columns)]
    except ValueError as error:
        raise ValueError(f"{path} is not {corpus}'s table ({error}); fetch it from {landing_page}") from None


def find_table(root: Path, name: str) -> Path | None:
    """A table of this name anywhere below a corpus's folder or beside it; None where there is none."""
    found = [*sorted(root.rglob(Path(name).name)), root.resolve().parent / name]
    return next((path for path in found if path.is_file()), None)
