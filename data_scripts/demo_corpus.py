"""Synthesises miniature corpora in the corpora's own layouts, and builds the dataset from them.

    uv run -m data_scripts.demo_corpus --output build/demo

The recordings land in ``build/demo/raw/`` under the corpora's own folder and file names and at their own sampling rates, the
dataset in ``build/demo/corpus``. It takes seconds and comes out the same each time: a clip is drawn from its own name. No
person speaks here, and a figure measured on these clips says nothing about speech.
"""

import argparse
import csv
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from data_scripts.terminal import command, end_quietly_while_loading, say

if __name__ == "__main__":
    end_quietly_while_loading()

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from data_scripts import crema_d, emospeech, nemo, ravdess, tess
from data_scripts.build import build
from data_scripts.schema import SAMPLING_RATE, Clip
from data_scripts.source_files import SYNTHETIC_MARKER
from data_scripts.staging import claim, settled, standing, what_stands, whole_folder
from data_scripts.synthesis import PROSODIES, Voice, speak, strayed

SOURCE_RATES = {
    "ravdess": 48_000,
    "tess": 24_414,
    "crema_d": 16_000,
    "nemo": 24_000,
    "emospeech": 16_000,
}  # Hz, the official ones
RAVDESS_ACTORS = range(1, 15)
TESS_WORDS = ("back", "bean", "dog", "food", "jar", "moon", "rain", "shout", "tire", "wheat")
CREMA_D_ACTORS = (1001, 1002, 1003, 1004, 1005, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 1015, 1022)
CREMA_D_SENTENCES = ("DFA", "IEO", "TIE")
N_LISTENERS = 10
OTHERS = 300.0  # s to wait for another run that makes the same
NEMO_ACTORS = {"EB0": "female", "KS0": "male", "MK0": "female", "MP0": "male"}
NEMO_SENTENCES = {"1": "Kot pije mleko", "2": "Dom ma dwa okna"}  # of our own; the corpus has others
EMOSPEECH_SPEAKERS = ("1cfb36", "2bbcd8", "4e520c", "97ce11", "9dd201")
EMOSPEECH_WORDS = ("help", "no")


def build_demo_corpus(folder: Path) -> Path:
    """Synthesises the recordings and builds the dataset, unless this version of it stands there already.

    Args:
        folder: for the recordings (``raw/``) and the dataset (``corpus/``).

    Returns:
        ``folder / "corpus"``, for ``load_dataset``.

    Raises:
        ValueError: ``folder`` holds something else.
    """
    folder = settled(folder)
    note = marker_text()
    with claim(folder, wait=OTHERS, report=say):  # another run that makes it is as good
        if folder.exists():
            marker = folder / SYNTHETIC_MARKER
            if marker.is_file() and marker.read_text() == note:
                return folder / "corpus"
            if not folder.is_dir() or (any(folder.iterdir()) and not marker.is_file()):
                raise ValueError(
                    f"{folder} is not a demo corpus and will not be replaced; give --output another folder"
                )
        with whole_folder(folder) as staging:
            (staging / SYNTHETIC_MARKER).write_text(note)
            roots = write_recordings(staging / "raw")
            build(roots, staging / "corpus", report=lambda line: None)
    return folder / "corpus"


def marker_text() -> str:
    """The note that marks the folders as synthetic; it changes with the code."""
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    version = hashlib.sha256(sources).hexdigest()[:16]
    return f"Synthetic speech in the layout of a real corpus, by data_scripts/demo_corpus.py (version {version}).\n"


def write_recordings(raw: Path) -> dict[str, Path]:
    """Writes the miniature corpora; returns corpus -> folder."""
    layout = paths()
    for path in layout:
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        written = pool.map(lambda path: write_recording(layout[path], raw / path), layout)
        list(tqdm(written, total=len(layout), unit="clip", desc="synthesise"))
    roots = {corpus: raw / corpus for corpus in SOURCE_RATES}
    for root in roots.values():
        (root / SYNTHETIC_MARKER).write_text(marker_text())
    write_crema_d_tables(roots["crema_d"], [clip for clip in layout.values() if clip.corpus == "crema_d"])
    write_nemo_table(roots["nemo"], [clip for clip in layout.values() if clip.corpus == "nemo"])
    return roots


