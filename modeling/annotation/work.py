"""Annotates: rows of the source in, shards of the result out, and a card when the last one is there."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from huggingface_hub import ModelCard
from tqdm import tqdm

from data_scripts.locks import Busy
from modeling.annotation.card import CARD, write_card
from modeling.annotation.columns import Columns, recordings, with_content
from modeling.annotation.output import Output
from modeling.annotation.shards import Account, Progress, Shard, ShardWriter
from modeling.annotation.source import ROWS_AT_ONCE, Source
from modeling.engine import listen
from modeling.listener import Heard, Listener
from modeling.training.sources import load_card

CHUNK_ROWS = 128  # rows that a worker hears at once
CHUNK_BYTES = 16 << 20  # or less, where their recordings are large
PATH_BYTES = 1 << 19  # what a recording is taken to weigh of which only the path is known
READERS = 16  # threads that read footers


@dataclass
class Chunk:
    """Some rows of one shard.

    Args:
        shard: Where they go.
        rows: Of the source.
        ends: Whether they are the last of their shard.
        ends_part: Whether they are the last of their part.
        error: Why the source could not be read any further.
    """

    shard: Shard
    rows: pa.Table
    ends: bool = False
    ends_part: bool = False
    error: Exception | None = None


class PartError(Exception):
    """A part of the source could not be read to its end."""


def annotate(
    source: Source,
    output: Output,
    listener: Listener,
    columns: Columns,
    *,
    rows_per_shard: int,
    rank: int = 0,
    world_size: int = 1,
    n_workers: int | None = None,
    report: Callable[[str], None],
) -> bool:
    """Writes the shards of this process that are not there yet.

    Args:
        source, output: From `open_source` and `open_output`.
        listener: Who hears.
        columns: Of the result.
        rows_per_shard: Rows of the source in one file of the result.
        rank, world_size: This process, among all that write to the output.
        n_workers: Processes that decode, and hear on a CPU; all cores where absent.
        report: Called with a sentence for every part of the source that cannot be read to its end.

    Returns:
        Whether all its shards are there.
    """
    present, ends = survey(output, source)
    progress = Progress(source.parts(), present, ends, rank, world_size)
    failed = False
    ours = filter(progress.is_ours, present)
    n_done = sum(ends[shard].n_rows if shard in ends else rows_per_shard for shard in ours)
    total = math.ceil(sum(source.n_rows.values()) / world_size) if len(source.n_rows) == len(source.splits) else None
    bar = tqdm(total=total, initial=min(n_done, total or n_done), unit="row", smoothing=0.05, disable=rank > 0)
    results = listen(chunks(source, progress, columns, rows_per_shard), listener, n_workers)
    try:
        with bar:
            for shard, of_shard in itertools.groupby(results, key=lambda result: result[0].shard):
                try:
                    with output.writing(shard.name) as path:
                        _write_shard(path, columns, of_shard, bar)
                except Busy as error:
                    report(f"{shard.name} is left to another process: {error}")
                except PartError as error:
                    failed = True
                    report(f"{shard.split}, part {shard.part}: cannot be read any further: {error}")
    except KeyboardInterrupt:
        output.flush()  # what is finished is to be there
        raise
    output.flush()
    return not failed


def survey(output: Output, source: Source) -> tuple[set[Shard], dict[Shard, Account]]:
    """The shards that are there, and those of them that are the last of their part, with their accounts."""
    parts = set(source.parts())
    present = {shard for name in output.names() if (shard := Shard.named(name))}
    present = {shard for shard in present if (shard.split, shard.part) in parts}
    furthest: dict[tuple[str, int], Shard] = {}
    for shard in sorted(present):
        furthest[shard.split, shard.part] = shard
    accounts = _read_accounts(output, list(furthest.values()))
    return present, {shard: account for shard, account in accounts.items() if account.last}


def chunks(
    source: Source, progress: Progress, columns: Columns, rows_per_shard: int
) -> Iterator[tuple[Chunk, list[dict]]]:
    """The rows that are to be heard by this process, in chunks that depend on the shard alone, and their recordings."""
    for split, part in source.parts():
        first = progress.first_wanted(split, part)
        if first is None:
            continue
        for chunk in _chunks_of_part(source, split, part, first, progress, rows_per_shard):
            if columns.with_audio:
                chunk.rows = with_content(chunk.rows, source.audio_column)
            yield chunk, recordings(chunk.rows, source.audio_column)


def _chunks_of_part(
    source: Source, split: str, part: int, first: int, progress: Progress, rows_per_shard: int
) -> Iterator[Chunk]:
    shard, n_rows, waiting = Shard(split, part, first), 0, []
    # Shards begin where some rows that are read at once begin, whether or not earlier ones are skipped.
    tables = source.read(split, part, first * rows_per_shard, math.gcd(rows_per_shard, ROWS_AT_ONCE))
    try:
        for rows, is_last in _with_end(tables):
            n_rows += len(rows)
            is_full = n_rows == rows_per_shard
            if progress.is_wanted(shard):
                waiting.append(rows)
                if is_full or is_last or _is_enough(waiting, source.audio_column):
                    yield Chunk(shard, pa.concat_tables(waiting), is_full or is_last, is_last)
                    waiting = []
            if is_full:
                shard, n_rows = Shard(split, part, shard.piece + 1), 0
    except Exception as error:  # noqa: BLE001 (every format and every store has errors of its own)
        yield Chunk(shard, source.empty(), error=error)
        return
    if n_rows == 0 and shard.piece == 0:  # a file without rows is done as well
        yield Chunk(shard, source.empty(), ends=True, ends_part=True)


def _is_enough(waiting: list[pa.Table], audio_column: str) -> bool:
    n_rows = sum(map(len, waiting))
    n_paths = sum(pc.struct_field(rows[audio_column], "bytes").null_count for rows in waiting)
    return n_rows >= CHUNK_ROWS or sum(rows.nbytes for rows in waiting) + n_paths * PATH_BYTES >= CHUNK_BYTES


def _with_end(tables: Iterator[pa.Table]) -> Iterator[tuple[pa.Table, bool]]:
    """Each of them, and whether it is the last."""
    previous = None
    for table in tables:
        if previous is not None:
            yield previous, False
        previous = table
    if previous is not None:
        yield previous, True


def _write_shard(path: Path, columns: Columns, results: Iterator[tuple[Chunk, list[Heard]]], bar: tqdm) -> None:
    writer = ShardWriter(path, columns.features)
    try:
        for chunk, heard in results:
            if chunk.error:
                raise PartError(" ".join(f"{type(chunk.error).__name__}: {chunk.error}".split())) from chunk.error
            emotions = Counter(columns.labels[one.probabilities[0].argmax()] for one in heard if not one.problem)
            seconds = sum(one.duration for one in heard if not one.problem)
            n_problems = sum(one.problem is not None for one in heard)
            writer.write(columns.rows(chunk.rows, heard), seconds, n_problems, emotions)
            bar.update(len(heard))
        writer.close(last=chunk.ends_part)
    except BaseException:
        writer.abandon()
        raise


def complete(
    output: Output, source: Source, columns: Columns, terms: dict, model_name: str
) -> dict[str, list[Account]] | None:
    """Writes the card where all shards are there; returns their accounts, or None where some are missing."""
    present, ends = survey(output, source)
    if Progress(source.parts(), present, ends, 0, 1).missing():
        return None
    accounts = _read_accounts(output, sorted(present))
    by_split = {
        split: [accounts[shard] for shard in sorted(present) if shard.split == split] for split in source.splits
    }
    on_hub_or_disk = source.commit or Path(source.name).is_dir()
    write_card(
        output, terms, columns, by_split, load_card(source.name) if on_hub_or_disk else {}, _model_card(model_name)
    )
    return by_split


def _model_card(model_name: str) -> dict:
    card = Path(model_name, CARD)
    return ModelCard.load(card).data.to_dict() if card.is_file() else {}


def _read_accounts(output: Output, shards: list[Shard]) -> dict[Shard, Account]:
    def read(shard: Shard) -> Account:
        with output.open(shard.name) as file:
            return Account.read(file)

    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(shards, pool.map(read, shards), strict=True))
