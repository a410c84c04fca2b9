"""Publishes a built corpus as a dataset repository on the Hugging Face Hub.

    uv run -m data_scripts.publish build/corpus --repo-id you/corpus --dry-run    # what would go up; needs no network
    uv run -m data_scripts.publish build/corpus --repo-id you/corpus --private
    uv run -m data_scripts.publish build/corpus --repo-id you/corpus --corpora ravdess crema_d    # without TESS

It needs a token with write access: `hf auth login`, or the environment variable HF_TOKEN. A second run sends only what
changed. The card goes up with the repository's name in its snippets; files that are no longer in the folder leave the repository, whose history keeps them.
"""

import argparse
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from data_scripts.terminal import end_quietly_while_loading, say

if __name__ == "__main__":
    end_quietly_while_loading()

from data_scripts.card import write_card
from data_scripts.corpora import CORPORA
from data_scripts.hub import (
    add_publish_arguments,
    card_metadata,
    check_name,
    copy_to_publish,
    publish_folder,
    replace_text,
    report_errors,
)
from data_scripts.staging import scratch_folder, settled
from modeling.tables_mel_cnn import csv_bytes, csv_rows

CORPUS_FILES = ("README.md", "LICENSE*", "clips.csv", "data/*.parquet")
BUILT_HERE = 'load_dataset("build/corpus"'  # in the card's snippets
NO_DERIVATIVES = (
    "{name} is under {license}: it may be shared, not for profit and not adapted. Whether audio resampled to 16 kHz and "
    "packed with labels is still the same work is yours to decide before you publish it; `--corpora ravdess crema_d` is the "
    "dataset without it."
)


def publish_corpus(
    folder: Path, repo_id: str, *, corpora: Sequence[str] | None = None, synthetic: bool = False, **options
) -> str | None:
    """Publishes a folder that `data_scripts.build` wrote, whole or only some of its corpora.

    Args:
        folder: such as ``build/corpus``.
        repo_id: ``owner/name``.
        corpora: those to publish; all if not given. Card, configs, sizes and ``clips.csv`` follow.
        synthetic: a demo corpus may go up.
        options: ``private``, ``revision``, ``dry_run`` and ``token`` of `publish_folder`.

    Raises:
        ValueError: the folder is not a corpus, or `publish_folder` says why not.
    """
    present = _check_corpus(folder, synthetic)
    chosen = list(corpora or present)
    if unknown := set(chosen) - set(present):
        raise ValueError(f"{folder} does not hold {', '.join(sorted(unknown))}; it holds {', '.join(present)}")
    for name in chosen:
        if "-nd-" in CORPORA[name].LICENSE and not synthetic:
            say(NO_DERIVATIVES.format(name=CORPORA[name].NAME, license=CORPORA[name].SOURCE["license"]))
    check_name(repo_id)
    with ExitStack() as stack:
        if set(chosen) == set(present):
            staged = stack.enter_context(copy_to_publish(folder))
        else:
            folder = settled(folder)
            staged = stack.enter_context(scratch_folder(folder.with_name(f"{folder.name}-to-publish")))
            select_corpora(folder, chosen, staged)
        card = (staged / "README.md").read_text(encoding="utf-8")
        replace_text(staged / "README.md", card.replace(BUILT_HERE, f'load_dataset("{repo_id}"'))
        return publish_folder(staged, repo_id, "dataset", allow=CORPUS_FILES, **options)


def select_corpora(folder: Path, corpora: Sequence[str], output: Path) -> None:
    """Writes a dataset folder with some corpora of another: its Parquet files linked, card and ``clips.csv`` made anew.

    Args:
        folder: a built corpus.
        corpora: those to take.
        output: an empty folder on the same disk.
    """
    metadata = card_metadata(folder)
    header, *rows = csv_rows((folder / "clips.csv").read_bytes())
    of_corpus = header.index("corpus")
    (output / "clips.csv").write_bytes(csv_bytes([row for row in rows if row[of_corpus] in corpora], header))
    for name in corpora:
        for path in folder.glob(f"data/{name}/*.parquet"):
            link = output / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
    num_bytes = {
        (info["config_name"], split["name"]): split["num_bytes"]
        for info in metadata["dataset_info"]
        for split in info["splits"]
        if info["config_name"] in corpora
    }
    facts = [CORPORA[name] for name in sorted(corpora)]
    shortfalls = re.findall(r"^> This build is partial\. (.+)\.$", (folder / "README.md").read_text(), re.MULTILINE)
    shortfalls = [line for line in shortfalls if line.startswith(tuple(f"{corpus.NAME}:" for corpus in facts))]
    write_card(output, num_bytes, facts, shortfalls, "synthetic" in metadata.get("tags", []))


def _check_corpus(folder: Path, synthetic: bool) -> list[str]:
    """The corpora in a folder that is ready to be published."""
    present = [name for name in CORPORA if any(folder.glob(f"data/{name}/*.parquet"))]
    if not present or not (folder / "README.md").is_file():
        raise ValueError(
            f"{folder} is not a built corpus (README.md and data/<corpus>/*.parquet); "
            "make one with `uv run -m data_scripts.build`"
        )
    if "synthetic" in card_metadata(folder).get("tags", []) and not synthetic:
        raise ValueError(
            f"{folder} holds the synthetic demo corpus; nobody needs it on the Hub, publish it with --synthetic"
        )
    return present


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/corpus"), help="default: build/corpus")
    parser.add_argument(
        "--corpora", nargs="+", choices=CORPORA, help="publish only these; all that are there by default"
    )
    parser.add_argument("--synthetic", action="store_true", help="publish a demo corpus, which is refused otherwise")
    add_publish_arguments(parser)
    options = vars(parser.parse_args(arguments))
    report_errors(publish_corpus, **options)


if __name__ == "__main__":
    main()
