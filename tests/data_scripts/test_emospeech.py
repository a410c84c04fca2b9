import pytest

from data_scripts import emospeech
from tests.miniature_corpora import HASH_ENDING, write_clip, write_more_corpora

TIME = "1562998317872"
UNKNOWN = "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"  # as the corpus's own description has it


@pytest.mark.parametrize(
    "code, emotion", [("calm", "neutral"), ("angry", "angry"), ("fearful", "fearful"), ("happy", "happy")]
)
def test_parse(code, emotion):
    clip = emospeech.parse(f"help-safe-{code}-{TIME}-4e520c")
    assert (clip.actor, clip.speaker_id, clip.emotion) == ("4e520c", "emospeech_4e520c", emotion)
    assert (clip.text, clip.language, clip.gender, clip.age) == ("help", "en", None, None)


def test_the_whole_hash_and_the_cut_one_are_the_same_clip():
    cut, whole = (emospeech.parse(f"go-safe-calm-{TIME}-4e520c{ending}") for ending in ("", HASH_ENDING))
    assert cut == whole and cut.stem == f"go-safe-calm-{TIME}-4e520c"


@pytest.mark.parametrize(
    "stem",
    [
        f"stay-safe-angry-{TIME}-4e520c",
        f"go-gunshots-angry-{TIME}-4e520c",
        f"go-safe-sad-{TIME}-4e520c",
        f"go-safe-angry-{TIME}-4e52",
        f"go-safe-angry-{TIME}-4e520c{HASH_ENDING}0",
        f"go-safe-angry-{TIME}-speaker",
        "go-safe-angry-4e520c",
        "03-01-05-01-02-01-24",
        "",
    ],
)
def test_parse_refuses_other_names(stem):
    with pytest.raises(ValueError, match="Indian EmoSpeech"):
        emospeech.parse(stem)


def test_expected_counts():
    assert sum(emospeech.EXPECTED["emotions"].values()) == emospeech.EXPECTED["clips"] == 1667
    speakers = emospeech.EXPECTED["speakers"]
    assert len(set(speakers)) == len(speakers) == 96 and emospeech.UNKNOWN_SPEAKER not in speakers


def test_what_the_corpus_has_besides_is_left_out_and_counted(tmp_path):
    root = write_more_corpora(tmp_path)["emospeech"]
    used = emospeech.records(root)
    speaker = f"4e520c{HASH_ENDING}"
    for stem in (
        f"bacho-safe-angry-{TIME}-{speaker}",
        f"unknown-safe-calm-{TIME}-{speaker}",
        f"background-safe-None-20190701193438-{UNKNOWN}",
        f"help-gunshots-fearful-{TIME}-{speaker}",
        f"help-glass break-angry-{TIME}-{speaker}",
        f"help-glass-break-angry-{TIME}-{speaker}",
        f"stop-safe-None-{TIME}-{speaker}",
        f"stop-safe-calm-{TIME}-{UNKNOWN}",
    ):
        write_clip(root / "Street" / f"{stem}.wav")
    lines = []
    assert emospeech.records(root, lines.append) == used and len(used) == 8
    assert lines == [
        "1 left out: an unknown speaker",
        "3 left out: another word, or none",
        "1 left out: no emotion",
        "3 left out: shots, breaking glass or screams",
    ]


def test_two_speakers_are_never_taken_for_one(tmp_path):
    for ending in ("0" * 50, "1" * 50):
        write_clip(tmp_path / f"go-safe-calm-{TIME}{ending[0]}-4e520c{ending}.wav")
    with pytest.raises(ValueError, match="begin alike"):
        emospeech.records(tmp_path)
