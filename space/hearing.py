"""What a checkpoint hears in a clip."""

import copy
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from advice import UNLIKE, about_sound, no_voice
from checkpoint import Record, located
from sent import Sent
from sentences import TOO_MANY_FILES
from sound import LONGEST_CLIP, load
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

MOST_FILES = 50  # at once
BATCH_SIZE = 16  # spans of a recording


@dataclass(frozen=True)
class Answer:
    """What the checkpoint says about one clip.

    Args:
        probabilities: Of every label, in the checkpoint's order.
        unsure_threshold: Below this probability of the likeliest label the answer is "not sure".
        advice: Sentences about the recording.
        unlikeness: How unlike the training data it sounds, above 1 more than nearly all that was heard; None where the
            checkpoint does not say.
    """

    probabilities: dict[str, float]
    unsure_threshold: float
    advice: list[str] = field(default_factory=list)
    unlikeness: float | None = None

    @property
    def unlike(self) -> bool:
        """Whether it sounds unlike the training data, as far as the checkpoint says."""
        return self.unlikeness is not None and self.unlikeness > 1

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
            "advice": self.advice,
        }


@dataclass(frozen=True)
class Evidence:
    """What a picture of one clip shows; all of it on the frames of the spectrogram."""

    spectrogram: np.ndarray  # (n_mels, n_frames), normalised log-mel
    evidence: np.ndarray  # (n_mels, n_frames), 0 to 1


class Listener:
    """A checkpoint that is ready to hear.

    Args:
        model_id: A folder, or `owner/name@commit` on the Hub.

    Raises:
        ValueError: The folder holds no checkpoint, or the commit is missing.
    """

    def __init__(self, model_id: str):
        name, revision = located(model_id)
        source = {"revision": revision, "trust_remote_code": True}
        self.model = AutoModelForAudioClassification.from_pretrained(name, **source).eval()
        self.model = self.model.to(memory_format=torch.channels_last)  # batches in half the time on a CPU
        self.feature_extractor = AutoFeatureExtractor.from_pretrained(name, **source)
        self.config = self.model.config
        self.labels = [self.config.id2label[index] for index in range(self.config.num_labels)]
        self.sampling_rate = int(self.config.sampling_rate)
        self.n_parameters = self.model.num_parameters()
        self.record = Record.of(name, revision)
        self.hear(np.zeros(self.sampling_rate, dtype=np.float32))

    @property
    def can_adapt(self) -> bool:
        """Whether the checkpoint can be told a voice beforehand."""
        return hasattr(self.model, "adapt")

    @torch.inference_mode()
    def adapted(self, waveform: np.ndarray) -> "Listener":
        """A listener that hears everything against some ordinary speech of one voice, `(n_samples,)`."""
        other = copy.copy(self)
        other.model = self.model.adapt([waveform]).eval().to(memory_format=torch.channels_last)
        return other

    def read(self, path: str | None, longest: float = LONGEST_CLIP) -> np.ndarray:
        """A file with a voice in it as a waveform, `(n_samples,)`.

        Raises:
            ValueError: In a sentence for the visitor: as `load`, or nobody speaks.
        """
        waveform = load(path, self.feature_extractor, longest)
        if problem := no_voice(waveform, self.sampling_rate):
            raise ValueError(f"{Path(path).name} {problem}")
        return waveform

    def hear_files(self, files: list[Sent] | None) -> list[dict]:
        """A row for each file: its name and its answer, or the problem with it.

        Raises:
            ValueError: There is none, or there are more than `MOST_FILES`.
        """
        check_number(files)
        rows = []
        for file in files:
            try:
                rows.append({"file": file.name, **self.hear(self.read(file.path)).as_row()})
            except ValueError as error:
                rows.append({"file": file.name, "problem": str(error)})
        return rows

    @torch.inference_mode()
    def hear(self, waveform: np.ndarray) -> Answer:
        """Classifies one clip, `(n_samples,)`."""
        outputs = self.model(**self._inputs(waveform))
        unlikeness = getattr(outputs, "unlikeness", None)
        return self.answer(
            outputs.logits[0].float().softmax(-1).tolist(),
            about_sound(waveform, self.sampling_rate),
            None if unlikeness is None else float(unlikeness[0]),
        )

    @torch.inference_mode()
    def hear_spans(self, waveform: np.ndarray, spans: list[tuple[float, float]]) -> np.ndarray:
        """Probabilities in spans of a recording, start and end in seconds, `(n_spans, num_labels)`."""
        order = np.argsort(
            [end - start for start, end in spans]
        )  # clips of like length share a batch with little padding
        probabilities = np.zeros((len(spans), len(self.labels)))
        for batch in np.array_split(order, -(-len(order) // BATCH_SIZE)):
            clips = [self.cut(waveform, *spans[index]) for index in batch]
            logits = self.model(**self._inputs(clips)).logits
            probabilities[batch] = logits.float().softmax(-1).numpy()
        return probabilities

    def cut(self, waveform: np.ndarray, start: float, end: float) -> np.ndarray:
        """The samples of a span in seconds."""
        return waveform[round(start * self.sampling_rate) : round(end * self.sampling_rate)]

    def explain(self, waveform: np.ndarray, answer: Answer) -> Evidence:
        """What in a clip spoke for an answer."""
        inputs = self._inputs(waveform)
        evidence = self.model.saliency(**inputs, label=self.labels.index(answer.emotion))[0]
        with torch.inference_mode():
            spectrogram = self.model.mel_cnn.log_mel(torch.from_numpy(waveform)[None], None)[0][0]
        n_frames = min(evidence.shape[-1], len(waveform) // self.config.hop_length + 1)
        return Evidence(spectrogram[:, :n_frames].numpy(), evidence[:, :n_frames].numpy())

    def answer(
        self, probabilities: list[float], advice: list[str] | None = None, unlikeness: float | None = None
    ) -> Answer:
        """Probabilities in the checkpoint's order as an answer."""
        named = dict(zip(self.labels, probabilities, strict=True))
        # A checkpoint whose unlikeness was never measured gives 0 for every clip.
        answer = Answer(named, self.config.unsure_threshold, list(advice or []), unlikeness or None)
        if answer.unlike:
            answer.advice.append(UNLIKE)
        return answer

    def _inputs(self, waveforms: np.ndarray | list[np.ndarray]) -> dict:
        # Few different lengths keep the convolution kernels that oneDNN caches, and with them the memory, few.
        return self.feature_extractor(
            waveforms, sampling_rate=self.sampling_rate, pad_to_multiple_of=self.sampling_rate // 2, return_tensors="pt"
        )


def check_number(files: list | None) -> None:
    """Refuses no file, and more than `MOST_FILES`.

    Raises:
        ValueError: It is one of the two.
    """
    if not files:
        raise ValueError("Upload one clip or more first.")
    if len(files) > MOST_FILES:
        raise ValueError(TOO_MANY_FILES.format(len(files), MOST_FILES))


def n_processors() -> int:
    """How many cores this process may use: in a container fewer than the machine has, which only Linux says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
