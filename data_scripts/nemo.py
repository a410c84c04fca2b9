"""nEMO, a dataset of emotional speech in Polish.

Nine actors (4 women, 5 men) aged 23 to 28 read 90 sentences in six emotions: 4,481 clips of 0.9 to 5.7 s, 3.07 h, 24 kHz,
mono. Sex, age and the sentence stand in the corpus's ``data.tsv``, one row for each clip.

Irregularities: not everybody read everything. MK0 has no surprise at all, MP0 has 256 of 540 clips, four others lack one or
two. In ``data.tsv`` the speakers' ids are padded with blanks; the file name says the same without them.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data_scripts.schema import Clip
from data_scripts.source_files import audio_files, parse_files
from data_scripts.source_tables import read_table

NAME = "nEMO"
CITATION = """@inproceedings{christop2024nemo,
  title = {{nEMO}: Dataset of Emotional Speech in {Polish}},
  author = {Christop, Iwona},
  booktitle = {Proceedings of the 2024 Joint International Conference on Computational Linguistics, Language Resources and
    Evaluation ({LREC-COLING} 2024)},
  pages = {12111--12116},
  year = {2024},
  publisher = {ELRA and ICCL},
  url = {https://aclanthology.org/2024.lrec-main.1059}
}"""
LICENSE = "cc-by-nc-sa-4.0"
LANGUAGE = "pl"
SOURCE = {
    "landing_page": "https://github.com/amu-cai/nEMO",
    "license": "CC BY-NC-SA 4.0",
    "license_url": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "files": {
        "nEMO.zip": {"url": "https://github.com/amu-cai/nEMO/archive/66de9999a8f2f605eb5f64841790aa5cb0877782.zip"}
    },
    # Seen in a copy of the whole corpus in another format: the bytes of the originals are not known, their names are.
    "n_bytes": None,
    "fingerprint": None,
    "names_fingerprint": "a7bb9a4f6665a5ab4da9111ad9f2ac5211bfbd3fd3e84511f2077502bd2ee527",
}
EXPECTED = {
    "clips": 4481,
    "speakers": ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0"),
    "emotions": {"neutral": 809, "happy": 749, "sad": 769, "angry": 749, "fearful": 736, "surprised": 669},
}
EXCLUDED: dict[str, str] = {}
CONFLICTS: frozenset[str] = frozenset()

EMOTION_CODES = {
    "anger": "angry",
    "fear": "fearful",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprised",
}
SENTENCES = tuple(str(number) for number in range(1, 91))
TABLE = "data.tsv"


def parse(stem: str) -> Clip:
    """Reads ``WR0_surprised_64``: actor, emotion, number of the sentence.

    Raises:
        ValueError: not a name of nEMO.
    """
    codes = stem.split("_")
    tables = {"actor": EXPECTED["speakers"], "emotion": EMOTION_CODES, "sentence": SENTENCES}
    if len(codes) != len(tables):
        raise ValueError(f"{stem!r} has {len(codes)} codes; nEMO names have {len(tables)}, as WR0_surprised_64")
    for code, (field, table) in zip(codes, tables.items(), strict=True):
        if code not in table:
            known = "1 to 90" if field == "sentence" else ", ".join(table)
            raise ValueError(f"{stem!r} has the {field} {code!r}; nEMO has {known}")
    actor, emotion, _ = codes
    return Clip(corpus="nemo", stem=stem, actor=actor, emotion=EMOTION_CODES[emotion], language=LANGUAGE)


def records(root: Path, report: Callable[[str], None] = print) -> list[Clip]:
    """Every clip below ``root``, ordered by stem, with what ``data.tsv`` says of it.

    Without that table sex, age and text stay None; ``report`` is told, as it is of what was left out.

    Raises:
        ValueError: a name that is not nEMO's, two different files of one clip, or a table of another form.
    """
    clips = parse_files(audio_files(root), parse, report)
    columns = {"file_id": str, "gender": str, "age": int, "raw_text": str}
    table = read_table(root, TABLE, columns, "sex, age and text", NAME, SOURCE["landing_page"], report)
    told = {
        Path(name).stem: {"gender": gender, "age": age, "text": text}
        for name, gender, age, text in table.itertuples(index=False)
    }
    return [replace(clip, **told.get(clip.stem, {})) for clip in clips]
