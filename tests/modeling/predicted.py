"""What the tests of modeling.predict ask about a run of it."""

import csv
import json
from pathlib import Path

from modeling import predict as script


def run(capsys, checkpoint, *arguments) -> tuple[str, str, int]:
    """Standard output and error of the script, and its exit status."""
    try:
        script.main([*map(str, arguments), "--model", str(checkpoint)])
        code = 0
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    return (captured.out, captured.err, code) if isinstance(code, int) else (captured.out, captured.err + code, 1)


def read_rows(name: str) -> list[dict]:
    lines = Path(name).read_text(encoding="utf-8-sig").splitlines()
    return list(csv.DictReader(lines)) if name.endswith(".csv") else [json.loads(line) for line in lines]
