"""Whole datasets: annotate beside the bare network on the same batches, with one worker and two, and beside `pipeline`; memory.

    uv run -m tests.benchmarks.benchmark_annotate
    uv run -m tests.benchmarks.benchmark_annotate memory            # this alone, which a busy machine does not disturb

The network is the checkpoint's, or, for memory, a tiny one. The bare network is given batches that are decoded and padded already; its time is the limit. Memory is the
most that the command and its workers hold together, over datasets that differ in their number of rows alone.
"""

import io
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch
from datasets import Audio, Features, Value
from transformers import pipeline

from modeling.annotation.columns import Columns
from modeling.annotation.output import Folder
from modeling.annotation.source import open_source
from modeling.annotation.work import annotate
from modeling.listener import BATCH, Listener, _batches, computes_in_bfloat16
from modeling.loading import CHECKPOINT, load_model
from tests.benchmarks.interleave import interleave, markdown
from tests.modeling.tiny import save_checkpoint, voice

N_CLIPS, ROUNDS = 512, 3
N_ROWS = (1_000, 10_000, 100_000)
FEATURES = Features({"audio": Audio(), "id": Value("int64")})


def write_clips(path: Path, n_clips: int, seconds: float, n_files: int = 4) -> Path:
    """A Parquet dataset of FLAC clips of about one length; a few voices over and over."""
    clips = []
    for seed in range(32):
        flac = io.BytesIO()
        soundfile.write(flac, voice(seconds * (0.6 + 0.8 * seed / 31), seed=seed), 16_000, format="FLAC")
        clips.append(flac.getvalue())
    path.mkdir()
    for number in range(n_files):
        with pq.ParquetWriter(path / f"train-{number:05d}-of-{n_files:05d}.parquet", FEATURES.arrow_schema) as writer:
            for start in range(number, n_clips, 100 * n_files):
                ids = range(start, min(n_clips, start + 100 * n_files), n_files)
                audio = [{"bytes": clips[index % 32], "path": f"{index}.flac"} for index in ids]
                writer.write_table(pa.table({"audio": audio, "id": list(ids)}, schema=FEATURES.arrow_schema))
    return path


def hear_all(listener: Listener, batches: list[dict]) -> None:
    """The network and nothing else."""
    torch.set_num_threads(1)
    with torch.inference_mode(), listener._precision(listener.dtype):
        for batch in batches:
            listener.model(**batch)


def speed(folder: Path) -> None:
    """Prints the ratios."""
    source = open_source(str(write_clips(folder / "clips", N_CLIPS, 3.0)))
    model, feature_extractor = load_model()
    dtype = torch.bfloat16 if computes_in_bfloat16(model.device) else torch.float32
    listener = Listener(model, feature_extractor, dtype=dtype)
    labels = [model.config.id2label[index] for index in range(model.config.num_labels)]
    columns = Columns(source.features, source.audio_column, labels, model.config.unsure_threshold)
    rows = [row for path in sorted((folder / "clips").iterdir()) for row in pq.read_table(path)["audio"].to_pylist()]
    waveforms = list(listener.decode(rows))
    batches = []
    for start in range(0, len(rows), 128):
        clips = dict(enumerate(waveforms[start : start + 128]))
        for numbers in _batches(clips, BATCH["cpu"] * feature_extractor.sampling_rate):
            batch = [clips[number] for number in numbers]
            batches.append(dict(feature_extractor(batch, sampling_rate=16_000, return_tensors="pt")))

    def run(n_workers: int) -> None:
        shutil.rmtree(folder / "out", ignore_errors=True)
        (folder / "out").mkdir()
        annotate(
            source, Folder(folder / "out"), listener, columns, rows_per_shard=2_000, n_workers=n_workers, report=print
        )

    def bare(n_processes: int) -> None:
        with ProcessPoolExecutor(n_processes, mp_context=get_context("fork")) as pool:
            list(pool.map(partial(hear_all, listener), [batches[start::n_processes] for start in range(n_processes)]))

    def by_pipeline() -> None:
        classify(waveforms, batch_size=8)

    classify = pipeline("audio-classification", model=model, feature_extractor=feature_extractor)
    torch.set_num_threads(1)
    competitors = {
        "bare network, 1 process": partial(bare, 1),
        "annotate, 1 worker": partial(run, 1),
        "bare network, 2 processes": partial(bare, 2),
        "annotate, 2 workers": partial(run, 2),
        "`pipeline` on decoded clips, 1 thread": by_pipeline,
    }
    print(
        f"{N_CLIPS} clips of about 3 s as FLAC in Parquet, {str(dtype)[6:]} but for `pipeline`, which takes float32\n"
    )
    print(markdown(interleave(competitors, ROUNDS), N_CLIPS), "\n", flush=True)


def memory(folder: Path) -> None:
    """Prints the most that a command and its worker held for each number of rows, clips of 0.3 s."""
    save_checkpoint(folder / "model")
    print("| rows | most memory, MB |\n|---:|---:|")
    for n_rows in N_ROWS:
        source = write_clips(folder / f"rows-{n_rows}", n_rows, 0.3)
        options = [source, "--output", folder / f"out-{n_rows}", "--model", folder / "model", "--workers", 1]
        command = [sys.executable, "-m", "modeling.annotate", *map(str, options)]
        process, most = subprocess.Popen(command, stderr=subprocess.DEVNULL), 0
        while process.poll() is None:
            most = max(most, held(process.pid))
            time.sleep(0.5)
        print(f"| {n_rows:,} | {most / 2**20:,.0f} |", flush=True)


def held(process: int) -> int:
    """Bytes that a process and its children hold, what they share counted once."""
    try:
        tree = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
        return sum(one.memory_full_info().pss for one in tree)
    except psutil.Error:  # one of them has just ended
        return 0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory(Path(folder))
        if sys.argv[1:] != ["memory"]:
            print()
            speed(Path(folder))


if __name__ == "__main__":
    print(f"Model: {CHECKPOINT.name}\n")
    main()
