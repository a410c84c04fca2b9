"""Who hears: a model and how it is to listen, to clips as a whole or to recordings of any length in windows.

Clips of similar length are heard together. What is said of some recordings depends on these alone.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import fsspec
import numpy as np
import torch

from modeling.recording_mel_cnn import LONGEST, read_recording, stream_recording
from modeling.speech_mel_cnn import REMEDIES, no_speech, why_no_speech
from modeling.windows import windows

BATCH = {"cpu": 30, "gpu": 1200}  # seconds of audio, padding included, that are heard at once
WAITING = 10  # batches' worth of audio that waits for others of its length
ROUNDING = 0.01  # what bfloat16 can change in a probability: over 1,200 clips of the corpora at most 0.0093
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Source = (
    str | os.PathLike | bytes | dict
)  # what the feature extractor reads: a path, a file's content, an undecoded row


@dataclass
class Heard:
    """What was heard in one recording, in windows; a clip as a whole is one window.

    Args:
        problem: Why nothing was heard, or None. The other fields are empty where there is one.
        spans: Start and end of every window, seconds, `(n_windows, 2)`.
        probabilities: Of every label in the model's order, `(n_windows, n_labels)`; NaN where there is no speech.
        no_speech: Why a window of a timeline can hold no speech, or None, of every window; None for a clip.
        unlikeness: How unlike the training data a clip is; above 1, hardly a clip of the training corpora is. None for
            models without that statistic, and for timelines.
        embedding: Pooled embedding, float16, `(embedding_size,)`, where it was asked for.
    """

    problem: str | None = None
    spans: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    no_speech: list[str | None] | None = None
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
        longest: What is heard of one clip, seconds; longer ones are a problem. A timeline may be of any length.
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

    def answer(self, sources: Sequence[Source]) -> list[Heard]:
        """What is heard in each of them."""
        if self.window:
            return [self._follow(source) for source in sources]
        return self.hear(self.decode(sources))

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
        n_samples = 0
        for number, waveform in enumerate(waveforms):
            heard.append(Heard())
            if isinstance(waveform, str):
                heard[number].problem = waveform
            else:
                waiting[number] = waveform
                n_samples += len(waveform)
            if n_samples > WAITING * self._batch_length:
                self._hear_clips(waiting, heard)
                n_samples = 0
        self._hear_clips(waiting, heard)
        return heard

    @property
    def _batch_length(self) -> float:
        """Samples that are heard at once."""
        return BATCH["cpu" if self.model.device.type == "cpu" else "gpu"] * self.feature_extractor.sampling_rate

    def _follow(self, source: Source) -> Heard:
        """The timeline of a recording, read as a stream."""
        rate = self.feature_extractor.sampling_rate
        length, hop = (round(seconds * rate) for seconds in (self.window, self.hop or self.window))
        spans: list[tuple[float, float]] = []
        problem = name = None

        def spoken() -> Iterator[np.ndarray | str]:
            nonlocal problem, name
            try:
                content, name = _fetched(source)
                for start, window in windows(stream_recording(content, rate, name=name), length, hop):
                    spans.append((start / rate, (start + len(window)) / rate))
                    yield no_speech(window, rate) or window
            except ValueError as error:
                problem = " ".join(str(error).split())

        heard = self.hear(spoken())
        reasons = [one.problem for one in heard]
        if not problem and None not in reasons:
            fact, _ = Counter(reasons).most_common(1)[0]
            problem = f"{name or _called(source)} {fact}. {REMEDIES[fact]}"
        if problem:
            return Heard(problem)
        unknown = np.full((1, self.model.config.num_labels), np.nan, np.float32)
        probabilities = [unknown if one.problem else one.probabilities for one in heard]
        return Heard(spans=np.array(spans), probabilities=np.concatenate(probabilities), no_speech=reasons)

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


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has arithmetic for bfloat16, so that mixed precision is faster and not only smaller."""
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


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
