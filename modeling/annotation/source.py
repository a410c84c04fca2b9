"""The dataset that is annotated: wherever it lies, streamed part by part, undecoded."""

import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Audio, Features, IterableDataset, Value, load_dataset_builder
from datasets.data_files import DataFilesDict, get_data_patterns, sanitize_patterns
from datasets.load import infer_module_for_data_files
from datasets.packaged_modules.parquet.parquet import Parquet
from datasets.table import table_cast
from fsspec.core import has_magic, url_to_fs
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

MOST_PARTS = 1_000  # of a split: what a listing, and a folder on the Hub, take well
ROWS_AT_ONCE = 16
SAMPLE = 4096  # bytes at both ends of a local file that tell it from another of its name and size
PATHS = [Value(kind) for kind in ("string", "large_string", "binary", "large_binary")]  # or contents
PARQUET_ROWS = 256  # not a whole row group, which may be large, or empty, at which `datasets` fails


@dataclass
class Source:
    """A dataset that can be read in parts, from any row on.

    Args:
        name: As it was given.
        splits: Name of each split and its rows, undecoded.
        audio_column: The column that is heard.
        commit: Of a dataset on the Hub.
        files: How many data files there are, and a fingerprint of their names and sizes.
        config: Its configuration.
        features: The columns, which all splits share.
        in_tables: Whether its format holds tables, and not samples one by one.
        n_rows: Of each split, where the dataset says so.
    """

    name: str
    splits: dict[str, IterableDataset]
    audio_column: str
    commit: str | None
    files: str
    config: str
    features: Features
    in_tables: bool
    n_rows: dict[str, int] = field(default_factory=dict)

    def parts(self) -> list[tuple[str, int]]:
        """Splits in order, each in as many parts as it has files, but at most `MOST_PARTS`."""
        return [(split, part) for split in self.splits for part in range(self.n_parts(split))]

    def n_parts(self, split: str) -> int:
        return min(self.splits[split].num_shards, MOST_PARTS)

    def read(self, split: str, part: int, n_skipped: int, n_at_once: int = ROWS_AT_ONCE) -> Iterator[pa.Table]:
        """Rows of a part from one on, a few at a time."""
        rows = self.splits[split].shard(self.n_parts(split), part).with_format("arrow")
        schema = self._schema(split)
        # Samples of WebDataset have their columns in an order of their own each, by which `datasets` cannot join them.
        for table in (rows.skip(n_skipped) if n_skipped else rows).iter(n_at_once if self.in_tables else 1):
            yield table_cast(self._in_small_strings(table), schema)

    def empty(self) -> pa.Table:
        """No rows."""
        return self._schema(next(iter(self.splits))).empty_table()

    def _schema(self, split: str) -> pa.Schema:
        return Features({**self.splits[split].features, self.audio_column: Audio(decode=False)}).arrow_schema

    def _in_small_strings(self, table: pa.Table) -> pa.Table:
        """Paths of tables of text come as strings of more than 2 GiB, which `datasets` does not take for audio."""
        index = table.schema.get_field_index(self.audio_column)
        small = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(table.schema.field(index).type)
        return table.set_column(index, self.audio_column, table[index].cast(small)) if small else table


