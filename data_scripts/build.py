"""Raw corpora in, the Hub's dataset out: Parquet with audio, a metadata table and a card.

    uv run -m data_scripts.build --ravdess DIR --tess DIR --crema-d DIR --output build/corpus
    uv run -m data_scripts.build                            # downloads these three into raw/ first
    uv run -m data_scripts.build --corpora ravdess tess crema_d nemo emospeech                  # or all five
    uv run -m data_scripts.build --ravdess DIR --tess DIR --crema-d DIR --nemo DIR --emospeech DIR

Any subset of the five will do, however their folders are nested or named; wav, flac, ogg, mp3, opus and aiff are read. A
corpus with clips missing is an error unless --allow-partial is given. Then:

    load_dataset("build/corpus")                            # all of RAVDESS, TESS and CREMA-D
    load_dataset("build/corpus", "extended")                # and nEMO and Indian EmoSpeech with them
    load_dataset("build/corpus", "ravdess", split="train")  # one

The folder appears whole or not at all, and the same input gives the same bytes.
"""

import argparse
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from data_scripts.terminal import command, end_quietly_while_loading, listed, say

if __name__ == "__main__":
    end_quietly_while_loading()

import numpy as np
import pyarrow as pa
from datasets.arrow_writer import ParquetWriter
from tqdm import tqdm

from data_scripts.audio import OVERSHOOT, read_waveform, to_flac
from data_scripts.card import write_card
from data_scripts.corpora import CORPORA, PROJECT, completeness
from data_scripts.download import download
from data_scripts.schema import EMOTIONS, FEATURES, SAMPLING_RATE, SPLITS, VOTED_EMOTIONS, Clip
from data_scripts.source_files import is_synthetic
from data_scripts.splits import split_of
from data_scripts.staging import claim, settled, standing, what_stands, whole_folder
from data_scripts.verify import altered_tables
from modeling.tables_mel_cnn import csv_bytes

BUILT_FILE = re.compile(rf"README\.md|clips\.csv|data/({'|'.join(CORPORA)})/\w+-\d{{5}}-of-\d{{5}}\.parquet")
ROWS_PER_GROUP = 100  # about 5 MB of audio: what a viewer or a stream reads at once, and what stands in memory here
CSV_COLUMNS = (
    ["path", "row", "split", "emotion", "gender", "actor", "corpus"]
    + [name for name in FEATURES if name not in ("audio", "emotion", "gender", "corpus", "votes")]
    + [f"votes_{emotion}" for emotion in VOTED_EMOTIONS]
)


def build(
    folders: dict[str, Path],
    output: Path,
    allow_partial: bool = False,
    n_workers: int | None = None,
    report: Callable[[str], None] = say,
) -> Path:
    """Builds the dataset from raw corpora.

    Args:
        folders: corpus, a key of ``CORPORA`` -> folder of its recordings.
        output: the folder to write; a previous build there is replaced when the new one is whole.
        allow_partial: take corpora with clips missing or tables altered, too.
        n_workers: threads; by default one per core. The result does not depend on it.
        report: called with one sentence for whatever is counted or left out.

    Returns:
        ``output``.

    Raises:
        ValueError: an input that is missing, incomplete, damaged or not what it is said to be, named with the remedy; or
            an ``output`` that is something else than a previous build, or that another run writes.
    """
    if not folders:
        options = ", ".join(f"--{corpus.replace('_', '-')}" for corpus in CORPORA)
        raise ValueError(f"no corpus given; name the folder of at least one of {options}")
    output = settled(output)
    with claim(output, report=report):
        return _build(folders, output, allow_partial, n_workers, report)


def _build(
    folders: dict[str, Path], output: Path, allow_partial: bool, n_workers: int | None, report: Callable[[str], None]
) -> Path:
    check_replaceable(output)
    clips = source_clips(folders, report)
    synthetic = all_synthetic(folders)
    shortfalls = []
    if not synthetic:
        for corpus, part in clips.items():
            count, complete = completeness(CORPORA[corpus], part)
            report(count)
            altered = altered_tables(CORPORA[corpus], Path(folders[corpus]), report)
            for line in altered:
                report(line)
            shortfalls += [*([] if complete else [count]), *altered]
    if shortfalls and not allow_partial:
        raise ValueError(f"incomplete corpora: {'; '.join(shortfalls)}. Fetch what is missing or give --allow-partial")
    with whole_folder(output) as folder:
        num_bytes = write_tables(clips, folder, n_workers or os.cpu_count(), report)
        write_card(folder, num_bytes, [CORPORA[corpus] for corpus in clips], shortfalls, synthetic)
    return output


