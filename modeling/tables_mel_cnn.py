"""Tables for people: CSV that spreadsheets open as it is meant, and text that a terminal shows and does not obey."""

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence

BYTE_ORDER_MARK = "\ufeff"
# What spreadsheets compute; some skip white space before it, some take the wide forms of East Asian keyboards.
FORMULA = re.compile(r"'*(\s*[=+\-@＝＋－＠]|[\t\r\n])")


def csv_bytes(rows: Iterable[Sequence], header: Sequence[str] | None = None) -> bytes:
    """Rows as CSV in UTF-8.

    With a header the bytes begin a file, by the mark that tells a spreadsheet the encoding; without, they go on with one.
    A text that a spreadsheet would take for a formula gets an apostrophe in front (`restored` takes it away again); numbers
    stay as they are. Bytes of a file name that are no text are written out, as ``\\udcff``.

    Args:
        rows: Texts, paths, numbers, truth values or None, as many in every row.
        header: Names of the columns.
    """
    head = "" if header is None else BYTE_ORDER_MARK + _line(header)
    return (head + "".join(map(_line, rows))).encode()


def csv_rows(content: bytes) -> list[list[str]]:
    """The rows of a file that `csv_bytes` wrote, its header among them; a last line that is cut off is left out."""
    text = content[: csv_length(content)].decode("utf-8-sig")
    return [[restored(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]


def csv_length(content: bytes) -> int:
    """How many bytes of a file that was being written are whole rows."""
    end = len(content)
    # A line break in quotes belongs to a cell; every quote in a cell is doubled, so they are even at the end of a row.
    while (end := content.rfind(b"\n", 0, end)) >= 0 and content.count(b'"', 0, end) % 2:
        pass
    return end + 1


def defused(cell: object) -> object:
    """A cell that no spreadsheet computes, in characters that UTF-8 has."""
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if not isinstance(cell, str):
        return cell
    cell = cell.encode(errors="backslashreplace").decode()
    return f"'{cell}" if FORMULA.match(cell) else cell


def restored(cell: str) -> str:
    """What a cell was before it was defused."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def printable(text: str) -> str:
    """A text with its control characters written out, as ``\\x1b``: a file's name may hold what steers a terminal."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(map(defused, cells))  # ends in \r\n, and therefore quotes cells with either
    return text.getvalue().removesuffix("\r\n") + "\n"
