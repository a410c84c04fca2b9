"""A pipe in the place of a file, which nobody writes to: reading it would never end."""

import os

import pytest

from data_scripts import crema_d, download
from data_scripts.build import build
from data_scripts.fetch import DownloadError
from data_scripts.source_files import SYNTHETIC_MARKER
from tests.miniature_corpora import write_clip, write_corpora


def quiet(line: str) -> None:
    pass


@pytest.mark.parametrize("name", ["03-01-01-01-01-01-01.wav", "notes.txt"])
def test_a_pipe_in_a_corpus_does_not_hang_the_build(tmp_path, name):
    folder = write_corpora(tmp_path / "raw")["ravdess"]
    (folder / name).unlink(missing_ok=True)
    if name.endswith(".wav"):
        (folder / "Actor_01" / name).unlink()
    os.mkfifo(folder / name)
    if name.endswith(".wav"):
        with pytest.raises(ValueError, match="no file that can be read, but a pipe"):
            build({"ravdess": folder}, tmp_path / "corpus", allow_partial=True, report=quiet)
    else:
        assert build({"ravdess": folder}, tmp_path / "corpus", allow_partial=True, report=quiet)


def test_a_pipe_in_the_place_of_a_table_is_passed_over(tmp_path):
    write_clip(tmp_path / "raw" / "1001_DFA_ANG_XX.wav")
    (tmp_path / "raw" / SYNTHETIC_MARKER).touch()
    os.mkfifo(tmp_path / "raw" / crema_d.DEMOGRAPHICS)
    said = []
    build({"crema_d": tmp_path / "raw"}, tmp_path / "corpus", report=said.append)
    assert any("VideoDemographics.csv is not in" in line for line in said)


@pytest.mark.parametrize("name", ["OAF_back_pipe.wav", "pipe.flac"])
def test_a_pipe_among_downloaded_recordings_is_said(publishers, tmp_path, name):
    folder = download.download(["tess"], tmp_path, publishers.address, quiet)["tess"]
    os.mkfifo(folder / name)
    with pytest.raises(DownloadError, match=rf"{name} is no file that can be read, but a pipe.*left as it is"):
        download.download(["tess"], tmp_path, publishers.address, quiet)
