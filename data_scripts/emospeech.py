"""The Indian EmoSpeech Command Dataset.

96 speakers say single English words (help, stop, no, go, yes) into their phones, at home, in streets and in stations, in four
emotions: 1,667 clips of 2 to 3.8 s, 1.47 h, 16 kHz, mono. 43 speakers have fewer than ten clips, one has 262. Their
sex and age are not given.

The corpus's ``calm`` is simply how one speaks: nobody is asked to be calm, and nothing else is neutral. It is ``neutral`` here.

Of the corpus's 7,741 files most are something else, and are left out: the word "bacho", which is Hindi, unnamed words
and mere background, clips with shots, breaking glass or screams (every environment but ``safe``), clips without an emotion, and
the one id that stands for all unknown speakers. What is left was counted in a copy made by the same rules; should the whole
corpus have more, they are taken.

The name ends in a hash of 56 digits that stands for the speaker. Its first six tell the 96 apart and are the speaker's id,
so that copies with the hash cut to them give the same clips. The folder of the corpus's own layout says in what kind of place
a clip was recorded; it is not read.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from data_scripts.schema import Clip
from data_scripts.source_files import audio_files, parse_files

NAME = "Indian EmoSpeech"
CITATION = """@misc{banga2019emospeech,
  title = {{Indian EmoSpeech Command Dataset}: A dataset for emotion based speech recognition in the wild},
  author = {Banga, Subham and Upadhyay, Ujjwal and Agarwal, Piyush and Sharma, Aniket and Mukherjee, Prerana},
  year = {2019},
  eprint = {1910.13801},
  archiveprefix = {arXiv}
}"""
LICENSE = "cc-by-nc-sa-4.0"
LANGUAGE = "en"
SOURCE = {
    "landing_page": "https://github.com/RakshakTeam/emospeech-dataset-v1",
    "license": "CC BY-NC-SA 4.0",
    "license_url": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "files": {
        "emospeech.zip": {
            "url": "https://github.com/RakshakTeam/emospeech-dataset-v1/archive/85b1ef55e1246a10657590809bc118d6abf136d7.zip"
        }
    },
    # Seen in a copy in another format: the bytes of the originals are not known, nor all names.
    "n_bytes": None,
    "fingerprint": None,
    "names_fingerprint": "394d4a97a0fcc2cf5a725dc5d8ca687df248e1cc16a0d48eade834d53907ba46",
}
SPEAKERS = """
00da85 016294 02dc40 02fc4a 04e398 06ea3d 0702de 0e17af 1cfb36 22527b 26febc 2ad117 2bbcd8 2dab83 30cff6 31bb50 31f9f3
340a80 342ed7 38ec51 39196b 3daf85 4088f9 429239 432b2a 436c36 471154 4b3d0b 4e520c 50a73d 57eadf 5b146d 5dcce3 5f5a82
61da37 6602b1 6bbc0e 6bff16 7091a0 718bb7 74333d 78ff53 7aae46 7e7a3a 837e41 8403b9 8679e5 879f40 88db47 8a21da 8a7a2e
8d0919 9014f3 911933 93e682 97ce11 987736 98cd29 98f394 99467a 9aa7e4 9d2599 9dd201 9dea20 9f0faa a871aa aeb644 b0303d
b17253 b85700 ba77be bca5c3 bfbfa2 c024af c075fd c136e3 c37be7 c61587 c7b431 c8c0a6 cc23c5 cda10b cf902c d1294a d2f520
d41997 d6ef33 d897ac d8fc57 da09e3 e2eb75 eaae59 ec2301 ec79da f1a08e fda31b
"""
EXPECTED = {
    "clips": 1667,
    "speakers": tuple(SPEAKERS.split()),
    "emotions": {"neutral": 630, "happy": 322, "angry": 398, "fearful": 317},
    "at_least": True,
}
EXCLUDED: dict[str, str] = {}
CONFLICTS: frozenset[str] = frozenset()

EMOTION_CODES = {"angry": "angry", "calm": "neutral", "fearful": "fearful", "happy": "happy"}
WORDS = ("help", "stop", "no", "go", "yes")
OTHER_WORDS = ("bacho", "unknown", "background")
NO_EMOTION = "None"
SAFE = "safe"  # the environment without shots, breaking glass or screams
UNKNOWN_SPEAKER = "d14a02"  # stands for everybody who did not say who he is
SPEAKER_DIGITS = 6
FORM = re.compile(r"(?P<word>[^-]+)-(?P<environment>.+)-(?P<emotion>[^-]+)-(?P<time>\d+)-(?P<speaker>[0-9a-f]{6,56})")


def parse(stem: str) -> Clip:
    """Reads ``help-safe-angry-1562998317872-4e520c``: word, environment, emotion, time, hash of the speaker.

    The clip's stem has the hash cut to six digits, whatever the file's has.

    Raises:
        ValueError: not a name of Indian EmoSpeech, or not a word said by a known speaker in an emotion and in safety.
    """
    codes = read_codes(stem)
    tables = {"word": WORDS, "environment": (SAFE,), "emotion": EMOTION_CODES}
    for field, table in tables.items():
        if codes[field] not in table:
            raise ValueError(f"{stem!r} has the {field} {codes[field]!r}; Indian EmoSpeech has {', '.join(table)}")
    return Clip(
        corpus="emospeech",
        stem="-".join(codes.values()),
        actor=codes["speaker"],
        emotion=EMOTION_CODES[codes["emotion"]],
        text=codes["word"],
        language=LANGUAGE,
    )


def read_codes(stem: str) -> dict[str, str]:
    """Word, environment, emotion, time and speaker as the name has them, the speaker's hash cut to its first six digits."""
    match = FORM.fullmatch(stem)
    if match is None:
        raise ValueError(
            f"{stem!r} is not word-environment-emotion-time-hash; Indian EmoSpeech's names are like "
            "help-safe-angry-1562998317872-4e520c"
        )
    return match.groupdict() | {"speaker": match["speaker"][:SPEAKER_DIGITS]}


def left_out(stem: str) -> str | None:
    """Why a file of the corpus is not used; None if it is."""
    if FORM.fullmatch(stem) is None:
        return None  # and `parse` says what is wrong
    codes = read_codes(stem)
    if codes["word"] in OTHER_WORDS:
        return "another word, or none"
    if codes["environment"] != SAFE:
        return "shots, breaking glass or screams"
    if codes["emotion"] == NO_EMOTION:
        return "no emotion"
    return "an unknown speaker" if codes["speaker"] == UNKNOWN_SPEAKER else None


def records(root: Path, report: Callable[[str], None] = print) -> list[Clip]:
    """Every clip below ``root``, ordered by stem; ``report`` is told what was left out.

    Raises:
        ValueError: a name that is not Indian EmoSpeech's, two different files of one clip, or two speakers of one id.
    """
    paths = audio_files(root)
    reasons = {path: left_out(path.stem) for path in paths}
    for reason, count in sorted(Counter(filter(None, reasons.values())).items()):
        report(f"{count:,} left out: {reason}")
    clips = parse_files([path for path, reason in reasons.items() if reason is None], parse, report)
    hashes = {}
    for clip in clips:
        whole = clip.path.stem.rpartition("-")[2]
        first = hashes.setdefault(clip.actor, whole)
        if not (first.startswith(whole) or whole.startswith(first)):
            raise ValueError(f"{clip.path}: its speaker {whole} and {first} begin alike and would pass for one")
    return clips
