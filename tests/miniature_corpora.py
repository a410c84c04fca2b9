"""Raw corpora of a few short tones, in the corpora's own layouts."""

import zlib
from pathlib import Path

import numpy as np
import soundfile

RAVDESS_ACTORS = ("01", "05", "06")  # validation, train, test
CREMA_D_ACTORS = ("1009", "1002", "1001")
TESS_SPEAKERS = ("OAF", "YAF")
EMOTIONS_OF = {
    "ravdess": [f"{code:02d}" for code in range(1, 9)],
    "tess": ["neutral", "happy", "sad", "angry", "fear", "disgust", "ps"],
    "crema_d": ["NEU", "HAP", "SAD", "ANG", "FEA", "DIS"],
}
NEMO_SPEAKERS = ("MK0", "EB0")  # validation, train
NEMO_EMOTIONS = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
EMOSPEECH_SPEAKERS = ("1cfb36", "4e520c")  # validation, train
EMOSPEECH_EMOTIONS = ("angry", "calm", "fearful", "happy")
HASH_ENDING = "0123456789" * 5  # what the corpus's own names have behind the six digits that tell its speakers apart


def write_clip(path: Path, pitch: float = 220.0, seconds: float = 0.4, sampling_rate: int = 16_000, **options) -> Path:
    """Writes a tone with a little noise drawn from the file's stem; ``options`` go to soundfile."""
    rng = np.random.default_rng(zlib.crc32(path.stem.encode()))
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    waveform = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.02 * rng.standard_normal(len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, sampling_rate, **options)
    return path


def write_corpora(root: Path) -> dict[str, Path]:
    """Writes 56 clips of eight speakers with CREMA-D's tables; corpus -> folder. The pitch tells the emotion."""
    for actor in RAVDESS_ACTORS:
        for index, emotion in enumerate(EMOTIONS_OF["ravdess"]):
            stem = f"03-01-{emotion}-01-01-01-{actor}"
            write_clip(root / "ravdess" / f"Actor_{actor}" / f"{stem}.wav", 200 * 1.3**index, sampling_rate=48_000)
    for speaker in TESS_SPEAKERS:
        for index, emotion in enumerate(EMOTIONS_OF["tess"]):
            folder = root / "tess" / f"{speaker}_{emotion.capitalize()}"
            write_clip(folder / f"{speaker}_back_{emotion}.wav", 200 * 1.3**index, sampling_rate=24_414)
    stems = [f"{actor}_DFA_{emotion}_XX" for actor in CREMA_D_ACTORS for emotion in EMOTIONS_OF["crema_d"]]
    for index, stem in enumerate(stems):
        write_clip(root / "crema_d" / "AudioWAV" / f"{stem}.wav", 200 * 1.3 ** (index % 6))
    write_crema_d_tables(root / "crema_d", stems)
    return {corpus: root / corpus for corpus in EMOTIONS_OF}


def write_crema_d_tables(root: Path, stems: list[str]) -> None:
    """Writes the two tables of CREMA-D's own form; the vote for anger is 5 by voice, 6 by face, 7 by both."""
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n'
        '1001,51,"Male","Caucasian","Not Hispanic"\n'
        '1002,21,"Female","African American","Hispanic"\n'
        '1009,24,"Female","Unknown","Not Hispanic"\n'
    )
    lines = ['"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"']
    for first, anger in ((100_001, 5), (200_001, 6), (300_001, 7)):
        lines += [f'"{row}",{anger},0,1,0,4,0,"{stem}",10,0.5,"A"' for row, stem in enumerate(stems, first)]
    (root / "processedResults").mkdir()
    (root / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(lines) + "\n")


def write_more_corpora(root: Path) -> dict[str, Path]:
    """Writes 20 clips of four speakers of nEMO and Indian EmoSpeech, with nEMO's table; corpus -> folder."""
    rows = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for speaker in NEMO_SPEAKERS:
        for index, emotion in enumerate(NEMO_EMOTIONS):
            path = root / "nemo" / "samples" / f"{speaker}_{emotion}_1.wav"
            write_clip(path, 200 * 1.3**index, sampling_rate=24_000)
            rows.append(f"{path.name}\t{emotion}\tLubię „to”.\tlubię to\t        {speaker}\tfemale\t27")
    (root / "nemo" / "data.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for speaker in EMOSPEECH_SPEAKERS:
        for index, emotion in enumerate(EMOSPEECH_EMOTIONS):
            stem = f"help-safe-{emotion}-156299831787{index}-{speaker}{HASH_ENDING}"
            write_clip(root / "emospeech" / "House" / f"{stem}.wav", 200 * 1.3**index)
    return {corpus: root / corpus for corpus in ("nemo", "emospeech")}