def open_source(
    name: str,
    config: str | None = None,
    splits: list[str] | None = None,
    revision: str | None = None,
    audio_column: str | None = None,
) -> Source:
    """Finds a dataset and what it consists of; nothing is downloaded but cards and listings.

    Args:
        name: On the Hub; a folder; a file, or a glob of files, of any format that `load_dataset` knows; each of these on
            disk or at a URL of fsspec.
        config: Configuration, where there are several.
        splits: Those to read; all where absent.
        revision: Branch, tag or commit on the Hub.
        audio_column: Where there are several columns of audio, or one of paths.

    Raises:
        ValueError: There is no such dataset, configuration, split or column, or nothing to reach it by.
    """
    try:
        builder, commit = _builder(name, config, revision)
        if isinstance(builder, Parquet):
            builder.config.batch_size = PARQUET_ROWS
        streams = builder.as_streaming_dataset()
    except (OfflineModeIsEnabled, ConnectionError) as error:
        raise ValueError(f"{name} is not on this disk, and the Hub is out of reach: {error}") from error
    except HFValidationError as error:
        raise ValueError(f"there is no file or folder {name}, and it is no name on the Hub either: {error}") from error
    except RepositoryNotFoundError as error:
        raise ValueError(
            f"there is no file or folder {name}, and no dataset of that name on the Hub that you may read: check the spelling, "
            "or log in by `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise ValueError(
            f"{name} has no revision {revision}: give another --revision, or none for the newest"
        ) from error
    except (HfHubHTTPError, OSError, ValueError, ImportError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(f"{name} cannot be opened as a dataset: {' '.join(str(error).split())}") from error
    if unknown := [split for split in splits or [] if split not in streams]:
        raise ValueError(f"{name} has no split {', '.join(unknown)}; it has {', '.join(streams)}")
    chosen = {str(split): _typed(rows) for split, rows in streams.items() if not splits or split in splits}
    features = next(iter(chosen.values())).features
    audio_column = _audio_column(name, features, audio_column)
    if isinstance(features[audio_column], Audio):
        chosen = {split: rows.cast_column(audio_column, Audio(decode=False)) for split, rows in chosen.items()}
    files = {split: builder.config.data_files[split] for split in chosen}
    return Source(
        name=name,
        splits=chosen,
        audio_column=audio_column,
        commit=commit,
        files=_fingerprint(files),
        config=builder.config.name,
        features=features,
        in_tables=isinstance(builder, datasets.ArrowBasedBuilder),
        n_rows=_count(builder, files),
    )


def _builder(name: str, config: str | None, revision: str | None) -> tuple[datasets.DatasetBuilder, str | None]:
    """What reads the dataset, and its commit if it is on the Hub."""
    at_url = "://" in name and not name.startswith("hf://")
    is_folder = Path(name).is_dir() if not at_url else url_to_fs(name)[0].isdir(url_to_fs(name)[1])
    is_file = Path(name).is_file() if not at_url else not is_folder
    on_the_hub = not (at_url or is_folder or is_file or has_magic(name) or name.startswith("hf://buckets/"))
    if revision and not on_the_hub:
        raise ValueError("it is not on the Hub, where alone there are revisions: leave --revision out")
    if on_the_hub:
        repo_id = name.removeprefix("hf://datasets/")
        commit = HfApi().dataset_info(repo_id, revision=revision).sha
        return _of_repository(repo_id, config, revision=commit), commit
    if name.startswith("hf://buckets/") or is_folder and not at_url:
        return _of_repository(name, config), None
    if config:
        raise ValueError("only a folder or a name on the Hub has configurations: leave --config out")
    base = name if is_folder else ""
    patterns = get_data_patterns(name) if is_folder else sanitize_patterns([name if at_url else os.path.abspath(name)])
    files = DataFilesDict.from_patterns(patterns, base_path=base)
    module, options = infer_module_for_data_files(files, path=name)
    return load_dataset_builder(
        module, data_files={split: list(paths) for split, paths in files.items()}, **options
    ), None


def _of_repository(name: str, config: str | None, **options) -> datasets.DatasetBuilder:
    """A dataset with a card, which may have several configurations."""
    try:
        return load_dataset_builder(name, config, **options)
    except ValueError as error:
        if found := re.search(r"(?:available configs|Available): \[(.+?)\]", str(error)):
            fact = f"it has no configuration {config}" if config else "it has several configurations"
            raise ValueError(f"{fact}: choose by --config one of {found[1].replace(chr(39), '')}") from error
        raise


def _typed(rows: IterableDataset) -> IterableDataset:
    """With its columns, which some formats tell only by their first rows."""
    if rows.features is not None:
        return rows
    first = next(rows.with_format("arrow").iter(ROWS_AT_ONCE), None)
    if first is None:
        raise ValueError("it has no rows, so its columns are not known")
    return rows.cast(Features.from_arrow_schema(first.schema))


def _audio_column(name: str, features: Features, wanted: str | None) -> str:
    found = [column for column, feature in features.items() if isinstance(feature, Audio)]
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted is None:
        fact = f"has {len(found)} columns of audio" + (f" ({', '.join(found)})" if found else "")
        raise ValueError(f"{name} {fact}: choose by --audio-column one of {', '.join(features)}")
    if wanted not in features:
        raise ValueError(f"{name} has no column {wanted}: choose by --audio-column one of {', '.join(features)}")
    if wanted not in found and features[wanted] not in PATHS:
        raise ValueError(
            f"the column {wanted} of {name} holds {features[wanted]}, not audio: choose another --audio-column"
        )
    return wanted


def _count(builder: datasets.DatasetBuilder, files: DataFilesDict) -> dict[str, int]:
    """Rows of each split, where card or files tell them at little cost."""
    known = {split: info.num_examples for split, info in (builder.info.splits or {}).items() if split in files}
    if not known and isinstance(builder, Parquet) and all(map(os.path.isfile, itertools.chain(*files.values()))):
        return {split: sum(pq.read_metadata(path).num_rows for path in paths) for split, paths in files.items()}
    return known


def _fingerprint(files: DataFilesDict) -> str:
    """Names, sizes and both ends of local files, names and versions of others."""
    digest = hashlib.sha256()
    paths = [(split, path) for split, of_split in files.items() for path in of_split]
    local = [path for _, path in paths if "://" not in path]
    base = os.path.commonpath([os.path.dirname(path) for path in local]) if local else ""
    versions = [version for of_split in files.values() for version in of_split.origin_metadata]
    for (split, path), version in zip(paths, versions, strict=True):
        known = (os.path.relpath(path, base), *_ends(path)) if "://" not in path else (path, *version)
        digest.update(repr((split, known)).encode())
    return f"{len(paths):,} file{'s' * (len(paths) != 1)}, fingerprint {digest.hexdigest()[:16]}"


def _ends(path: str) -> tuple[int, bytes, bytes]:
    """Size, first and last bytes."""
    with open(path, "rb") as file:
        head, size = file.read(SAMPLE), file.seek(0, os.SEEK_END)
        file.seek(max(size - SAMPLE, 0))
        return size, head, file.read(SAMPLE)
