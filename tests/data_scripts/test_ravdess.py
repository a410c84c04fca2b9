from collections import Counter
from itertools import product

import pytest

from data_scripts import ravdess
from tests.miniature_corpora import write_clip


def official_stems():
    for emotion, intensity, statement, repetition, actor in product(
        ravdess.EMOTION_CODES, ravdess.INTENSITIES, ravdess.STATEMENTS, ravdess.REPETITIONS, range(1, 25)
    ):
        if (emotion, intensity) != ("01", "02"):
            yield f"03-01-{emotion}-{intensity}-{statement}-{repetition}-{actor:02d}"


def test_parse_reads_every_code():
    clip = ravdess.parse("03-01-06-02-02-01-12")
    assert (clip.corpus, clip.actor, clip.speaker_id, clip.gender) == ("ravdess", "12", "ravdess_12", "female")
    assert (clip.emotion, clip.intensity, clip.repetition) == ("fearful", "strong", 1)
    assert clip.text == "Dogs are sitting by the door"
    assert clip.age is None and clip.race is None and clip.votes is None


def test_expected_counts_are_those_of_the_official_names():
    clips = [ravdess.parse(stem) for stem in official_stems()]
    assert len(clips) == ravdess.EXPECTED["clips"] == 1440
    assert Counter(clip.emotion for clip in clips) == ravdess.EXPECTED["emotions"]
    assert {clip.actor for clip in clips} == set(ravdess.EXPECTED["speakers"])
    assert Counter(clip.gender for clip in clips) == {"female": 720, "male": 720}


@pytest.mark.parametrize(
    "stem, message",
    [
        ("03-01-09-01-01-01-01", "emotion code '09'"),
        ("03-01-05-03-01-01-01", "intensity code '03'"),
        ("03-01-05-01-03-01-01", "statement code '03'"),
        ("03-01-05-01-01-03-01", "repetition code '03'"),
        ("03-01-05-01-01-01-25", "actor code '25'"),
        ("04-01-05-01-01-01-01", "modality code '04'"),
        ("03-02-05-01-01-01-01", "vocal channel code '02'"),
        ("03-01-05-01-01-01", "6 codes"),
        ("OAF_back_angry", "1 codes"),
        ("", "1 codes"),
    ],
)
def test_parse_refuses_other_names(stem, message):
    with pytest.raises(ValueError, match=message):
        ravdess.parse(stem)


def test_song_and_video_sound_are_skipped_and_counted(tmp_path):
    speech = "03-01-05-01-01-01-01"
    for stem in (speech, "03-02-05-01-01-01-01", "01-01-05-01-01-01-01", "02-02-05-01-01-01-01"):
        write_clip(tmp_path / f"{stem}.wav")
    lines = []
    assert [clip.stem for clip in ravdess.records(tmp_path, lines.append)] == [speech]
    assert len(lines) == 1 and lines[0].startswith("3 files of song")


def test_an_unknown_modality_is_an_error_that_names_the_file(tmp_path):
    path = write_clip(tmp_path / "Actor_01" / "07-01-05-01-01-01-01.wav")
    with pytest.raises(ValueError, match=str(path)):
        ravdess.records(tmp_path)


def test_the_two_names_of_one_recording_are_both_kept(tmp_path):
    path = write_clip(tmp_path / "03-01-03-01-02-01-07.wav")
    (tmp_path / "03-01-03-01-02-02-07.wav").write_bytes(path.read_bytes())
    clips = ravdess.records(tmp_path)
    assert [(clip.repetition, clip.emotion, clip.label_conflict) for clip in clips] == [
        (1, "happy", False),
        (2, "happy", False),
    ]
