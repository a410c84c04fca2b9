"""What a checkpoint hears in a clip, in a recording, and in a microphone."""

import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from huggingface_hub import metadata_load
from sound import LONGEST_RECORDING, SILENT_CLIP, load, loudness
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
from transformers.utils import cached_file

MOST_WINDOWS = 900  # of one recording
SHORTEST_WINDOW, LONGEST_WINDOW = 0.5, 30.0  # seconds
MOST_FILES = 50  # at once
LIVE_WINDOW = 3.0  # seconds that a live answer hears
LIVE_PAUSE = 1.0  # seconds of quiet that are silence
LIVE_UPDATE = 0.35  # seconds from one live answer to the next, unless a voice begins or ends
LIVE_MEMORY = 60.0  # seconds
SILENT_ROOM = -45.0  # dB below full scale; a live microphone hears the room as well


@dataclass(frozen=True)
class Answer:
    """What the checkpoint says about one clip."""

    probabilities: dict[str, float]
    unsure_threshold: float

    @property
    def emotion(self) -> str:
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def probability(self) -> float:
        return self.probabilities[self.emotion]

    @property
    def sure(self) -> bool:
        return self.probability >= self.unsure_threshold

    def as_row(self) -> dict:
        """Plain values, as the endpoints return them."""
        rounded = {label: round(probability, 4) for label, probability in self.probabilities.items()}
        return {
            "emotion": self.emotion,
            "probability": round(self.probability, 4),
            "sure": self.sure,
            "probabilities": rounded,
        }


@dataclass(frozen=True)
class Evidence:
    """What a picture of one clip shows; all of it on the frames of the spectrogram."""

    spectrogram: np.ndarray  # (n_mels, n_frames), normalised log-mel
    evidence: np.ndarray  # (n_mels, n_frames), 0 to 1


@dataclass(frozen=True)
class Timeline:
    """Start and end (seconds) of every window with its answer, None where nobody speaks."""

    windows: list[tuple[float, float, Answer | None]]
    labels: list[str]

    @property
    def n_silent(self) -> int:
        return sum(answer is None for _, _, answer in self.windows)

    @property
    def overall(self) -> dict[str, float]:
        """Mean probabilities where somebody speaks; empty where nobody does."""
        heard = [list(answer.probabilities.values()) for _, _, answer in self.windows if answer]
        return dict(zip(self.labels, np.mean(heard, axis=0).round(4).tolist(), strict=True)) if heard else {}

    def as_rows(self) -> list[dict]:
        """Plain values, as the endpoint returns them."""
        silence = {"emotion": "silence", "probability": None, "sure": None, "probabilities": None}
        return [
            {"start": start, "end": end, **(answer.as_row() if answer else silence)}
            for start, end, answer in self.windows
        ]


@dataclass
class Microphone:
    """What one visitor's microphone has sent: a few seconds of sound and a minute of answers."""

    sound: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float32))  # at the microphone's rate
    history: list[tuple[float, Answer | None]] = field(default_factory=list)  # time in seconds, None for silence
    answered: float = 0.0  # time of the last answer, seconds

    def hear(self, path: str, listener: "Listener") -> bool:
        """Takes in one piece of sound; True where there is a new answer at the end of the history."""
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        now = time.monotonic()
        if now - self.answered > LIVE_WINDOW:
            self.sound = self.sound[:0]
        self.sound = np.concatenate([self.sound, samples.mean(1)])[-round(LIVE_WINDOW * rate) :]
        if not len(self.sound):
            return False
        silent = np.percentile(loudness(self.sound[-round(LIVE_PAUSE * rate) :], rate), 90) < SILENT_ROOM
        was_silent = not self.history or self.history[-1][1] is None
        if now - self.answered < LIVE_UPDATE and silent == was_silent:
            return False
        self.answered = now
        answer = None if silent else listener.hear(soxr.resample(self.sound, rate, listener.sampling_rate))
        self.history = [entry for entry in self.history if now - entry[0] < LIVE_MEMORY] + [(now, answer)]
        return True


