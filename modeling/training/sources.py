"""Where labelled recordings come from: folders of classes, tables of paths, saved datasets, and what `load_dataset` reads."""

import csv
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from datasets import Dataset, DatasetDict, get_dataset_config_names, load_dataset, load_from_disk
from datasets.config import DATASET_STATE_JSON_FILENAME, DATASETDICT_JSON_FILENAME
from datasets.data_files import SPLIT_KEYWORDS
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub import DatasetCard
from huggingface_hub.errors import (
    HFValidationError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from yaml import YAMLError

from data_scripts.terminal import listed
from modeling.recordings import is_audio_name, is_hidden, walk_files

SPLIT_FOLDERS = {name: str(split) for split, names in SPLIT_KEYWORDS.items() for name in names}  # such as val and dev
TABLES = (".csv", ".tsv", ".jsonl")
PATH_COLUMNS = ("file_name", "path", "file", "filename", "audio_path", "file_path", "wav")  # beside --audio_column_name
BUILT = (".parquet", ".arrow", ".tar")  # files that `load_dataset` reads whole
READ_BY_DATASETS = (".json", ".jsonl", ".csv", ".tsv", ".zip", ".gz")
FORMS = (
    "folders of audio named as their classes, a table (.csv, .tsv, .jsonl) with the paths and labels of recordings, a dataset "
    "saved by save_to_disk or as Parquet, or the name of a dataset on the Hub"
)


def load_splits(name: str, config: str | None, audio_column: str, report: Callable[[str], None]) -> DatasetDict:
    """Loads a dataset in any of the forms in which people have it.

    Args:
        name: A folder, a file, or a name on the Hub.
        config: Configuration, where there are several.
        audio_column: Column of a table in which the recordings' paths may stand; what holds them is called so afterwards.
        report: Told what was left out and why.

    Raises:
        ValueError: There is nothing of the kind, or classes or paths are unclear.
    """
    path = Path(name)
    if path.is_file() and path.suffix.lower() in TABLES:
        return _load_tables([path], path.parent, audio_column, report)
    if path.is_file() and path.suffix.lower() in (*BUILT, ".json"):
        kind = {".tar": "webdataset"}.get(path.suffix.lower(), path.suffix[1:].lower())
        return _load(kind, None, name, data_files=name)
    if path.is_file():
        raise ValueError(f"--dataset_name {name} is a file that ends in {path.suffix!r}. Name {FORMS}.")
    if (path / DATASETDICT_JSON_FILENAME).is_file() or (path / DATASET_STATE_JSON_FILENAME).is_file():
        return _load_saved(path)
    if not path.is_dir():
        return _load(name, config, name)
    files = list(walk_files(path))
    if any(file.suffix in BUILT for file in files) or "configs" in load_card(name):
        return _load(name, config, name)
    if tables := [file for file in files if _is_table_of(path, file, audio_column)]:
        return _load_tables(tables, path, audio_column, report)
    if any(is_audio_name(file.name) for file in files):
        return _load_folder_of_classes(path, files, report)
    if any(file.suffix.lower() in READ_BY_DATASETS for file in files) or Path(path, f"{path.name}.py").is_file():
        return _load(name, config, name)
    kinds = ", ".join(sorted({file.suffix.lower() or file.name for file in files})) or "nothing at all"
    raise ValueError(f"--dataset_name {name} holds no recording, but {kinds}. Name {FORMS}.")


def load_card(dataset_name: str) -> dict:
    """The metadata of a dataset's card, on disk or on the Hub; {} without one, and where there is no such dataset.

    Raises:
        ValueError: It is not readable, or the Hub is out of reach, so that nobody knows whether there is one.
    """
    card = Path(dataset_name, "README.md")
    if os.path.exists(dataset_name) and not card.is_file():
        return {}
    try:
        return DatasetCard.load(card if card.is_file() else dataset_name).data.to_dict()
    except (RemoteEntryNotFoundError, RepositoryNotFoundError, HFValidationError):
        return {}
    except LocalEntryNotFoundError as error:
        raise ValueError(
            f"--dataset_name {dataset_name}: its card, which states its licence, is not in the Hub's cache, and the Hub is "
            "out of reach. Go online once, or name a copy of the dataset on disk."
        ) from error
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", at line {mark.line + 2}" if mark else ""
        raise ValueError(
            f"--dataset_name {dataset_name}: the metadata between the lines of --- in its README.md is no YAML{line}. Correct "
            "or remove it."
        ) from error


def _load(name: str, config: str | None, called: str, **options) -> DatasetDict:
    """What `load_dataset` reads; where it cannot, that is said in words of the user's."""
    try:
        return load_dataset(name, config, **options)
    except DatasetNotFoundError as error:
        raise ValueError(
            f"--dataset_name {called}: there is no such file or folder, and no dataset of this name on the Hub that can be "
            f"read. Name {FORMS}."
        ) from error
    except ConnectionError as error:
        raise ValueError(
            f"--dataset_name {called}: there is no such file or folder, and the Hub is out of reach. Name {FORMS}."
        ) from error
    except Exception as error:  # whatever the reader of a format says
        if "script" in str(error):
            raise ValueError(
                f"--dataset_name {called} brings a script that would load it, and scripts are not run. Save what it gives "
                "as Parquet, and name that."
            ) from error
        configs = _configs(name) if not options else []
        if len(configs) > 1 and config not in configs:
            asked = "no --dataset_config_name is given" if config is None else f"--dataset_config_name is {config}"
            raise ValueError(f"--dataset_name {called}: {asked}; it has {', '.join(configs)}. Choose one.") from error
        raise ValueError(f"--dataset_name {called} cannot be read as a dataset. Name {FORMS}.") from error


def _configs(name: str) -> list[str]:
    try:
        return get_dataset_config_names(name)
    except Exception:  # noqa: BLE001 (the dataset is broken, which is about to be said)
        return []


def _load_saved(path: Path) -> DatasetDict:
    try:
        saved = load_from_disk(str(path))
    except Exception as error:  # whatever the reader of Arrow says
        raise ValueError(
            f"--dataset_name {path} was saved by save_to_disk, but is not whole. Save it again."
        ) from error
    return saved if isinstance(saved, DatasetDict) else DatasetDict({str(saved.split or "train"): saved})


def _is_table_of(folder: Path, file: Path, audio_column: str) -> bool:
    """Whether a file lists recordings: beside them or in the folder of a split, with a column of paths."""
    near = file.parent == folder or (file.parent.parent == folder and file.parent.name in SPLIT_FOLDERS)
    return near and file.suffix.lower() in TABLES and _path_column(_columns(file), audio_column) is not None


def _columns(table: Path) -> list[str]:
    return list(next(iter(_rows(table)), {}))


def _path_column(columns: list[str], audio_column: str) -> str | None:
    return next((name for name in (audio_column, *PATH_COLUMNS) if name in columns), None)


def _rows(table: Path) -> Iterator[dict]:
    """The rows of a table as text; what is empty is None."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            if table.suffix.lower() == ".jsonl":
                yield from (dict(json.loads(line)) for line in file if line.strip())
                return
            header = file.readline()
            file.seek(0)
            separator = max("\t;,", key=header.count)  # spreadsheets of many countries write semicolons
            for row in csv.DictReader(file, delimiter=separator, restkey="", restval=None):
                yield {name: value or None for name, value in row.items() if name}
    except (ValueError, TypeError, csv.Error, UnicodeError) as error:
        raise ValueError(f"{table} is no table in UTF-8: a row of it cannot be read. Save it again as CSV.") from error


def _load_tables(tables: list[Path], folder: Path, audio_column: str, report: Callable[[str], None]) -> DatasetDict:
    """Recordings that tables name, by paths from the table's own folder."""
    splits, named = {}, set()
    for table in tables:
        rows = list(_rows(table))
        columns = list(dict.fromkeys(name for row in rows for name in row))
        paths = _path_column(columns, audio_column)
        if paths is None:
            raise ValueError(
                f"{table} has the columns {', '.join(columns) or 'of no row'}, and none with the recordings' paths: call one "
                f"{audio_column}, or name it by --audio_column_name."
            )
        for row in rows:
            path = row.pop(paths)
            source = None if path is None else str(_located(table.parent, str(path)))
            named.add(source)
            split = _split_of(table, str(path), row.get("split"), alone=len(tables) == 1 and table.parent == folder)
            splits.setdefault(split, []).append(
                {audio_column: source, **{name: row.get(name) for name in columns if name != paths}}
            )
    unnamed = [file for file in walk_files(folder) if is_audio_name(file.name) and str(file) not in named]
    if unnamed:
        report(f"left out, recordings in {folder} that no table names: {len(unnamed)}, such as {unnamed[0].name}")
    if not splits:
        raise ValueError(f"{', '.join(map(str, tables))}: no row follows the header. Add rows, or name another table.")
    return DatasetDict({split: Dataset.from_list(rows) for split, rows in splits.items()})


def _located(folder: Path, path: str) -> Path:
    """A path of a table, which may have been written on another system."""
    found = folder / path
    return found if found.exists() or "\\" not in path else folder / path.replace("\\", "/")


def _split_of(table: Path, path: str, named: str | None, alone: bool) -> str:
    """The split of a row: by its own column, by the table's name or folder, or by the recording's folder."""
    if named is not None:
        return SPLIT_FOLDERS.get(named.lower(), named)
    if not alone:
        for name in (table.stem.lower(), table.parent.name.lower()):
            if name in SPLIT_FOLDERS:
                return SPLIT_FOLDERS[name]
    return SPLIT_FOLDERS.get(path.replace("\\", "/").split("/")[0].lower(), "train")


def _load_folder_of_classes(folder: Path, files: list[Path], report: Callable[[str], None]) -> DatasetDict:
    """What `load_dataset("audiofolder")` gives, which knows fewer suffixes, and needs torchcodec even to list the files."""
    splits, problems, others, without_audio = {}, [], Counter(), defaultdict(set)
    for path in sorted(files):
        *above, name = path.relative_to(folder).parts
        of_class = len(above) == 1 or (len(above) == 2 and above[0].lower() in SPLIT_FOLDERS)
        if not is_audio_name(name):
            others[path.suffix.lower() or name] += 1
            if of_class:
                without_audio[path.parent].add(path.suffix.lower() or name)
        elif of_class:
            split = "train" if len(above) == 1 else SPLIT_FOLDERS[above[0].lower()]
            rows = splits.setdefault(split, {"audio": [], "label": []})
            rows["audio"].append(str(path))
            rows["label"].append(above[-1])
        else:
            where = f"lies {len(above)} folders deep" if above else "lies beside the folders of the classes"
            problems.append(
                f"{path} {where}, so its class is unclear: one sub-folder of audio per class is needed, in {folder} itself or "
                "in its train, validation and test"
            )
    with_audio = {Path(path).parent for rows in splits.values() for path in rows["audio"]}
    for parent, found in without_audio.items():
        if parent not in with_audio and parent.name.lower() not in SPLIT_FOLDERS:
            problems.append(
                f"{parent} holds no recording, but {', '.join(sorted(found))}, so a class may be missing: save its recordings "
                "as WAV, FLAC, MP3, OGG or M4A, or move the folder elsewhere"
            )
    if problems:
        raise ValueError(listed(problems, f"--dataset_name {folder}"))
    if others:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(others.items()))
        report(f"left out, no recordings by their names: {kinds}")
    empty = [
        part.name
        for part in sorted(folder.iterdir())
        if part.is_dir() and not is_hidden(part.name) and not any(walk_files(part))
    ]
    if empty:
        report(f"left out, empty folders: {', '.join(empty)}")
    return DatasetDict({split: Dataset.from_dict(rows) for split, rows in splits.items()})
