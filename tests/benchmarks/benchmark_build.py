"""How fast the build is, and that its memory does not grow with the number of clips.

    uv run -m tests.benchmarks.benchmark_build

Three-second clips in the three corpora's own formats (48 kHz, 24,414 Hz and 16 kHz, 16-bit WAV) are decoded, mixed down,
resampled, encoded and written by the build's own writer; the records of a few files are repeated to make up the number.
"""

import multiprocessing
import os
import tempfile
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from data_scripts import crema_d, ravdess, tess
from data_scripts.build import write_tables
from tests.miniature_corpora import write_clip

N_CLIPS = (1_000, 8_000, 30_000)
SECONDS = 3.0
SOURCES = (
    (ravdess, "03-01-05-01-01-01-05", 48_000),
    (tess, "OAF_back_sad", 24_414),
    (crema_d, "1002_DFA_ANG_XX", 16_000),
)


def main() -> None:
    print(f"Build of {SECONDS:g}-second clips, {os.cpu_count()} threads\n")
    print("| clips | clips/s | peak memory (MB) |\n|---:|---:|---:|")
    for n_clips in N_CLIPS:
        clips_per_second, peak = measure(n_clips)
        print(f"| {n_clips:,} | {clips_per_second:.0f} | {peak / 1e6:.0f} |", flush=True)


def measure(n_clips: int) -> tuple[float, int]:
    """Runs the writer in a process of its own; clips per second and the peak of its resident memory in bytes."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=write, args=(n_clips, sender))
    process.start()
    watched, peak = psutil.Process(process.pid), 0
    while not receiver.poll(0.05):
        if not process.is_alive():
            raise RuntimeError(f"the build of {n_clips} clips ended with exit status {process.exitcode}")
        peak = max(peak, watched.memory_info().rss)
    seconds = receiver.recv()
    process.join()
    return n_clips / seconds, peak


def write(n_clips: int, sender: Connection) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        share = n_clips // len(SOURCES) + 1
        clips = {}
        for corpus, stem, sampling_rate in SOURCES:
            path = write_clip(folder / "raw" / f"{stem}.wav", 220, SECONDS, sampling_rate)
            clip = replace(corpus.parse(stem), path=path)
            clips[clip.corpus] = [replace(clip, stem=f"{stem}_{index:05d}") for index in range(share)]
        start = time.perf_counter()
        write_tables(clips, folder, os.cpu_count())
        sender.send(time.perf_counter() - start)


if __name__ == "__main__":
    main()
