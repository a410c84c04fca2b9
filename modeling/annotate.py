# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "datasets>=5.2", "huggingface-hub>=2.4", "pyyaml>=6", "soundfile>=0.13", "soxr>=1.0", "torch>=2.11,<2.15",
#     "torchaudio>=2.11,<2.12", "tqdm>=4.67", "transformers>=5.23",
# ]
# ///
"""Emotions of a whole dataset: rows in, the same rows with answers out, as a dataset that `load_dataset` takes.

    uv run -m modeling.annotate you/corpus --split train --output emotions               # a dataset on the Hub; into a folder
    uv run -m modeling.annotate you/corpus --output hf://datasets/you/emotions           # all splits, to the Hub
    uv run -m modeling.annotate "s3://bucket/shards/*.tar" --output emotions             # WebDataset; any URL of fsspec
    uv run -m modeling.annotate recordings --with-audio --embeddings --output emotions   # a folder of recordings
    uv run -m modeling.annotate clips.parquet --only-new-columns --keep id --output emotions
    uv run torchrun --nproc-per-node 8 -m modeling.annotate you/corpus --output emotions                # a process per GPU
    uv run accelerate launch -m modeling.annotate you/corpus --output emotions                          # the same

The source is streamed, never copied. A row that cannot be heard keeps its place and says why in `problem`. Interrupted or
killed, the same command goes on, with any number of processes; finished shards are not made again. modeling/README.md has
the rest: machines, clusters, jobs.
"""

import argparse
import os
import sys
from pathlib import Path

from data_scripts.terminal import command, end_quietly_while_loading

if __name__ == "__main__":
    end_quietly_while_loading()

import torch
from tqdm import tqdm
from transformers.utils.logging import disable_progress_bar

from modeling.annotation.columns import Columns
from modeling.annotation.output import open_output
from modeling.annotation.shards import Account
from modeling.annotation.source import open_source
from modeling.annotation.terms import agree, make_terms
from modeling.annotation.work import annotate, complete
from modeling.listener import DTYPES, Listener, computes_in_bfloat16
from modeling.loading import CHECKPOINT, load_model
from modeling.tables_mel_cnn import printable

ROWS_PER_SHARD = 2_000  # what a killed process loses at most; with audio, some 200 MB of clips


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    rank, world_size = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    who = f"modeling.annotate, process {rank} of {world_size}" if world_size > 1 else "modeling.annotate"

    def report(line: str) -> None:
        tqdm.write(printable(f"{who}: {line}"), file=sys.stderr)

    disable_progress_bar()
    with command(lambda: f"finished shards are in {options.output}: the same command goes on", who):
        try:
            is_read = run(options, rank, world_size, report)
        except (ValueError, OSError) as error:
            if rank:  # `command` lets the first process speak for all, but each has shards of its own to lose
                report(" ".join(str(error).split()))
            raise
    if not is_read:
        sys.exit(1)


def run(options: argparse.Namespace, rank: int, world_size: int, report) -> bool:
    """What the command line asks for; returns whether all parts of the source could be read."""
    if torch.accelerator.is_available():
        torch.accelerator.set_device_index(int(os.environ.get("LOCAL_RANK", "0")) % torch.accelerator.device_count())
    source = open_source(options.source, options.config, options.split, options.revision, options.audio_column)
    model, feature_extractor = load_model(options.model, options.model_revision)
    fast = computes_in_bfloat16(model.device)
    dtype = options.dtype if options.dtype != "auto" else "bfloat16" if fast else "float32"
    columns = Columns(
        source.features,
        source.audio_column,
        [model.config.id2label[index] for index in range(model.config.num_labels)],
        model.config.unsure_threshold,
        prefix=options.prefix,
        with_audio=options.with_audio,
        kept=options.keep or [] if options.only_new_columns else None,
        embedding_size=model.mel_cnn.pooling.embedding_size if options.embeddings else None,
    )
    if Path(options.source).is_dir() and Path(options.output).resolve().is_relative_to(Path(options.source).resolve()):
        raise ValueError(
            f"the output {options.output} lies in the source, of which it would become a part: choose another"
        )
    output = open_output(options.output, options.private, world_size)
    settings = {"rows_per_shard": options.rows_per_shard, "dtype": dtype, "columns": list(columns.features)}
    # The default is called as in this repository: a path of this machine says nothing to who reads the card.
    model_name = "modeling/checkpoint" if options.model == CHECKPOINT else str(options.model)
    terms = make_terms(source, model_name, options.model_revision, model, settings, options.arguments)
    if columns.prefix and not options.prefix and rank == 0:
        report(f"the source has a column of a new one's name, so all new ones begin with {columns.prefix} (--prefix)")
    terms = agree(output, terms)
    listener = Listener(model, feature_extractor, embeddings=options.embeddings, dtype=DTYPES[dtype])
    is_read = annotate(
        source,
        output,
        listener,
        columns,
        rows_per_shard=options.rows_per_shard,
        rank=rank,
        world_size=world_size,
        n_workers=options.workers,
        report=report,
    )
    accounts = complete(output, source, columns, terms, str(options.model))
    if accounts is None and is_read:
        report(
            f"done; other parts of {output} are still missing: whoever comes last, or this command again, completes it"
        )
    if accounts is not None:
        total = Account.total([account for of_split in accounts.values() for account in of_split])
        report(f"{output} is complete: {total.n_rows:,} rows, {total.n_problems:,} of them with a problem")
    return is_read


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "modeling.annotate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="dataset on the Hub, folder, file or glob, on disk or at a URL"
    )
    parser.add_argument("--output", required=True, metavar="OUT", help="folder, or hf://datasets/OWNER/NAME")
    parser.add_argument("--config", help="configuration of the source, where it has several")
    parser.add_argument("--split", nargs="+", metavar="SPLIT", help="splits to annotate (default: all)")
    parser.add_argument("--revision", help="branch, tag or commit of a source on the Hub")
    parser.add_argument("--audio-column", metavar="COLUMN", help="the column to hear, where it is not clear")
    parser.add_argument("--model", default=CHECKPOINT, help="folder or Hub name (default: modeling/checkpoint)")
    parser.add_argument("--model-revision", metavar="COMMIT", help="commit on the Hub whose code may run")
    parser.add_argument("--embeddings", action="store_true", help="add the pooled embedding, float16")
    parser.add_argument("--with-audio", action="store_true", help="carry the audio as well")
    parser.add_argument("--only-new-columns", action="store_true", help="leave out the columns of the source")
    parser.add_argument("--keep", nargs="+", metavar="COLUMN", help="with --only-new-columns: those to keep as keys")
    parser.add_argument("--prefix", help="stands before the names of the new columns")
    parser.add_argument(
        "--rows-per-shard", type=_count, default=ROWS_PER_SHARD, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--dtype",
        choices=("auto", *DTYPES),
        default="auto",
        help="auto: bfloat16 where the device computes in it, which is faster; float32 gives the digits of `pipeline`",
    )
    parser.add_argument("--workers", type=_count, metavar="N", help="worker processes (default: one per core)")
    parser.add_argument("--private", action="store_true", help="only you see the dataset on the Hub")
    options = parser.parse_args(arguments)
    if options.keep and not options.only_new_columns:
        parser.error("--keep chooses what stays beside --only-new-columns; without that, all columns stay")
    options.arguments = sys.argv[1:] if arguments is None else arguments
    return options


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of them: give 1 or more")
    return number


if __name__ == "__main__":
    main()
