"""Competitors that take turns, so that whatever else the machine does slows all of them alike."""

import time
from collections.abc import Callable
from statistics import median


def interleave(competitors: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds that each competitor took in each round.

    In its turn it runs twice, and the second run counts: as where one clip follows another, its weights are in the caches, which
    the one before it has filled with its own.
    """
    seconds = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, run in competitors.items():
            run()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def markdown(seconds: dict[str, list[float]], n_clips: int = 1) -> str:
    """A table of milliseconds a clip, median and range, and of the ratio to the first competitor."""
    reference = median(next(iter(seconds.values())))
    lines = ["| | ms a clip, median | least | most | ratio |", "|---|---:|---:|---:|---:|"]
    for name, values in seconds.items():
        cells = [f"{1e3 * value / n_clips:.2f}" for value in (median(values), min(values), max(values))]
        lines.append(f"| {name} | {' | '.join(cells)} | {median(values) / reference:.2f} |")
    return "\n".join(lines)