def source_clips(folders: dict[str, Path], report: Callable[[str], None]) -> dict[str, list[Clip]]:
    """Corpus -> the clips found in its folder."""
    clips = {}
    for corpus in sorted(folders):
        facts = CORPORA[corpus]
        clips[corpus] = facts.records(Path(folders[corpus]), lambda line, name=facts.NAME: report(f"{name}: {line}"))
        if not clips[corpus]:
            raise ValueError(
                f"{folders[corpus]} has no clip of {facts.NAME} that the dataset uses; give its own folder"
            )
    return clips


def all_synthetic(folders: dict[str, Path]) -> bool:
    """Whether the recordings are synthesised; a ValueError where only some of them are."""
    synthetic = {corpus for corpus, folder in folders.items() if is_synthetic(Path(folder))}
    real = set(folders) - synthetic
    if synthetic and real:
        raise ValueError(
            f"{', '.join(sorted(synthetic))} is synthetic and {', '.join(sorted(real))} is not; build two datasets"
        )
    return bool(synthetic)


def write_tables(
    clips: dict[str, Sequence[Clip]], folder: Path, n_workers: int, report: Callable[[str], None] = say
) -> dict[tuple[str, str], int]:
    """Writes ``data/<corpus>/<split>-00000-of-00001.parquet`` and ``clips.csv``.

    Args:
        clips: corpus -> its clips in the order of the rows.
        folder: where to.
        n_workers: threads that decode and encode.
        report: told of clips that exceed full scale.

    Returns:
        (corpus, split) -> bytes of the Arrow table, as ``datasets`` counts them; splits without clips are left out.
    """
    num_bytes, faults, excessive = {}, [], {}
    n_clips = sum(map(len, clips.values()))
    with (
        ThreadPoolExecutor(n_workers) as pool,
        open(folder / "clips.csv", "wb") as table,
        tqdm(total=n_clips, unit="clip", desc="build") as progress,
    ):
        table.write(csv_bytes([], CSV_COLUMNS))
        for corpus in sorted(clips):
            for split in SPLITS:
                part = [clip for clip in clips[corpus] if split_of(corpus, clip.actor) == split]
                path = folder / "data" / corpus / f"{split}-00000-of-00001.parquet"
                if part:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    place = {"path": path.relative_to(folder).as_posix(), "split": split}
                    num_bytes[corpus, split] = write_parquet(
                        part, path, place, table, pool, progress, faults, excessive
                    )
    if faults:
        raise ValueError(listed(faults))
    if excessive:
        report(beyond_full_scale(excessive))
    return num_bytes


def write_parquet(
    clips: Sequence[Clip],
    path: Path,
    place: dict,
    table: BinaryIO,
    pool: ThreadPoolExecutor,
    progress: tqdm,
    faults: list[str],
    excessive: dict[Path, float],
) -> int:
    """Writes one split of one corpus group by group, so that memory does not grow with it; returns its Arrow bytes.

    What is wrong with a recording is added to ``faults``, and the others go on, so that all faults are found at once. The
    peaks of those that exceed full scale are added to ``excessive``.
    """
    with ParquetWriter(features=FEATURES, path=str(path), writer_batch_size=ROWS_PER_GROUP) as writer:
        for start in range(0, len(clips), ROWS_PER_GROUP):
            group = clips[start : start + ROWS_PER_GROUP]
            rows = []
            for clip, row in zip(group, pool.map(encode_or_say, group), strict=True):
                (faults if isinstance(row, str) else rows).append(row)
                if not isinstance(row, str) and row["peak"] > OVERSHOOT:
                    excessive[clip.path] = row["peak"]
                progress.update()
            if faults:  # what is written is thrown away
                continue
            writer.write_table(pa.Table.from_pylist(rows, schema=FEATURES.arrow_schema))
            for index, (clip, row) in enumerate(zip(group, rows, strict=True), start):
                cells = csv_row(clip, row) | place | {"row": index}
                table.write(csv_bytes([[cells.get(name) for name in CSV_COLUMNS]]))
        return writer.finalize()[1]


