"""Where a checkpoint is, and what its own files say about it."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from huggingface_hub import metadata_load
from transformers.utils import cached_file

HERE = Path(__file__).absolute().parent  # not resolve(): in the Hub's cache the files are links to elsewhere


@dataclass(frozen=True)
class Record:
    """What a checkpoint brings along: nothing that the page says of it is written down anywhere else.

    Args:
        evaluation: `evaluation.json`, None where there is none.
        study: `study.json`: other protocols, degraded sound; empty where there is none.
        licences: Identifiers, from the card.
        datasets: Names on the Hub, from the card.
        terms: The first paragraph of the card's "Licence".
        published: Name and commit on the Hub, None for a folder.
    """

    evaluation: dict | None = None
    study: dict = field(default_factory=dict)
    licences: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    terms: str = ""
    published: tuple[str, str] | None = None

    @classmethod
    def of(cls, name: str, revision: str | None) -> "Record":
        """The record of a folder, or of a commit on the Hub."""

        def found(file: str) -> Path | None:
            path = cached_file(name, file, revision=revision, _raise_exceptions_for_missing_entries=False)
            return Path(path) if path else None

        evaluation, study, card = found("evaluation.json"), found("study.json"), found("README.md")
        metadata = (metadata_load(card) if card else None) or {}
        return cls(
            json.loads(evaluation.read_text()) if evaluation else None,
            json.loads(study.read_text()) if study else {},
            _listed(metadata.get("license")),
            _listed(metadata.get("datasets")),
            _first_paragraph(card.read_text(encoding="utf-8"), "Licence") if card else "",
            (name, revision) if revision else None,
        )


def located(model_id: str) -> tuple[str, str | None]:
    """Name and revision of a checkpoint; a folder has no revision.

    Raises:
        ValueError: The folder holds no checkpoint, or the commit is missing.
    """
    if Path(model_id).is_dir():
        if not Path(model_id, "config.json").is_file():
            raise ValueError(f"{model_id} holds no checkpoint (no config.json). Name a folder that train.py wrote.")
        return model_id, None
    name, _, revision = model_id.partition("@")
    if not revision:
        raise ValueError(
            f"{model_id} is neither a folder nor owner/name@commit. The checkpoint brings its own code, so say which "
            "commit of it is trusted."
        )
    return name, revision


def model_id(here: Path = HERE) -> str:
    """The checkpoint to serve: from the environment, from `model_id.txt`, or this repository's own.

    Raises:
        ValueError: None of them is there.
    """
    if chosen := os.environ.get("MODEL_ID"):
        return chosen
    if (pinned := here / "model_id.txt").is_file():
        return pinned.read_text().strip()
    for folder in (here.parent / "modeling/checkpoint", here.parent / "build/model"):
        if (folder / "config.json").is_file():
            return str(folder)
    raise ValueError(
        "There is no checkpoint to serve. Set MODEL_ID to a folder or to owner/name@commit, or train one: uv run train.py"
    )


def _listed(names: str | list[str] | None) -> list[str]:
    """A card states one licence or dataset, several, or none."""
    return np.atleast_1d(names or []).tolist()


def _first_paragraph(card: str, heading: str) -> str:
    """What stands below a heading of a card; empty where it has none."""
    found = re.search(rf"^## {heading}\n+(.+?)\s*(\n\n|\Z)", card, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""
