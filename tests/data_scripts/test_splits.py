import pytest

from data_scripts import ravdess
from data_scripts.corpora import CORPORA
from data_scripts.splits import TEST_ACTORS, VALIDATION_ACTORS, split_of


@pytest.mark.parametrize(
    "corpus, sizes",
    [
        ("crema_d", (63, 9, 19)),
        ("ravdess", (16, 4, 4)),
        ("tess", (1, 0, 1)),
        ("nemo", (7, 2, 0)),
        ("emospeech", (74, 22, 0)),
    ],
)
def test_every_speaker_has_one_split(corpus, sizes):
    speakers = CORPORA[corpus].EXPECTED["speakers"]
    splits = [split_of(corpus, actor) for actor in speakers]
    assert tuple(splits.count(split) for split in ("train", "validation", "test")) == sizes
    listed = VALIDATION_ACTORS[corpus].split() + TEST_ACTORS[corpus].split()
    assert len(set(listed)) == len(listed) and set(listed) <= set(speakers)


def test_the_lists_are_evars_and_emoboxs():
    validation = [1009, 1011, 1022, 1034, 1039, 1047, 1066, 1070, 1082]
    test = [
        1001,
        1004,
        1017,
        1019,
        1020,
        1025,
        1026,
        1029,
        1033,
        1035,
        1042,
        1044,
        1050,
        1053,
        1056,
        1058,
        1060,
        1069,
        1083,
    ]
    assert all(split_of("crema_d", str(actor)) == "validation" for actor in validation)
    assert all(split_of("crema_d", str(actor)) == "test" for actor in test)
    assert all(split_of("ravdess", actor) == "test" for actor in ("06", "13", "17", "22"))
    assert all(split_of("ravdess", actor) == "validation" for actor in ("01", "02", "03", "04"))
    assert (split_of("tess", "OAF"), split_of("tess", "YAF")) == ("train", "test")


def test_ravdess_test_speakers_are_two_women_and_two_men():
    genders = [ravdess.GENDERS[actor] for actor in TEST_ACTORS["ravdess"].split()]
    assert sorted(genders) == ["female", "female", "male", "male"]


def test_indian_emospeechs_speakers_are_drawn_by_their_hash():
    for speaker in CORPORA["emospeech"].EXPECTED["speakers"]:
        assert split_of("emospeech", speaker) == ("validation" if speaker[0] in "0123" else "train")
    assert split_of("emospeech", "ffffff") == "train"