def paths() -> dict[Path, Clip]:
    """Path below ``raw/``, folders and names as the corpora have them -> clip."""
    found = {}
    for actor in RAVDESS_ACTORS:
        for emotion in ravdess.EMOTION_CODES:
            for statement in ravdess.STATEMENTS:
                stem = f"03-01-{emotion}-01-{statement}-01-{actor:02d}"
                found[Path("ravdess", f"Actor_{actor:02d}", f"{stem}.wav")] = ravdess.parse(stem)
    for actor in tess.AGES:
        for emotion in tess.EMOTION_CODES:
            for word in TESS_WORDS:
                stem = f"{actor}_{word}_{emotion}"
                found[Path("tess", f"{actor}_{emotion}".replace("ps", "pleasant_surprise"), f"{stem}.wav")] = (
                    tess.parse(stem)
                )
    for actor in CREMA_D_ACTORS:
        for emotion in crema_d.EMOTION_CODES:
            for sentence in CREMA_D_SENTENCES:
                level = "HI" if sentence == "IEO" and emotion != "NEU" else "XX"
                stem = f"{actor}_{sentence}_{emotion}_{level}"
                found[Path("crema_d", "AudioWAV", f"{stem}.wav")] = crema_d.parse(stem)
    for actor, gender in NEMO_ACTORS.items():
        for emotion in nemo.EMOTION_CODES:
            for sentence, text in NEMO_SENTENCES.items():
                stem = f"{actor}_{emotion}_{sentence}"
                clip = replace(nemo.parse(stem), gender=gender, text=text)
                found[Path("nemo", "samples", f"{stem}.wav")] = clip
    for speaker in EMOSPEECH_SPEAKERS:
        for emotion in emospeech.EMOTION_CODES:
            for number, word in enumerate(EMOSPEECH_WORDS):
                stem = f"{word}-safe-{emotion}-156299831787{number}-{hash_of(speaker)}"
                found[Path("emospeech", "House", f"{stem}.wav")] = emospeech.parse(stem)
    return found


def hash_of(speaker: str) -> str:
    """The 56 digits that stand for a speaker of Indian EmoSpeech, made up from the sixth on."""
    return speaker + hashlib.sha256(speaker.encode()).hexdigest()[: 56 - len(speaker)]


def write_recording(clip: Clip, path: Path) -> None:
    rng = generator(clip.stem)
    waveform = speak(clip.text, voice_of(clip), strayed(PROSODIES[clip.emotion], rng), rng)
    source_sampling_rate = SOURCE_RATES[clip.corpus]
    soundfile.write(path, soxr.resample(waveform, SAMPLING_RATE, source_sampling_rate), source_sampling_rate, "PCM_16")


def voice_of(clip: Clip) -> Voice:
    """The voice of a clip's speaker, the same in every clip."""
    rng = generator(clip.speaker_id)
    woman = rng.random() < 0.5 if clip.gender is None else clip.gender == "female"
    return Voice(
        pitch=rng.uniform(175, 235) if woman else rng.uniform(90, 135),
        tract=rng.uniform(1.1, 1.22) if woman else rng.uniform(0.93, 1.05),
        tempo=rng.uniform(0.92, 1.08),
        breath=rng.uniform(0.7, 1.4),
        tilt=rng.uniform(-10, -7),
    )


def generator(name: str) -> np.random.Generator:
    """Random numbers that depend on a name alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))


def write_crema_d_tables(root: Path, clips: list[Clip]) -> None:
    """Writes the two tables in CREMA-D's own form; the votes are drawn around the emotion."""
    demographics = {clip.actor: clip for clip in clips}
    with open(root / crema_d.DEMOGRAPHICS, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ActorID", "Age", "Sex", "Race", "Ethnicity"])
        for actor, clip in demographics.items():
            table.writerow([actor, generator(actor).integers(20, 75), clip.gender.capitalize(), "Unknown", "Unknown"])
    (root / crema_d.VOTES).parent.mkdir()
    columns = {emotion: letter for letter, emotion in crema_d.VOTE_COLUMNS.items()}
    with open(root / crema_d.VOTES, "w", newline="") as file:
        table = csv.DictWriter(file, ["", *sorted(crema_d.VOTE_COLUMNS), "fileName"])
        table.writeheader()
        for first_row in (100_001, 200_001, 300_001):
            for row, clip in enumerate(clips, first_row):
                shares = [0.5 + 0.5 / 6 if emotion == clip.emotion else 0.5 / 6 for emotion in columns]
                votes = generator(f"{clip.stem} {first_row}").multinomial(N_LISTENERS, shares)
                table.writerow({"": row, "fileName": clip.stem} | dict(zip(columns.values(), votes, strict=True)))


def write_nemo_table(root: Path, clips: list[Clip]) -> None:
    """Writes ``data.tsv`` in nEMO's own form, the speakers' ids padded as there."""
    with open(root / nemo.TABLE, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["file_id", "emotion", "raw_text", "normalized_text", "speaker_id", "gender", "age"])
        for clip in clips:
            emotion, age = clip.stem.split("_")[1], generator(clip.actor).integers(20, 30)
            text = [f"{clip.text}.", clip.text.lower()]
            table.writerow([f"{clip.stem}.wav", emotion, *text, f"{clip.actor:>11}", clip.gender, age])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("build/demo"), metavar="DIR", help="default: %(default)s")
    arguments = parser.parse_args()
    before = what_stands(arguments.output)
    with command(lambda: f"{standing(arguments.output, before)}; run again"):
        corpus = build_demo_corpus(arguments.output)
    say(f'{corpus} is ready: load_dataset("{corpus}")')


if __name__ == "__main__":
    main()
