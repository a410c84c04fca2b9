"""Output shards: which rows make up each, how one is written, and which are there already.

A shard holds so many consecutive rows of one part of the source, whoever writes it: its name and its bytes depend neither on
the number of processes nor on when one of them was killed.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features

FOOTER = b"annotation"  # key of the shard's own account of itself
ROW_GROUP = 32 << 20  # bytes that are held before they are written: what a viewer reads at once


@dataclass(frozen=True, order=True)
class Shard:
    """The `piece`-th run of rows of a part of a split."""

    split: str
    part: int
    piece: int

    @property
    def name(self) -> str:
        """Its path in the output; alphabetical order is the order of the rows."""
        return f"data/{self.split}-{self.part:05d}-{self.piece:05d}.parquet"

    @classmethod
    def named(cls, name: str) -> "Shard | None":
        """The shard of a path in the output; None where it is something else."""
        folder, _, file = name.rpartition("/")
        split, *numbers = file.removesuffix(".parquet").rsplit("-", 2)
        if folder != "data" or not file.endswith(".parquet") or len(numbers) != 2 or not all(map(str.isdigit, numbers)):
            return None
        return cls(split, *map(int, numbers))


@dataclass
class Account:
    """What a shard says of itself in its footer.

    Args:
        last: Whether it is the last of its part.
        n_rows: Its rows.
        n_problems: Rows that could not be heard.
        seconds: How much was heard.
        emotions: How often each label is the likeliest.
        num_bytes, file_size: Of its content and of the file; only known of a file that is read.
    """

    last: bool = False
    n_rows: int = 0
    n_problems: int = 0
    seconds: float = 0.0
    emotions: dict[str, int] = field(default_factory=dict)
    num_bytes: int = 0
    file_size: int = 0

    @classmethod
    def read(cls, file: BinaryIO) -> "Account":
        """From the footer of a shard."""
        footer = pq.read_metadata(file)
        num_bytes = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
        file_size = file.seek(0, os.SEEK_END)
        return cls(**json.loads(footer.metadata[FOOTER]) | {"num_bytes": num_bytes, "file_size": file_size})

    @classmethod
    def total(cls, accounts: Sequence["Account"]) -> "Account":
        """All of them together."""
        emotions = sum((Counter(account.emotions) for account in accounts), Counter())
        names = ("n_rows", "n_problems", "seconds", "num_bytes", "file_size")
        sums = {name: sum(getattr(account, name) for account in accounts) for name in names}
        return cls(last=True, emotions=dict(emotions), **sums)


class ShardWriter:
    """Writes a shard as its rows come, a row group at a time, so that memory does not grow with it."""

    def __init__(self, path: Path, features: Features):
        self.features, self.account = features, Account()
        self.file = pq.ParquetWriter(
            path, features.arrow_schema, use_content_defined_chunking=True, write_page_index=True
        )
        self.waiting: list[pa.Table] = []

    def write(self, rows: pa.Table, seconds: float, n_problems: int, emotions: Counter) -> None:
        """Takes rows and what there is to say about them."""
        account = self.account
        account.n_rows += len(rows)
        account.n_problems += n_problems
        account.seconds = round(account.seconds + seconds, 3)
        account.emotions = dict(
            sorted((Counter(account.emotions) + emotions).items())
        )  # the same bytes for the same rows
        if len(rows):  # `datasets` cannot read an empty row group
            self.waiting.append(rows)
        if sum(table.nbytes for table in self.waiting) >= ROW_GROUP:
            self._write_group()

    def close(self, last: bool) -> None:
        """Ends the file with its account."""
        self._write_group()
        self.account.last = last
        self.file.add_key_value_metadata({FOOTER: json.dumps(asdict(self.account))})
        self.file.close()

    def abandon(self) -> None:
        """Lets go of an unfinished file."""
        self.file.close()

    def _write_group(self) -> None:
        if self.waiting:
            # One chunk a column: where chunks end would else show in the pages.
            table = pa.concat_tables(self.waiting).combine_chunks()
            self.file.write_table(table, row_group_size=len(table))
            self.waiting = []


class Progress:
    """Which shards are there and which are this process's to write.

    Args:
        parts: All parts of the source, in order.
        present: Shards that are there.
        ends: The last shards of the parts whose end is known.
        rank, world_size: This process among all that annotate into the same output.

    Where there are at least as many parts as processes, each process takes whole parts, as
    `datasets.distributed.split_dataset_by_node` would deal them out (which forgets what came from where, and so could not name
    shards that are the same for any number of processes). Otherwise the processes share every part, piece by piece.
    """

    def __init__(
        self,
        parts: Sequence[tuple[str, int]],
        present: set[Shard],
        ends: Iterable[Shard],
        rank: int,
        world_size: int,
    ):
        self.parts, self.present = parts, present
        self.last = {(shard.split, shard.part): shard.piece for shard in ends}
        self.rank, self.world_size = rank, world_size
        self.shared = len(parts) < world_size
        self.number = {part: number for number, part in enumerate(parts)}

    def is_ours(self, shard: Shard) -> bool:
        """Whether it is this process that writes a shard."""
        number = self.number[shard.split, shard.part]
        return (number + shard.piece * self.shared) % self.world_size == self.rank

    def is_wanted(self, shard: Shard) -> bool:
        """Whether this process is still to write it."""
        return self.is_ours(shard) and shard not in self.present

    def first_wanted(self, split: str, part: int) -> int | None:
        """The first piece of a part that this process is to write, if that is there; None where there is certainly none."""
        last = self.last.get((split, part))
        if not self.shared and not self.is_ours(Shard(split, part, 0)):
            return None
        piece = 0
        while last is None or piece <= last:
            if self.is_wanted(Shard(split, part, piece)):
                return piece
            piece += 1
        return None

    def missing(self) -> list[tuple[str, int]]:
        """Parts that are not complete."""
        return [
            (split, part)
            for split, part in self.parts
            if (last := self.last.get((split, part))) is None
            or any(Shard(split, part, piece) not in self.present for piece in range(last + 1))
        ]
