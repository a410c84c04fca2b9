"""How answers are written down: table, CSV and lines of JSON, whole, interrupted and gone on with."""

import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest

from modeling import listener
from modeling import predict as script
from tests.modeling.predicted import read_rows, run
from tests.modeling.tiny import EMOTIONS, save_checkpoint


def test_table(recordings, checkpoint, capsys):
    printed, error, status = run(capsys, checkpoint, "clips", "clips/a.wav")
    assert (error, status) == ("", 0)
    header, *lines = printed.splitlines()
    assert header.split() == ["file", "emotion", "probability", "then"]
    assert [line.split()[0] for line in lines] == ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]
    assert all(any(name in line for name in EMOTIONS) for line in lines)


def test_not_sure(recordings, tmp_path, capsys):
    save_checkpoint(tmp_path / "unsure", unsure_threshold=0.99)
    printed, _, _ = run(capsys, tmp_path / "unsure", "clips/a.wav", "--output", "out.csv")
    assert printed == ""
    assert "not sure" in run(capsys, tmp_path / "unsure", "clips/a.wav")[0]
    (row,) = read_rows("out.csv")
    assert row["sure"] == "False" and row["emotion"] in EMOTIONS


def test_csv_and_json_lines_say_the_same(recordings, checkpoint, capsys):
    for name in ("out.csv", "out.jsonl"):
        assert run(capsys, checkpoint, "clips", "--output", name) == ("", "", 0)
    rows, lines = read_rows("out.csv"), read_rows("out.jsonl")
    assert list(rows[0]) == ["path", "start", "end", "emotion", "probability", "sure", *EMOTIONS]
    for row, line in zip(rows, lines, strict=True):
        assert (row["path"], row["emotion"]) == (line["path"], line["emotion"])
        assert float(row["end"]) == line["end"]
        assert {name: float(row[name]) for name in EMOTIONS} == pytest.approx(line["probabilities"])
        assert line["probability"] == max(line["probabilities"].values()) == line["probabilities"][line["emotion"]]
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert line["sure"] is True
    assert [path.name for path in recordings.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_written_where_nothing_was_heard(recordings, checkpoint, capsys):
    (recordings / "out.csv").write_text("from before")
    _, error, status = run(capsys, checkpoint, "clips/notes.txt", "--output", "out.csv")
    assert status == 1 and "clips/notes.txt cannot be read" in error
    assert (recordings / "out.csv").read_text() == "from before"
    assert run(capsys, checkpoint, "absent.wav")[2] == 1


def interrupted_at(monkeypatch, name: str) -> None:
    """Ctrl-C comes when this file is read; every file is heard by itself."""
    read = listener.read_recording

    def interrupt(path, *arguments):
        if Path(path).name == name:
            raise KeyboardInterrupt
        return read(path, *arguments)

    monkeypatch.setattr(script, "TOGETHER", 1)
    monkeypatch.setattr(script, "n_processors", lambda: 0)
    monkeypatch.setattr(listener, "read_recording", interrupt)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_an_interrupted_run_keeps_its_answers_and_goes_on(recordings, checkpoint, capsys, monkeypatch, name):
    (recordings / name).write_text("from before")
    with monkeypatch.context() as patch:
        interrupted_at(patch, "c.ogg")
        _, said, status = run(capsys, checkpoint, "clips", "--output", name)
    assert status == 1 and said.startswith("interrupted; 2 of 3 files are answered, in ") and "same command" in said
    assert (recordings / name).read_text() == "from before"
    partial = (recordings / f"{name}.partial").read_bytes()
    assert b"clips/a.wav" in partial
    (recordings / f"{name}.partial").write_bytes(partial + b"clips/c.ogg,0.0,2")  # killed in the middle of a line

    _, said, status = run(capsys, checkpoint, "clips", "--output", name, "--window", "1")
    assert status == 1 and "holds answers of an earlier run with --window None, this one has 1.0" in said
    monkeypatch.setattr(script, "TOGETHER", 1)
    read = Mock(side_effect=listener.read_recording)
    monkeypatch.setattr(script, "n_processors", lambda: 0)
    monkeypatch.setattr(listener, "read_recording", read)
    assert run(capsys, checkpoint, "clips", "--output", name)[2] == 0
    assert read.call_count == 1
    assert [row["path"] for row in read_rows(name)] == ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]
    resumed = (recordings / name).read_bytes()
    assert run(capsys, checkpoint, "clips", "--output", name)[2] == 0
    assert (recordings / name).read_bytes() == resumed  # as if nothing had come in between
    assert sorted(path.name for path in recordings.iterdir()) == ["clips", name]


def test_an_interrupted_table_is_printed_as_far_as_it_goes(recordings, checkpoint, capsys, monkeypatch):
    interrupted_at(monkeypatch, "a.wav")
    printed, said, status = run(capsys, checkpoint, "clips")
    assert status == 1 and "B.FLAC" in printed and said.startswith("interrupted; 1 of 3 files are answered, above")


def test_a_full_disk_keeps_the_answers(recordings, checkpoint, capsys, monkeypatch, tiny_disk):
    with pytest.raises(OSError), open(tiny_disk / "ballast", "wb") as ballast:
        while True:
            ballast.write(bytes(512))
    _, said, status = run(capsys, checkpoint, "clips", "--output", tiny_disk / "out.csv")
    assert status == 1 and "disk is full" in said and len(said.splitlines()) == 1
    (tiny_disk / "ballast").unlink()
    assert run(capsys, checkpoint, "clips", "--output", tiny_disk / "out.csv")[2] == 0
    assert len(read_rows(str(tiny_disk / "out.csv"))) == 3


def test_names_that_mean_harm(recordings, checkpoint, capsys):
    shutil.move("clips/a.wav", "clips/\x1b[2J\ta.wav")
    shutil.copy("clips/B.FLAC", "=B.FLAC")
    printed, _, _ = run(capsys, checkpoint, "clips", "=B.FLAC")
    assert "\x1b" not in printed and r"\x1b[2J\ta.wav" in printed
    Path("clips/\x1b]0;.wav").write_bytes(b"no sound")
    assert "\x1b" not in run(capsys, checkpoint, "clips")[1]
    run(capsys, checkpoint, "=B.FLAC", "--output", "out.csv")
    assert Path("out.csv").read_bytes().splitlines()[1].startswith(b"'=B.FLAC,")
