import shutil

import pytest

from data_scripts import nemo
from tests.miniature_corpora import write_clip, write_more_corpora


@pytest.mark.parametrize(
    "stem, actor, emotion",
    [
        ("WR0_surprised_64", "WR0", "surprised"),
        ("EB0_anger_1", "EB0", "angry"),
        ("MP0_fear_90", "MP0", "fearful"),
        ("SM0_happiness_2", "SM0", "happy"),
        ("KS0_neutral_30", "KS0", "neutral"),
        ("IC0_sadness_7", "IC0", "sad"),
    ],
)
def test_parse(stem, actor, emotion):
    clip = nemo.parse(stem)
    assert (clip.stem, clip.actor, clip.speaker_id, clip.emotion) == (stem, actor, f"nemo_{actor}", emotion)
    assert (clip.language, clip.text, clip.gender, clip.age) == ("pl", None, None, None)


@pytest.mark.parametrize(
    "stem",
    ["WR0_surprise_64", "XX0_anger_1", "EB0_anger_0", "EB0_anger_91", "EB0_anger_01", "EB0_anger", "OAF_back_sad", ""],
)
def test_parse_refuses_other_names(stem):
    with pytest.raises(ValueError, match="nEMO"):
        nemo.parse(stem)


def test_expected_counts():
    assert sum(nemo.EXPECTED["emotions"].values()) == nemo.EXPECTED["clips"] == 4481
    assert len(nemo.EXPECTED["speakers"]) == 9


def test_the_table_tells_sex_age_and_text_wherever_the_root_is(tmp_path):
    root = write_more_corpora(tmp_path)["nemo"]
    clips = nemo.records(root)
    assert len(clips) == 12
    assert {(clip.gender, clip.age, clip.text) for clip in clips} == {("female", 27, "Lubię „to”.")}
    assert nemo.records(root / "samples") == clips


def test_without_the_table_its_columns_are_null_and_that_is_said(tmp_path):
    write_clip(tmp_path / "root" / "WR0_fear_3.ogg")
    lines = []
    (clip,) = nemo.records(tmp_path / "root", lines.append)
    assert (clip.gender, clip.age, clip.text) == (None, None, None)
    assert len(lines) == 1 and "sex, age and text will be null" in lines[0] and "amu-cai/nEMO" in lines[0]


def test_a_table_of_another_form_is_named(tmp_path):
    root = write_more_corpora(tmp_path)["nemo"]
    (root / "data.tsv").write_text("file,emotion\n")
    with pytest.raises(ValueError, match=r"data\.tsv is not nEMO's table.*fetch it from"):
        nemo.records(root)


def test_other_files_in_the_folder_are_named(tmp_path):
    root = write_more_corpora(tmp_path)["nemo"]
    shutil.copy(root / "samples" / "EB0_anger_1.wav", root / "mine.wav")
    with pytest.raises(ValueError, match=r"mine\.wav"):
        nemo.records(root)
