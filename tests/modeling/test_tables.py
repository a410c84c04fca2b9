"""CSV for spreadsheets and for programs, from names that mean harm."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.csv
import pytest
from datasets import load_dataset

from modeling.tables_mel_cnn import csv_bytes, csv_rows, defused, printable, restored

ROOT = Path(__file__).parents[2]
HEADER = ["path", "probability", "sure"]
NAMES = [
    "=HYPERLINK(1).wav",
    "+1.wav",
    "-1.wav",
    "@SUM(1).wav",
    "\t=1.wav",
    "\r=1.wav",
    " =1.wav",
    "\n=1.wav",
    "＝1.wav",
    "'=1.wav",
    "''quoted.wav",
    "'quoted.wav",
    'say "a, b".wav',
    "two\nlines.wav",
    "mañana ü 日本.wav",
    "plain.wav",
]


def test_no_cell_is_a_formula_and_every_name_comes_back():
    content = csv_bytes([[name, -0.5, True] for name in NAMES], HEADER)
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert header == HEADER
    for row, name in zip(rows, NAMES, strict=True):
        assert row[0].lstrip()[0] not in "=+-@＝\t\r" and row[1:] == ["-0.5", "True"]  # a number is not touched
        assert row[0] in (name, f"'{name}") and restored(row[0]) == name
    assert csv_rows(content) == [HEADER, *([name, "-0.5", "True"] for name in NAMES)]


def test_paths_and_names_that_are_no_text():
    name = os.fsdecode(b"caf\xe9.wav")
    content = csv_bytes([[Path("=a.wav"), 1, None], [Path(name), 2, None]])
    assert content == b"'=a.wav,1,\n" + rb"caf\udce9.wav,2," + b"\n"


def test_accents_in_a_spreadsheet_and_the_first_column_in_a_program(tmp_path):
    """The byte-order mark is for the former; the readers of programs take it away."""
    file = tmp_path / "clips.csv"
    file.write_bytes(csv_bytes([["ü.wav", 0.5, True]], HEADER) + csv_bytes([["ñ.wav", 0.25, False]]))
    assert file.read_bytes().startswith(b"\xef\xbb\xbfpath,") and file.read_bytes().count(b"\xef\xbb\xbf") == 1
    table = pd.read_csv(file)
    assert list(table.columns) == HEADER and list(table.path) == ["ü.wav", "ñ.wav"]
    assert pyarrow.csv.read_csv(file).column_names == HEADER
    dataset = load_dataset("csv", data_files=str(file), cache_dir=str(tmp_path / "cache"), split="train")
    assert dataset.column_names == HEADER and dataset["probability"] == [0.5, 0.25]


@pytest.mark.parametrize("n_bytes", range(1, 40))
def test_a_line_that_was_cut_off_is_left_out(n_bytes):
    rows = [["a.wav", "1", "x"], ['two\n"lines" ü.wav', "2", "y"]]
    content = csv_bytes(rows, HEADER)
    found = csv_rows(content[:-n_bytes])
    assert found == [HEADER, *rows][: len(found)] and len(found) < 3


def test_escapes_do_not_reach_a_terminal():
    assert printable("\x1b[2J\x9b1m\r\u202eevil\x7f\n.wav") == r"\x1b[2J\x9b1m\r\u202eevil\x7f\n.wav"
    assert printable(os.fsdecode(b"\xff.wav")) == r"\udcff.wav"
    assert printable("mañana 日本 🙂.wav") == "mañana 日本 🙂.wav"


@pytest.mark.slow
def test_it_comes_with_the_checkpoint(tmp_path):
    script = (
        "import sys; from transformers import AutoModelForAudioClassification as Auto\n"
        "model = Auto.from_pretrained(sys.argv[1], trust_remote_code=True)\n"
        "print(model.csv_bytes([['=1.wav']], ['path']), model.printable(chr(27)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, ROOT / "modeling" / "checkpoint"],
        cwd=tmp_path,
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == rf"{csv_bytes([['=1.wav']], ['path'])} \x1b"


def test_defused_leaves_what_is_no_text():
    assert [defused(cell) for cell in (-1, 0.5, None, True)] == [-1, 0.5, None, True]
