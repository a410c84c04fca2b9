"""Which speakers train, validate and test: no voice stands on two sides.

CREMA-D's lists are those of the EVAR evaluation package (https://github.com/nttcslab/eval-audio-repr), so that published
figures compare. RAVDESS's test speakers are fold 6 of EmoBox (https://github.com/emo-box/EmoBox), two women and two men.
TESS has two speakers, one for each side.

nEMO and Indian EmoSpeech have no published split, and none of their speakers tests: they are there to train on, beside corpora
that are never heard in training. Of nEMO's nine actors the woman and the man who have the fewest clips validate, since they
cost training least; the seven who read nearly everything train. Indian EmoSpeech's speakers are drawn by their id, which is a
hash: those validate whose id begins with 0 to 3, 22 of 96. One who is not listed trains.
"""

VALIDATION_ACTORS = {
    "ravdess": "01 02 03 04",
    "tess": "",
    "crema_d": "1009 1011 1022 1034 1039 1047 1066 1070 1082",
    "nemo": "MK0 MP0",
    "emospeech": """
        00da85 016294 02dc40 02fc4a 04e398 06ea3d 0702de 0e17af 1cfb36 22527b 26febc 2ad117 2bbcd8 2dab83
        30cff6 31bb50 31f9f3 340a80 342ed7 38ec51 39196b 3daf85
    """,
}
TEST_ACTORS = {
    "ravdess": "06 13 17 22",
    "tess": "YAF",
    "crema_d": "1001 1004 1017 1019 1020 1025 1026 1029 1033 1035 1042 1044 1050 1053 1056 1058 1060 1069 1083",
    "nemo": "",
    "emospeech": "",
}
POLICIES = {
    "ravdess": "RAVDESS tests on fold 6 of EmoBox and validates on actors 01 to 04.",
    "tess": "Of TESS's two speakers OAF trains and YAF tests.",
    "crema_d": "CREMA-D's split is that of the EVAR evaluation package (63, 9 and 19 speakers).",
    "nemo": "Of nEMO's nine actors MK0 and MP0, who have the fewest clips, validate and the others train.",
    "emospeech": "Of Indian EmoSpeech's speakers those whose id begins with 0 to 3 validate (22) and the others train (74).",
}


def split_of(corpus: str, actor: str) -> str:
    """The split that a speaker belongs to, by the corpus's own id."""
    if actor in TEST_ACTORS[corpus].split():
        return "test"
    if actor in VALIDATION_ACTORS[corpus].split():
        return "validation"
    return "train"
