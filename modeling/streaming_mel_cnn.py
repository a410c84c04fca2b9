"""A microphone or a call, heard as it comes."""

from dataclasses import dataclass

import numpy as np
import torch

try:  # who streams at the model's rate needs it not, and transformers demands whatever is imported outside of a `try`
    import soxr
except ImportError:
    soxr = None

STEP = 0.05  # seconds; how finely the stream is looked at, however it is cut into pieces
FRAME, FRAME_STEP = 0.025, 0.010  # seconds of the frames whose level is taken


@dataclass(frozen=True)
class StreamAnswer:
    """What was heard in the last seconds of a stream.

    Args:
        start, end: What was listened to, seconds since the stream began.
        probabilities: Of every label in the model's order, `(num_labels,)`; None where nobody speaks.
        unlikeness: How unlike the training data it sounds, where the model knows; above 1, trust the answer less.
    """

    start: float
    end: float
    probabilities: torch.Tensor | None
    unlikeness: float | None = None


class MelCNNStream:
    """Takes samples in pieces of any length, and answers as soon as there is something to say.

    The answers depend on the samples alone, not on how they were cut into pieces or when they came.

    Args:
        model: A [`MelCNNForAudioClassification`]; `model.stream()` makes a stream of it.
        sampling_rate: Of what is pushed, Hz; the model's where absent.
        window: What an answer hears at most, seconds.
        hop: From one answer to the next, seconds, unless a voice begins or ends in between.
        quiet: Below this level nobody speaks, dB below full scale; a microphone hears the room as well.
        pause: Quiet of this length is silence, seconds.

    Raises:
        ValueError: A length is shorter than `STEP`, or the rate is not positive.
        ImportError: Another rate than the model's needs soxr, which is not installed.

    Example:
        >>> stream = model.stream(sampling_rate=48_000)  # doctest: +SKIP
        >>> for samples in microphone:  # doctest: +SKIP
        ...     for answer in stream.push(samples):
        ...         print(answer.end, answer.probabilities)
    """

    def __init__(
        self,
        model: torch.nn.Module,
        sampling_rate: float | None = None,
        window: float = 3.0,
        hop: float = 0.35,
        quiet: float = -45.0,
        pause: float = 1.0,
    ):
        self.model, self.model_rate = model, model.config.sampling_rate
        self.sampling_rate = self.model_rate if sampling_rate is None else sampling_rate
        if min(window, hop, pause) < STEP or self.sampling_rate <= 0:
            raise ValueError(
                f"window is {window} s, hop {hop} s, pause {pause} s and sampling_rate {self.sampling_rate} Hz, but the "
                f"first three have to be at least {STEP} s, and the rate above 0."
            )
        if self.sampling_rate != self.model_rate and soxr is None:
            raise ImportError(f"{self.sampling_rate} Hz to {self.model_rate} Hz needs soxr: `pip install soxr`.")
        self.step = round(STEP * self.model_rate)
        self.window, self.hop, self.pause = (round(seconds * self.model_rate) for seconds in (window, hop, pause))
        self.quiet = quiet
        self.reset()

    def reset(self) -> None:
        """Forgets all that was heard; the next sample begins a new stream."""
        self.resampler = None
        if self.sampling_rate != self.model_rate:
            self.resampler = soxr.ResampleStream(self.sampling_rate, self.model_rate, 1, dtype="float32")
        self.heard = np.empty(0, np.float32)  # the last that was listened to
        self.coming = np.empty(0, np.float32)  # less than a step
        self.n_heard = 0
        self.answered: int | None = None  # n_heard at the last answer
        self.was_silent = True

    def push(self, samples: np.ndarray | torch.Tensor, latest: bool = False) -> list[StreamAnswer]:
        """Listens on.

        Args:
            samples: The next samples of a mono waveform, floats with full scale at 1.0, `(n_samples,)`, of any number.
            latest: Give the last answer alone: whoever is late catches up, and computes nothing that is past.

        Returns:
            The answers that fell due, mostly none or one.

        Raises:
            ValueError: These are no samples of a mono waveform, or they are not finite.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating) or not np.isfinite(samples).all():
            raise ValueError(
                f"The samples are {samples.dtype} of shape {samples.shape}, but finite floats with full scale at 1.0 of shape "
                "(n_samples,) are needed. Mix channels down to mono; divide 16-bit integers by 32768."
            )
        samples = samples.astype(np.float32, copy=False)
        if self.resampler is not None:
            samples = self.resampler.resample_chunk(samples)
        self.coming = np.concatenate([self.coming, samples])
        n_steps = len(self.coming) // self.step
        steps, self.coming = np.split(self.coming, [n_steps * self.step])
        due = [span for step in steps.reshape(n_steps, self.step) if (span := self._listen(step))]
        return [self._answer(*span) for span in (due[-1:] if latest else due)]

    def _listen(self, step: np.ndarray) -> tuple[np.ndarray | None, float, float] | None:
        """Takes in a step; what an answer that falls due is about (None where nobody speaks), its start and its end."""
        longest = max(self.window, self.pause)
        self.heard = np.concatenate([self.heard, step])[-longest:]
        self.n_heard += len(step)
        silent = bool(np.percentile(_levels(self.heard[-self.pause :], self.model_rate), 90) < self.quiet)
        is_due = self.n_heard - (self.answered or 0) >= self.hop
        changes = self.answered is not None and silent != self.was_silent
        if not is_due and not changes:
            return None
        self.answered, self.was_silent = self.n_heard, silent
        waveform = self.heard[-self.window :]
        start, end = (n_samples / self.model_rate for n_samples in (self.n_heard - len(waveform), self.n_heard))
        return None if silent else waveform, start, end

    @torch.inference_mode()
    def _answer(self, waveform: np.ndarray | None, start: float, end: float) -> StreamAnswer:
        if waveform is None:
            return StreamAnswer(start, end, None)
        outputs = self.model(torch.from_numpy(waveform)[None].to(self.model.device), return_dict=True)
        unlikeness = outputs.get("unlikeness")
        probabilities = outputs.logits[0].float().softmax(-1).cpu()
        return StreamAnswer(start, end, probabilities, None if unlikeness is None else unlikeness[0].item() or None)


def _levels(waveform: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Root mean square of frames, dB below full scale, `(n_frames,)`."""
    frame, step = round(FRAME * sampling_rate), round(FRAME_STEP * sampling_rate)
    energy = np.concatenate([[0.0], np.cumsum(waveform.astype(np.float64) ** 2)])
    starts = np.arange(0, max(len(waveform) - frame, 0) + 1, step)
    power = (energy[np.minimum(starts + frame, len(waveform))] - energy[starts]) / frame
    return 10 * np.log10(np.maximum(power, 0) + 1e-12)


__all__ = ["MelCNNStream", "StreamAnswer"]
