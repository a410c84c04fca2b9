from collections import Counter

import pytest

from data_scripts import tess
from tests.miniature_corpora import write_clip


@pytest.mark.parametrize(
    "stem, actor, age, emotion, word",
    [
        ("OAF_back_angry", "OAF", 64, "angry", "back"),
        ("YAF_youth_ps", "YAF", 26, "surprised", "youth"),
        ("YAF_neat_fear", "YAF", 26, "fearful", "neat"),
        ("OA_bite_neutral", "OAF", 64, "neutral", "bite"),
    ],
)
def test_parse(stem, actor, age, emotion, word):
    clip = tess.parse(stem)
    assert (clip.actor, clip.speaker_id, clip.gender, clip.age) == (actor, f"tess_{actor}", "female", age)
    assert (clip.emotion, clip.text) == (emotion, f"Say the word {word}")
    assert clip.intensity is None and clip.repetition is None and clip.votes is None


@pytest.mark.parametrize(
    "stem", ["OAF_back_calm", "XAF_back_sad", "OA_back_neutral", "OAF_back", "1001_DFA_ANG_XX", ""]
)
def test_parse_refuses_other_names(stem):
    with pytest.raises(ValueError, match="TESS"):
        tess.parse(stem)


def test_expected_counts():
    assert sum(tess.EXPECTED["emotions"].values()) == tess.EXPECTED["clips"] == 2800


def test_the_label_comes_from_the_file_name_whatever_the_folder(tmp_path):
    for folder in ("OAF_Fear", "YAF_pleasant_surprised", "flat/deep/er", "."):
        write_clip(tmp_path / folder / f"OAF_word{len(folder)}_sad.wav")
    assert Counter(clip.emotion for clip in tess.records(tmp_path)) == {"sad": 4}


def test_the_misnamed_clip_and_its_corrected_copy_are_one(tmp_path):
    path = write_clip(tmp_path / "OA_bite_neutral.wav")
    (tmp_path / "OAF_bite_neutral.wav").write_bytes(path.read_bytes())
    assert [clip.stem for clip in tess.records(tmp_path, lambda line: None)] == ["OAF_bite_neutral"]