class Listener:
    """A checkpoint that is ready to hear.

    Args:
        model_id: A folder, or `owner/name@commit` on the Hub.

    Raises:
        ValueError: The folder holds no checkpoint, or the commit is missing.
    """

    def __init__(self, model_id: str):
        name, revision = _located(model_id)
        source = {"revision": revision, "trust_remote_code": True}
        self.model = AutoModelForAudioClassification.from_pretrained(name, **source).eval()
        self.model = self.model.to(memory_format=torch.channels_last)  # batches in half the time on a CPU
        self.feature_extractor = AutoFeatureExtractor.from_pretrained(name, **source)
        self.config = self.model.config
        self.labels = [self.config.id2label[index] for index in range(self.config.num_labels)]
        self.sampling_rate = int(self.config.sampling_rate)
        found = cached_file(name, "evaluation.json", revision=revision, _raise_exceptions_for_missing_entries=False)
        self.evaluation = json.loads(Path(found).read_text()) if found else None
        card = cached_file(name, "README.md", revision=revision, _raise_exceptions_for_missing_entries=False)
        metadata = (metadata_load(card) if card else None) or {}
        self.licences, self.datasets = _listed(metadata.get("license")), _listed(metadata.get("datasets"))
        self.terms = _first_paragraph(Path(card).read_text(encoding="utf-8"), "Licence") if card else ""
        self.published = (name, revision) if revision else None
        self.hear(np.zeros(self.sampling_rate, dtype=np.float32))

    def hear_files(self, paths: list[str] | None) -> list[dict]:
        """A row for each file: its name and its answer, or the problem with it.

        Raises:
            ValueError: There is none, or there are more than `MOST_FILES`.
        """
        if not paths:
            raise ValueError("Upload one clip or more first.")
        if len(paths) > MOST_FILES:
            raise ValueError(f"These are {len(paths)} files; {MOST_FILES} is the most at once. Upload fewer.")
        rows = []
        for path in paths:
            try:
                rows.append({"file": Path(path).name, **self.hear(load(path, self.feature_extractor)).as_row()})
            except ValueError as error:
                rows.append({"file": Path(path).name, "problem": str(error)})
        return rows

    @torch.inference_mode()
    def hear(self, waveform: np.ndarray) -> Answer:
        """Classifies one clip, `(n_samples,)`."""
        logits = self.model(**self._inputs(waveform)).logits[0]
        return self._answer(logits.float().softmax(-1).tolist())

    def explain(self, waveform: np.ndarray, answer: Answer) -> Evidence:
        """What in a clip spoke for an answer."""
        inputs = self._inputs(waveform)
        evidence = self.model.saliency(**inputs, label=self.labels.index(answer.emotion))[0]
        with torch.inference_mode():
            spectrogram = self.model.mel_cnn.log_mel(torch.from_numpy(waveform)[None], None)[0][0]
        n_frames = min(evidence.shape[-1], len(waveform) // self.config.hop_length + 1)
        return Evidence(spectrogram[:, :n_frames].numpy(), evidence[:, :n_frames].numpy())

    def follow(self, path: str | None, window: float, step: float) -> "Timeline":
        """Follows the emotions through a recording.

        Args:
            path: The recording.
            window: Length of the window that one answer hears, seconds.
            step: From the start of one window to the next, seconds.

        Raises:
            ValueError: As `load`; or window or step are out of range, or make more than `MOST_WINDOWS` windows.
        """
        for name, seconds in (("window", window), ("step", step)):
            if seconds is None or not SHORTEST_WINDOW <= seconds <= LONGEST_WINDOW:
                raise ValueError(f"The {name} is {seconds} s; {SHORTEST_WINDOW} to {LONGEST_WINDOW} s are possible.")
        waveform = load(path, self.feature_extractor, LONGEST_RECORDING)
        n_windows = len(waveform) / self.sampling_rate / step
        if n_windows > MOST_WINDOWS:
            raise ValueError(
                f"A step of {step:g} s makes {n_windows:.0f} windows of this recording; {MOST_WINDOWS} is the most. "
                "Choose a longer step."
            )
        spans, probabilities = self.model.timeline(torch.from_numpy(waveform), window, step)
        answers = []
        for (start, end), values in zip(spans.tolist(), probabilities.tolist(), strict=True):
            heard = waveform[round(start * self.sampling_rate) : round(end * self.sampling_rate)]
            silent = loudness(heard, self.sampling_rate).max() < SILENT_CLIP
            answers.append((round(start, 3), round(end, 3), None if silent else self._answer(values)))
        return Timeline(answers, self.labels)

    def _inputs(self, waveform: np.ndarray) -> dict:
        # Few different lengths keep the convolution kernels that oneDNN caches, and with them the memory, few.
        return self.feature_extractor(
            waveform, sampling_rate=self.sampling_rate, pad_to_multiple_of=self.sampling_rate // 2, return_tensors="pt"
        )

    def _answer(self, probabilities: list[float]) -> Answer:
        return Answer(dict(zip(self.labels, probabilities, strict=True)), self.config.unsure_threshold)


def n_processors() -> int:
    """How many cores this process may use: in a container fewer than the machine has, which only Linux says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _listed(names: str | list[str] | None) -> list[str]:
    """A card states one licence or dataset, several, or none."""
    return np.atleast_1d(names or []).tolist()


def _first_paragraph(card: str, heading: str) -> str:
    """What stands below a heading of a card; empty where it has none."""
    found = re.search(rf"^## {heading}\n+(.+?)\s*(\n\n|\Z)", card, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def _located(model_id: str) -> tuple[str, str | None]:
    """Name and revision of a checkpoint; a folder has no revision."""
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
