"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song: its audio-only speech.

24 professional actors (12 women, 12 men) from Toronto, aged 21 to 33, speak two sentences in eight emotions, each at two
intensities (neutral at one) and twice: 1,440 clips of 2.9 to 5.3 s, 1.48 h, 48 kHz, 16 bit. The ages are not given one by one.

Irregularities: five clips are stereo with equal channels; ``03-01-03-01-02-01-07`` and ``03-01-03-01-02-02-07``, two
repetitions by their names, are the same bytes (kept, the label is the same); some clips are as quiet as -64 dBFS (RMS), and
about a second of silence precedes the speech.
"""

from collections.abc import Callable
from pathlib import Path

from data_scripts.schema import Clip
from data_scripts.source_files import audio_files, parse_files

NAME = "RAVDESS"
CITATION = """@article{livingstone2018ravdess,
  title = {The {Ryerson} Audio-Visual Database of Emotional Speech and Song ({RAVDESS}): A dynamic, multimodal set of
    facial and vocal expressions in {North American English}},
  author = {Livingstone, Steven R. and Russo, Frank A.},
  journal = {PLOS ONE},
  volume = {13},
  number = {5},
  pages = {e0196391},
  year = {2018},
  doi = {10.1371/journal.pone.0196391}
}"""
LICENSE = "cc-by-nc-sa-4.0"
LANGUAGE = "en"
SOURCE = {
    "landing_page": "https://zenodo.org/records/1188976",
    "license": "CC BY-NC-SA 4.0",
    "license_url": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "files": {
        "Audio_Speech_Actors_01-24.zip": {
            "url": "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
            "known_hash": "md5:bc696df654c87fed845eb13823edef8a",
        }
    },
    "n_bytes": 590_349_330,
    "fingerprint": "48dd8dbcccd5dfb816c5ba01af43eee970e5e59cc2df9b2d237505919c33343b",
}
EXPECTED = {
    "clips": 1440,
    "speakers": tuple(f"{actor:02d}" for actor in range(1, 25)),
    "emotions": {"neutral": 96}
    | dict.fromkeys(("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"), 192),
}
EXCLUDED: dict[str, str] = {}
CONFLICTS: frozenset[str] = frozenset()

MODALITIES = {"03": "audio only"}
VOCAL_CHANNELS = {"01": "speech"}
OTHER_RECORDINGS = ("01-01-", "01-02-", "02-01-", "02-02-", "03-02-")  # sound of the videos, and song
EMOTION_CODES = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
REPETITIONS = {"01": 1, "02": 2}
GENDERS = {actor: "male" if int(actor) % 2 else "female" for actor in EXPECTED["speakers"]}


def parse(stem: str) -> Clip:
    """Reads ``03-01-EE-II-SS-RR-AA``: modality, vocal channel, emotion, intensity, statement, repetition, actor.

    Raises:
        ValueError: not a name of RAVDESS's audio-only speech.
    """
    codes = stem.split("-")
    tables = {
        "modality": MODALITIES,
        "vocal channel": VOCAL_CHANNELS,
        "emotion": EMOTION_CODES,
        "intensity": INTENSITIES,
        "statement": STATEMENTS,
        "repetition": REPETITIONS,
        "actor": GENDERS,
    }
    if len(codes) != len(tables):
        raise ValueError(f"{stem!r} has {len(codes)} codes; RAVDESS names have {len(tables)}, as 03-01-05-02-01-02-24")
    for code, (field, table) in zip(codes, tables.items(), strict=True):
        if code not in table:
            raise ValueError(
                f"{stem!r} has the {field} code {code!r}; RAVDESS's audio-only speech has {', '.join(table)}"
            )
    _, _, emotion, intensity, statement, repetition, actor = codes
    return Clip(
        corpus="ravdess",
        stem=stem,
        actor=actor,
        emotion=EMOTION_CODES[emotion],
        gender=GENDERS[actor],
        text=STATEMENTS[statement],
        language=LANGUAGE,
        intensity=INTENSITIES[intensity],
        repetition=REPETITIONS[repetition],
    )


def records(root: Path, report: Callable[[str], None] = print) -> list[Clip]:
    """Every clip below ``root``, ordered by stem; ``report`` is told what was left out."""
    paths = audio_files(root)
    speech = [path for path in paths if not path.stem.startswith(OTHER_RECORDINGS)]
    if len(speech) < len(paths):
        report(f"{len(paths) - len(speech)} files of song or of video sound skipped; only audio-only speech is used")
    return parse_files(speech, parse, report)
