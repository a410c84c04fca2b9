"""Recordings in, answers out, in order and as they come: the engine under `modeling.predict` and `modeling.annotate`.

Recordings come in chunks. A worker process decodes a chunk and, where the network computes on the CPU, hears it as well, on one
thread of its own: small networks gain less from threads than from processes. A GPU hears in this process what workers have
decoded; timelines, which are read as a stream, are then decoded here too. What is said of a chunk depends on that chunk alone,
not on the number of workers, so that the same chunks give the same bytes again.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from modeling.listener import Heard, Listener, Source

AHEAD = 2  # chunks for every worker that are read before they are asked for

Payload = TypeVar("Payload")


def listen(
    chunks: Iterable[tuple[Payload, Sequence[Source]]],
    listener: Listener,
    n_workers: int | None = None,
    hear_in_workers: bool | None = None,
) -> Iterator[tuple[Payload, list[Heard]]]:
    """Hears chunks of recordings.

    Args:
        chunks: What belongs to a chunk, which is handed back with its answers, and its recordings. Read as they are needed.
        listener: Who hears; with workers, it must not change any more.
        n_workers: Processes that decode; all cores where absent. 0 does all in this process, on as many threads as torch has.
        hear_in_workers: Whether these processes hear as well; they do where the model is on the CPU.

    Yields:
        What belonged to each chunk, and one answer for each of its recordings, in order.

    Raises:
        ValueError: A worker was killed.
    """
    if hear_in_workers is None:
        hear_in_workers = listener.model.device.type == "cpu"
    if n_workers is None:
        n_workers = n_processors()
    if listener.window and not hear_in_workers:
        n_workers, hear_in_workers = 0, True  # a recording of any length is not handed over: who hears it decodes it
    payloads: deque[Payload] = deque()

    def sources() -> Iterator[Sequence[Source]]:
        for payload, recordings in chunks:
            payloads.append(payload)
            yield recordings

    # The "indices" that the loader hands to its workers are the recordings themselves.
    results = torch.utils.data.DataLoader(
        _Work(listener if hear_in_workers else replace(listener, model=None)),
        batch_size=None,
        sampler=sources(),
        num_workers=n_workers,
        prefetch_factor=AHEAD if n_workers else None,
        collate_fn=_as_it_is,
        worker_init_fn=_end_with_parent,
        # A fork shares the model's memory; elsewhere than on Linux a fork is not safe.
        multiprocessing_context="fork" if n_workers and sys.platform == "linux" else None,
    )
    try:
        for result in results:
            yield payloads.popleft(), result if hear_in_workers else listener.hear(result)
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise ValueError("a worker process was killed, for want of memory as a rule: run fewer of them") from error


def n_processors() -> int:
    """Cores for this process: those that it may use, shared with the other processes of its launcher on this machine."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


class _Work(torch.utils.data.Dataset):
    """What a worker does with a chunk: without a model, which would not outlive a fork on a GPU, it only decodes."""

    def __init__(self, listener: Listener):
        self.listener = listener

    def __getitem__(self, sources: Sequence[Source]) -> list[Heard] | list[np.ndarray | str]:
        return list(self.listener.decode(sources)) if self.listener.model is None else self.listener.answer(sources)


def _as_it_is(result):
    return result


def _end_with_parent(_: int) -> None:
    """A worker whose parent was killed would wait for ever for somebody to take its answers."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
