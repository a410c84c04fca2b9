"""TESS, the Toronto Emotional Speech Set.

Two actresses, OAF (aged 64) and YAF (aged 26), say "Say the word ___" with 200 words in seven emotions: 2,800 clips of
1.25 to 3 s, 1.60 h, 24,414 Hz, 16 bit, mono. The code ``ps`` is pleasant surprise.

Irregularities: ``OA_bite_neutral`` is OAF's; ``OAF_food_fear`` has 96 kHz; ``YAF_germ_angry`` and ``YAF_neat_fear`` are
AIFF-C under a ``.wav`` name. The folders are named differently in different copies, so the file name alone counts.
"""

import re
from collections.abc import Callable
from pathlib import Path

from data_scripts.schema import Clip
from data_scripts.source_files import audio_files, parse_files

NAME = "TESS"
CITATION = """@data{pichorafuller2020tess,
  title = {{Toronto} emotional speech set ({TESS})},
  author = {Pichora-Fuller, M. Kathleen and Dupuis, Kate},
  publisher = {Borealis},
  year = {2020},
  doi = {10.5683/SP2/E8H2MF}
}"""
LICENSE = "cc-by-nc-nd-4.0"
LANGUAGE = "en"
SOURCE = {
    "landing_page": "https://doi.org/10.5683/SP2/E8H2MF",
    "license": "CC BY-NC-ND 4.0",
    "license_url": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    "dataverse": "https://borealisdata.ca",
    "doi": "doi:10.5683/SP2/E8H2MF",
    "n_bytes": 281_330_024,
    "fingerprint": "71e6c9b64dbade940e640ab71184b877095c89f8d3d8c1eb4ecb227b10972d28",
}
EXPECTED = {
    "clips": 2800,
    "speakers": ("OAF", "YAF"),
    "emotions": dict.fromkeys(("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised"), 400),
}
EXCLUDED: dict[str, str] = {}
CONFLICTS: frozenset[str] = frozenset()

EMOTION_CODES = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprised",
    "sad": "sad",
}
AGES = {"OAF": 64, "YAF": 26}
MISNAMED = {"OA_bite_neutral": "OAF_bite_neutral"}


def parse(stem: str) -> Clip:
    """Reads ``OAF_back_angry``: speaker, word, emotion.

    Raises:
        ValueError: not a name of TESS.
    """
    stem = MISNAMED.get(stem, stem)
    match = re.fullmatch(r"([^_]+)_([^_]+)_([^_]+)", stem)
    if match is None:
        raise ValueError(f"{stem!r} is not speaker_word_emotion; TESS names are like OAF_back_angry")
    actor, word, emotion = match.groups()
    if actor not in AGES:
        raise ValueError(f"{stem!r} has the speaker {actor!r}; TESS has {', '.join(AGES)}")
    if emotion not in EMOTION_CODES:
        raise ValueError(f"{stem!r} has the emotion {emotion!r}; TESS has {', '.join(EMOTION_CODES)}")
    return Clip(
        corpus="tess",
        stem=stem,
        actor=actor,
        emotion=EMOTION_CODES[emotion],
        gender="female",
        age=AGES[actor],
        text=f"Say the word {word}",
        language=LANGUAGE,
    )


def records(root: Path, report: Callable[[str], None] = print) -> list[Clip]:
    """Every clip below ``root``, ordered by stem; ``report`` is told what was left out."""
    return parse_files(audio_files(root), parse, report)
