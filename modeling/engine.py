"""Recordings in, answers out, in order and as they come: the engine under `modeling.predict` and `modeling.annotate`.

Recordings come in chunks. A worker process decodes a chunk and, where the network computes on the CPU, hears it as well, on one
thread of its own: small networks gain less from threads than from processes. A GPU hears in this process what workers have
decoded. Within a chunk, clips of similar length are heard together. What is said of a chunk depends on that chunk alone, not on
the number of workers, so that the same chunks give the same bytes again.
"""

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import fsspec
import numpy as np
import torch

from modeling.recording_mel_cnn import LONGEST, read_recording
from modeling.speech_mel_cnn import why_no_speech

BATCH = {"cpu": 30, "gpu": 1200}  # seconds of audio, padding included, that are heard at once
WAITING = 10  # batches' worth of audio that waits for others of its length
ROUNDING = 0.01  # what bfloat16 can change in a probability: over 1,200 clips of the corpora at most 0.0093
AHEAD = 2  # chunks for every worker that are read before they are asked for
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Source = (
    str | os.PathLike | bytes | dict
)  # what the feature extractor reads: a path, a file's content, an undecoded row
Payload = TypeVar("Payload")


@dataclass
class Heard:
    """What was heard in one recording, in windows; a clip as a whole is one window.

    Args:
        problem: Why nothing was heard, or None. The other fields are empty where there is one.
        spans: Start and end of every window, seconds, `(n_windows, 2)`.
        probabilities: Of every label in the model's order, `(n_windows, n_labels)`.
        unlikeness: How unlike the training data a clip is; above 1, hardly a clip of the training corpora is. None for
            models without that statistic, and for timelines.
        embedding: Pooled embedding, float16, `(embedding_size,)`, where it was asked for.
    """

    problem: str | None = None
    spans: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    unlikeness: float | None = None
    embedding: np.ndarray | None = None

    @property
    def duration(self) -> float | None:
        """How much was heard, seconds."""
        return None if self.spans is None else float(self.spans[-1, 1])