def encode_or_say(clip: Clip) -> dict | str:
    """As `encode`; or what is wrong with the recording."""
    try:
        return encode(clip)
    except ValueError as error:
        return str(error)


def encode(clip: Clip) -> dict:
    """One row of the dataset, its audio as FLAC, and the peak of the recording."""
    waveform, source_sampling_rate = read_waveform(clip.path)
    return {
        "audio": {"bytes": to_flac(waveform), "path": f"{clip.stem}.flac"},
        "peak": float(np.abs(waveform).max()),
        "emotion": EMOTIONS.index(clip.emotion),
        "duration": len(waveform) / SAMPLING_RATE,
        "source_file": clip.path.name,
        "source_sampling_rate": source_sampling_rate,
    } | {name: getattr(clip, name) for name in FEATURES if hasattr(clip, name) and name != "emotion"}


def beyond_full_scale(peaks: dict[Path, float]) -> str:
    """A sentence about clips that lose what is beyond full scale, the loudest first."""
    loudest = sorted(peaks, key=lambda path: (-peaks[path], path))
    named = ", ".join(path.name for path in loudest[:3]) + (", ..." if len(loudest) > 3 else "")
    clips = "1 clip exceeds" if len(peaks) == 1 else f"{len(peaks):,} clips exceed"
    return (
        f"{clips} full scale and will sound distorted, because samples beyond 1.0 are cut off (peaks of up to "
        f"{peaks[loudest[0]]:.2f}): {named}. Scale such files down and build again"
    )


def csv_row(clip: Clip, row: dict) -> dict:
    votes = {f"votes_{emotion}": count for emotion, count in (clip.votes or {}).items()}
    plain = {name: value for name, value in row.items() if name not in ("audio", "votes")}
    return plain | votes | {"actor": clip.actor, "emotion": clip.emotion}


def check_replaceable(output: Path) -> None:
    """Raises ValueError where ``output`` is anything but absent, an empty folder or a previous build."""
    if not output.exists():
        return
    if not output.is_dir():
        raise ValueError(f"{output} is a file; give --output a folder")
    files = (path.relative_to(output) for path in output.rglob("*") if not path.is_dir())
    foreign = next((file for file in files if not BUILT_FILE.fullmatch(file.as_posix())), None)
    if foreign or (any(output.iterdir()) and not (output / "clips.csv").is_file()):
        raise ValueError(
            f"{output} is not a previous build (it has {foreign or 'no clips.csv'}) and will not be replaced; "
            "give --output another folder"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for corpus, facts in CORPORA.items():
        parser.add_argument(f"--{corpus.replace('_', '-')}", type=Path, metavar="DIR", help=f"folder of {facts.NAME}")
    parser.add_argument(
        "--corpora", nargs="+", choices=CORPORA, help=f"to download, without folders; default: {' '.join(PROJECT)}"
    )
    parser.add_argument("--output", type=Path, default=Path("build/corpus"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--allow-partial", action="store_true", help="take corpora with clips missing, too")
    arguments = parser.parse_args()
    folders = {corpus: getattr(arguments, corpus) for corpus in CORPORA if getattr(arguments, corpus) is not None}
    if folders and arguments.corpora:
        parser.error("--corpora names what to download, where no folder is given; leave it out, or the folders")
    before = what_stands(arguments.output)
    with command(lambda: f"{standing(arguments.output, before)}; run again"), claim(arguments.output, report=say):
        if not folders:
            check_replaceable(arguments.output)
            folders = download(arguments.corpora or PROJECT, Path("raw"))
        output = build(folders, arguments.output, arguments.allow_partial)
    say(f'{output} is ready: load_dataset("{arguments.output}")')


if __name__ == "__main__":
    main()
