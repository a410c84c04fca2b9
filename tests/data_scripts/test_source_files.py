import pytest

from data_scripts import tess
from data_scripts.source_files import audio_files
from tests.miniature_corpora import write_clip


def test_any_depth_folder_name_and_case_of_suffix(tmp_path):
    names = ["a.wav", "B.WAV", "deep/er/c.Flac", "with space/d.ogg", "e.mp3", "f.OPUS", "g.aiff"]
    for name in [*names, "notes.txt", "table.csv"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {path.relative_to(tmp_path).as_posix() for path in audio_files(tmp_path)} == set(names)


def test_hidden_files_and_folders_are_left_out(tmp_path):
    for name in ("a.wav", "._a.wav", "__MACOSX/a.wav", ".cache/b.wav", "x/.ipynb_checkpoints/c.wav", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in audio_files(tmp_path)] == ["a.wav"]


def test_linked_folders_are_followed_once(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.wav").touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(root)
    assert [path.name for path in audio_files(root)] == ["a.wav"]


@pytest.mark.parametrize(
    "name, message", [("absent", "not a folder"), ("file.wav", "not a folder"), ("empty", "no audio")]
)
def test_a_folder_without_audio_is_an_error(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.wav").touch()
    with pytest.raises(ValueError, match=message):
        audio_files(tmp_path / name)


def test_identical_copies_count_once_and_are_reported(tmp_path):
    path = write_clip(tmp_path / "TESS" / "OAF_back_sad.wav")
    copy = tmp_path / "TESS" / "TESS" / "OAF_back_sad.wav"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    lines = []
    assert [clip.path for clip in tess.records(tmp_path, lines.append)] in ([path], [copy])
    assert lines == ["1 byte-identical copies of other files skipped"]


def test_two_different_files_of_one_clip_are_an_error_that_names_both(tmp_path):
    wav = write_clip(tmp_path / "OAF_back_sad.wav")
    mp3 = write_clip(tmp_path / "OAF_back_sad.mp3")
    with pytest.raises(ValueError) as error:
        tess.records(tmp_path)
    assert str(wav) in str(error.value) and str(mp3) in str(error.value)


@pytest.mark.parametrize(
    "name", ["OAF_haze_neutral(1)", "OAF_haze_neutral (2)", "OAF_haze_neutral - Copy", "OAF_haze_neutral copy 2"]
)
def test_a_copy_by_its_name_is_skipped_beside_its_original_and_said(tmp_path, name):
    path = write_clip(tmp_path / "OAF_haze_neutral.wav")
    (tmp_path / f"{name}.wav").write_bytes(path.read_bytes())
    lines = []
    assert [clip.path for clip in tess.records(tmp_path, lines.append)] == [path]
    assert lines == ["1 byte-identical copies of other files skipped"]
    path.unlink()
    assert [clip.stem for clip in tess.records(tmp_path, lines.append)] == ["OAF_haze_neutral"]


def test_all_misnamed_files_are_said_at_once(tmp_path):
    for name in ("OAF_haze", "XAF_back_sad", "notes"):
        write_clip(tmp_path / f"{name}.wav")
    with pytest.raises(ValueError) as error:
        tess.records(tmp_path)
    assert all(name in str(error.value) for name in ("OAF_haze.wav", "XAF_back_sad.wav", "notes.wav"))