@dataclass
class Listener:
    """A model and how it is to listen.

    Args:
        model, feature_extractor: As `modeling.loading.load_model` returns them. The model's order in memory may change.
        window, hop: Length and step of the windows of a timeline, seconds; without them a recording is one clip.
        longest: What is heard of one recording, seconds; longer ones are a problem.
        too_long: What the problem says is to be done about it.
        embeddings: Whether the pooled embedding is wanted.
        dtype: bfloat16 computes the network in mixed precision; the spectrogram is always float32.
    """

    model: torch.nn.Module
    feature_extractor: object
    window: float | None = None
    hop: float | None = None
    longest: float = LONGEST
    too_long: str = "Cut it into pieces."
    embeddings: bool = False
    dtype: torch.dtype = torch.float32

    def __post_init__(self):
        # A sixth faster on a CPU; with fewer channels oneDNN writes past its memory (oneDNN's issue 6035).
        if self.model is not None and self.model.device.type == "cpu" and self.model.config.width >= 16:
            self.model.to(memory_format=torch.channels_last)

    def decode(self, sources: Sequence[Source]) -> Iterator[np.ndarray | str]:
        """Waveforms, or sentences that say what is wrong with a recording."""
        for source in sources:
            try:
                source, name = _fetched(source)
                rate = self.feature_extractor.sampling_rate
                waveform = read_recording(source, rate, self.longest, name, self.too_long).waveform
                problem = why_no_speech(waveform, rate)
                yield f"{name or _called(source)} {problem}" if problem else waveform
            except ValueError as error:
                yield " ".join(str(error).split())

    @torch.inference_mode()
    def hear(self, waveforms: Iterable[np.ndarray | str]) -> list[Heard]:
        """What is heard in each of them, taken one after the other, so that few are held at once."""
        heard: list[Heard] = []
        waiting: dict[int, np.ndarray] = {}
        limit = WAITING * self._batch_length
        for number, waveform in enumerate(waveforms):
            heard.append(Heard())
            if isinstance(waveform, str):
                heard[number].problem = waveform
            elif self.window:
                heard[number] = self._follow(waveform)
            else:
                waiting[number] = waveform
            if sum(map(len, waiting.values())) > limit:
                self._hear_clips(waiting, heard)
        self._hear_clips(waiting, heard)
        return heard

    @property
    def _batch_length(self) -> float:
        """Samples that are heard at once."""
        return BATCH["cpu" if self.model.device.type == "cpu" else "gpu"] * self.feature_extractor.sampling_rate

    def _follow(self, waveform: np.ndarray) -> Heard:
        with self._precision(self.dtype):
            spans, probabilities = self.model.timeline(waveform, self.window, self.hop or self.window)
        return Heard(spans=spans.numpy(), probabilities=probabilities.numpy())

    def _hear_clips(self, waiting: dict[int, np.ndarray], heard: list[Heard]) -> None:
        """Hears what waits. What an answer in bfloat16 leaves open is heard again in full precision."""
        self._classify(waiting, heard, self.dtype)
        if self.dtype == torch.bfloat16:
            open_ones = {
                number: clip for number, clip in waiting.items() if self._is_close(heard[number].probabilities[0])
            }
            self._classify(open_ones, heard, torch.float32)
        waiting.clear()

    def _is_close(self, probabilities: np.ndarray) -> bool:
        """Whether rounding could have decided on the label, or on whether the model is sure."""
        second, first = np.sort(probabilities)[-2:]
        return first - second < 2 * ROUNDING or abs(first - self.model.config.unsure_threshold) < ROUNDING

    def _classify(self, clips: dict[int, np.ndarray], heard: list[Heard], dtype: torch.dtype) -> None:
        rate = self.feature_extractor.sampling_rate
        for numbers in _batches(clips, self._batch_length):
            batch = [clips[number] for number in numbers]
            inputs = self.feature_extractor(batch, sampling_rate=rate, return_tensors="pt").to(self.model.device)
            with self._precision(dtype):
                outputs = self.model(**inputs, return_dict=True)
            probabilities = outputs.logits.float().softmax(-1).cpu().numpy()
            unlikeness = outputs.get("unlikeness")
            embeddings = outputs.pooler_output.to(torch.float16).cpu().numpy() if self.embeddings else None
            for row, number in enumerate(numbers):
                heard[number] = Heard(
                    spans=np.array([[0.0, len(clips[number]) / rate]]),
                    probabilities=probabilities[row : row + 1],
                    unlikeness=None if unlikeness is None else unlikeness[row].item() or None,
                    embedding=None if embeddings is None else embeddings[row],
                )

    def _precision(self, dtype: torch.dtype) -> torch.autocast:
        return torch.autocast(self.model.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


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


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has arithmetic for bfloat16, so that mixed precision is faster and not only smaller."""
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


class _Work(torch.utils.data.Dataset):
    """What a worker does with a chunk: without a model, which would not outlive a fork on a GPU, it only decodes."""

    def __init__(self, listener: Listener):
        self.listener = listener

    def __getitem__(self, sources: Sequence[Source]) -> list[Heard] | list[np.ndarray | str]:
        waveforms = self.listener.decode(sources)
        return list(waveforms) if self.listener.model is None else self.listener.hear(waveforms)


def _as_it_is(result):
    return result


def _fetched(source: Source) -> tuple[Source, str | None]:
    """A recording that lies at a URL as its content; what it is called."""
    if not isinstance(source, dict):
        return source, None
    path = source.get("path")
    name = path and path.split("::")[0].split("/")[-1]
    if source.get("bytes") is None and path and "://" in path:
        try:
            with fsspec.open(path) as file:
                return file.read(), name
        except Exception as error:  # every store has errors of its own
            raise ValueError(f"{path} cannot be fetched: {error}") from error
    return source, name if source.get("bytes") is not None else path


def _called(source: Source) -> str:
    """What a recording is called that has no name of its own: its path, or what the reader calls it."""
    return str(source) if isinstance(source, (str, os.PathLike)) else "the recording"


def _batches(clips: dict[int, np.ndarray], n_samples: float) -> Iterator[list[int]]:
    """Clips of similar length together, as many as stay below `n_samples` with their padding."""
    batch: list[int] = []
    for number in sorted(clips, key=lambda number: len(clips[number])):
        if batch and (len(batch) + 1) * len(clips[number]) > n_samples:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
