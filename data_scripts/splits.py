"""Which speakers train, validate and test: no voice stands on two sides.

CREMA-D's lists are those of the EVAR evaluation package (https://github.com/nttcslab/eval-audio-repr), so that published
figures compare. RAVDESS's test speakers are fold 6 of EmoBox (https://github.com/emo-box/EmoBox), two women and two men.
TESS has two speakers, one for each side.
"""

VALIDATION_ACTORS = {
    "ravdess": "01 02 03 04",
    "tess": "",
    "crema_d": "1009 1011 1022 1034 1039 1047 1066 1070 1082",
}
TEST_ACTORS = {
    "ravdess": "06 13 17 22",
    "tess": "YAF",
    "crema_d": "1001 1004 1017 1019 1020 1025 1026 1029 1033 1035 1042 1044 1050 1053 1056 1058 1060 1069 1083",
}
POLICIES = {
    "ravdess": "RAVDESS tests on fold 6 of EmoBox and validates on actors 01 to 04.",
    "tess": "Of TESS's two speakers OAF trains and YAF tests.",
    "crema_d": "CREMA-D's split is that of the EVAR evaluation package (63, 9 and 19 speakers).",
}


def split_of(corpus: str, actor: str) -> str:
    """The split that a speaker belongs to, by the corpus's own id."""
    if actor in TEST_ACTORS[corpus].split():
        return "test"
    if actor in VALIDATION_ACTORS[corpus].split():
        return "validation"
    return "train"
