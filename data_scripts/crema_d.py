"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset.

91 actors (43 women, 48 men) aged 20 to 74 and of several ethnic backgrounds speak 12 sentences in six emotions: 7,442 clips
of 1.27 to 5 s, 5.26 h, 16 kHz, 16 bit, mono. One sentence (IEO) is also spoken at three levels of intensity.

About nine listeners per clip named the emotion that they heard in the voice alone; their majority agrees with the acted
emotion for 41.6 % of the clips. The acted emotion is the label, the votes stand beside it.

Irregularities: ``1076_MTI_SAD_XX`` is digital silence (excluded); three pairs of clips are the same bytes under two emotions,
so one label of each is wrong (kept, flagged); 550 clips touch full scale; older copies name one clip ``1040_ITH_SAD_X``. ``AudioMP3`` holds ``AudioWAV`` once more.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data_scripts.schema import Clip
from data_scripts.source_files import audio_files, parse_files
from data_scripts.source_tables import read_table

NAME = "CREMA-D"
CITATION = """@article{cao2014cremad,
  title = {{CREMA-D}: Crowd-sourced Emotional Multimodal Actors Dataset},
  author = {Cao, Houwei and Cooper, David G. and Keutmann, Michael K. and Gur, Ruben C. and Nenkova, Ani and Verma, Ragini},
  journal = {IEEE Transactions on Affective Computing},
  volume = {5},
  number = {4},
  pages = {377--390},
  year = {2014},
  doi = {10.1109/TAFFC.2014.2336244}
}"""
LICENSE = "odbl"
LANGUAGE = "en"
MIRROR = "https://gitlab.com/api/v4/projects/cs-cooper-lab%2Fcrema-d-mirror/repository"
SOURCE = {
    "landing_page": "https://github.com/CheyneyComputerScience/CREMA-D",
    "license": "ODbL 1.0, its contents DbCL 1.0",
    "license_url": "https://opendatacommons.org/licenses/odbl/1-0/",
    # GitHub's LFS has a monthly quota that is often spent; the owners' mirror packs the recordings into its archives.
    "files": {
        "AudioWAV.zip": {"url": f"{MIRROR}/archive.zip?path=AudioWAV"},
        "VideoDemographics.csv": {
            "url": f"{MIRROR}/files/VideoDemographics.csv/raw?ref=HEAD",
            "known_hash": "sha256:e33ddc8b60bedf98541735801127cbb67098b5957271adbdd5dea8a44294eec3",
        },
        "processedResults/tabulatedVotes.csv": {
            "url": f"{MIRROR}/files/processedResults%2FtabulatedVotes.csv/raw?ref=HEAD",
            "known_hash": "sha256:774d9d759cb5caf2542758a39eca8c0f1d2777f9987ff5d5adf8066d192f377b",
        },
    },
    "lfs": "https://gitlab.com/cs-cooper-lab/crema-d-mirror.git/info/lfs/objects/batch",
    "n_bytes": 605_899_936,
    "fingerprint": "5a926e03e9801b41a6de63f156e29b5630dad7e71ac5fe83c75f04438b6401ea",
}
EXPECTED = {
    "clips": 7442,
    "speakers": tuple(str(actor) for actor in range(1001, 1092)),
    "emotions": {"neutral": 1087} | dict.fromkeys(("happy", "sad", "angry", "fearful", "disgust"), 1271),
}
EXCLUDED = {"1076_MTI_SAD_XX": "digital silence"}
MISNAMED = {"1040_ITH_SAD_X": "1040_ITH_SAD_XX"}  # in copies from before the corpus corrected it
CONFLICTS = frozenset(
    f"{clip}_{emotion}_XX"
    for clip, pair in {"1006_TIE": ("HAP", "NEU"), "1013_WSI": ("DIS", "SAD"), "1017_IWW": ("ANG", "FEA")}.items()
    for emotion in pair
)

EMOTION_CODES = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
SENTENCES = {
    "DFA": "Don't forget a jacket",
    "IEO": "It's eleven o'clock",
    "IOM": "I'm on my way to the meeting",
    "ITH": "I think I have a doctor's appointment",
    "ITS": "I think I've seen this before",
    "IWL": "I would like a new alarm clock",
    "IWW": "I wonder what this is about",
    "MTI": "Maybe tomorrow it will be cold",
    "TAI": "The airplane is almost full",
    "TIE": "That is exactly what happened",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": None}
WOMEN = """
1002 1003 1004 1006 1007 1008 1009 1010 1012 1013 1018 1020 1021 1024 1025 1028 1029 1030 1037 1043 1046 1047
1049 1052 1053 1054 1055 1056 1058 1060 1061 1063 1072 1073 1074 1075 1076 1078 1079 1082 1084 1089 1091
"""
DEMOGRAPHICS = "VideoDemographics.csv"
VOTES = "processedResults/tabulatedVotes.csv"
VOICE_ALONE = range(100_001, 200_001)  # rows of the votes; 200001.. are on the face alone, 300001.. on both
UNKNOWN = {"Unknown": None}
VOTE_COLUMNS = {"N": "neutral", "H": "happy", "S": "sad", "A": "angry", "F": "fearful", "D": "disgust"}


def parse(stem: str) -> Clip:
    """Reads ``1001_IEO_ANG_HI``: actor, sentence, emotion, level of intensity.

    Raises:
        ValueError: not a name of CREMA-D.
    """
    stem = MISNAMED.get(stem, stem)
    codes = stem.split("_")
    tables = {
        "actor": EXPECTED["speakers"],
        "sentence": SENTENCES,
        "emotion": EMOTION_CODES,
        "level": INTENSITIES,
    }
    if len(codes) != len(tables):
        raise ValueError(f"{stem!r} has {len(codes)} codes; CREMA-D names have {len(tables)}, as 1001_IEO_ANG_HI")
    for code, (field, table) in zip(codes, tables.items(), strict=True):
        if code not in table:
            known = "1001 to 1091" if field == "actor" else ", ".join(table)
            raise ValueError(f"{stem!r} has the {field} {code!r}; CREMA-D has {known}")
    actor, sentence, emotion, level = codes
    return Clip(
        corpus="crema_d",
        stem=stem,
        actor=actor,
        emotion=EMOTION_CODES[emotion],
        gender="female" if actor in WOMEN.split() else "male",
        text=SENTENCES[sentence],
        language=LANGUAGE,
        intensity=INTENSITIES[level],
        label_conflict=stem in CONFLICTS,
    )


def records(root: Path, report: Callable[[str], None] = print) -> list[Clip]:
    """Every clip below ``root``, ordered by stem, with what CREMA-D's own tables say of it.

    Without ``VideoDemographics.csv`` age, race and ethnicity stay None, without ``processedResults/tabulatedVotes.csv`` the
    votes do; ``report`` is told, as it is of what was left out.

    Raises:
        ValueError: a name that is not CREMA-D's, two different files of one clip, or a table of another form.
    """
    paths = audio_files(root)
    original = {path.stem for path in paths if path.parent.name == "AudioWAV"}
    kept = [path for path in paths if path.parent.name != "AudioMP3" or path.stem not in original]
    if len(kept) < len(paths):
        report(f"{len(paths) - len(kept)} files of AudioMP3 skipped; AudioWAV has the same clips")
    clips = parse_files(kept, parse, report)
    excluded = [clip.stem for clip in clips if clip.stem in EXCLUDED]
    for stem in excluded:
        report(f"{stem} left out: {EXCLUDED[stem]}")
    demographics, votes = read_demographics(root, report), read_votes(root, report)
    return [
        replace(clip, votes=votes.get(clip.stem), **demographics.get(clip.actor, {}))
        for clip in clips
        if clip.stem not in EXCLUDED
    ]


def read_demographics(root: Path, report: Callable[[str], None]) -> dict[str, dict]:
    """Actor -> age, race and ethnicity, from ``VideoDemographics.csv``."""
    columns = {"ActorID": str, "Age": int, "Race": str, "Ethnicity": str}
    table = read_table(root, DEMOGRAPHICS, columns, "age, race and ethnicity", NAME, SOURCE["landing_page"], report)
    return {
        actor: {"age": age, "race": UNKNOWN.get(race, race), "ethnicity": UNKNOWN.get(ethnicity, ethnicity)}
        for actor, age, race, ethnicity in table.itertuples(index=False)
    }


def read_votes(root: Path, report: Callable[[str], None]) -> dict[str, dict[str, int]]:
    """Stem -> emotion -> listeners who heard it in the voice alone, from ``processedResults/tabulatedVotes.csv``."""
    columns = {"Unnamed: 0": int, "fileName": str} | dict.fromkeys(VOTE_COLUMNS, int)
    table = read_table(root, VOTES, columns, "listeners' votes", NAME, SOURCE["landing_page"], report)
    return {
        stem: dict(zip(VOTE_COLUMNS.values(), counts, strict=True))
        for row, stem, *counts in table.itertuples(index=False)
        if row in VOICE_ALONE
    }
