"""The emotions of a long recording over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from advice import no_voice
from hearing import Answer, Listener
from sentences import TOO_MANY_WINDOWS
from sound import LONGEST_RECORDING, SILENT_CLIP, TRACK_STEP, load, loudness

MOST_WINDOWS = 900  # of one recording
SHORTEST_WINDOW, LONGEST_WINDOW = 0.5, 30.0  # seconds
SHORTEST_PAUSE = 0.3  # seconds of quiet that part two phrases
SHORTEST_PHRASE = 0.8  # seconds; a shorter one stays with its neighbour
PAUSE_DEPTH = 20.0  # dB below speech; quieter is a pause
SHORTEST_JUDGED = 1.0  # seconds; whether a shorter window holds a voice is not judged
Silence = Literal["silence", "no voice"]


@dataclass(frozen=True)
class Timeline:
    """Start and end (seconds) of every window with its answer, or why there is none."""

    windows: list[tuple[float, float, Answer | Silence]]
    labels: list[str]

    @property
    def n_silent(self) -> int:
        """How many windows have no answer."""
        return sum(isinstance(answer, str) for _, _, answer in self.windows)

    @property
    def overall(self) -> dict[str, float]:
        """Mean probabilities where somebody speaks, by time; empty where nobody does."""
        heard = [(end - start, answer) for start, end, answer in self.windows if isinstance(answer, Answer)]
        if not heard:
            return {}
        seconds, answers = zip(*heard, strict=True)
        mean = np.average([list(answer.probabilities.values()) for answer in answers], axis=0, weights=seconds)
        return dict(zip(self.labels, mean.round(4).tolist(), strict=True))

    def as_rows(self) -> list[dict]:
        """Plain values, as the endpoint returns them."""
        rows = []
        for start, end, answer in self.windows:
            if isinstance(answer, str):
                row = {"emotion": answer, "probability": None, "sure": None, "probabilities": None}
            else:
                row = {key: value for key, value in answer.as_row().items() if key != "advice"}
            rows.append({"start": start, "end": end, **row})
        return rows


def follow(
    listener: Listener, path: str | None, window: float, step: float, pauses: bool = False
) -> tuple[Timeline, np.ndarray]:
    """Follows the emotions through a recording; windows that overlap are smoothed.

    Args:
        listener: What hears.
        path: The recording.
        window: Length of the window that one answer hears, seconds; where the recording is cut at pauses, the longest.
        step: From the start of one window to the next, seconds.
        pauses: Cut at pauses instead of every step.

    Returns:
        The timeline, and the waveform `(n_samples,)`.

    Raises:
        ValueError: As `load`; or window or step are out of range, or make more than `MOST_WINDOWS` windows.
    """
    for name, seconds in (("window", window), ("step", step)):
        if seconds is None or not SHORTEST_WINDOW <= seconds <= LONGEST_WINDOW:
            raise ValueError(f"The {name} is {seconds} s; {SHORTEST_WINDOW} to {LONGEST_WINDOW} s are possible.")
    waveform = load(path, listener.feature_extractor, LONGEST_RECORDING)
    rate = listener.sampling_rate
    spans = phrases(waveform, rate, window) if pauses else windows(len(waveform) / rate, window, step)
    if len(spans) > MOST_WINDOWS:
        raise ValueError(TOO_MANY_WINDOWS.format(f"{step:g}", len(spans), MOST_WINDOWS))
    kinds = [_kind(listener.cut(waveform, *span), rate) for span in spans]
    spoken = [index for index, kind in enumerate(kinds) if kind is None]
    answers: list[Answer | Silence] = list(kinds)
    if spoken:
        heard = [spans[index] for index in spoken]
        for index, values in zip(spoken, smoothed(listener.hear_spans(waveform, heard), heard), strict=True):
            answers[index] = listener.answer(values.tolist())
    rounded = [(round(start, 3), round(end, 3)) for start, end in spans]
    return Timeline([(*span, answer) for span, answer in zip(rounded, answers, strict=True)], listener.labels), waveform


def windows(duration: float, window: float, step: float) -> list[tuple[float, float]]:
    """Spans of equal length; the last one ends with the recording, and a short recording is one span."""
    n_steps = int(np.ceil(max(duration - window, 0) / step - 1e-9))
    starts = np.minimum(np.arange(n_steps + 1) * step, max(duration - window, 0))
    return [(float(start), float(min(start + window, duration))) for start in starts]


def phrases(waveform: np.ndarray, rate: int, longest: float) -> list[tuple[float, float]]:
    """Spans from pause to pause, which together cover the recording; phrases that are longer than `longest` are divided."""
    levels = loudness(waveform, rate)
    quiet = levels < max(np.percentile(levels, 95) - PAUSE_DEPTH, SILENT_CLIP)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet, [0]])))
    # A pause is a span of its own, so that a long one is silence; the phrases keep their soft edges.
    cuts = [0.0]
    for start, end in zip(edges[::2] * TRACK_STEP, edges[1::2] * TRACK_STEP, strict=True):
        if end - start < SHORTEST_PAUSE:
            continue
        bounds = (start + SHORTEST_PAUSE / 3, end - SHORTEST_PAUSE / 3) if end - start > 1 else ((start + end) / 2,)
        cuts += [cut for cut in bounds if cut - cuts[-1] >= SHORTEST_PHRASE]
    duration = len(waveform) / rate
    if len(cuts) > 1 and duration - cuts[-1] < SHORTEST_PHRASE:
        cuts.pop()
    spans = []
    for start, end in zip(cuts, [*cuts[1:], duration], strict=True):
        parts = np.linspace(start, end, max(int(np.ceil((end - start) / longest - 1e-9)), 1) + 1).tolist()
        spans += pairwise(parts)
    return spans


def smoothed(probabilities: np.ndarray, spans: Sequence[tuple[float, float]]) -> np.ndarray:
    """Means over the windows that overlap, by how much they do, `(n_spans, num_labels)`."""
    starts, ends = np.array(spans).T
    shared = np.minimum(ends[:, None], ends) - np.maximum(starts[:, None], starts)
    weights = np.clip(shared, 0, None)
    return weights @ probabilities / weights.sum(axis=1, keepdims=True)


def _kind(waveform: np.ndarray, rate: int) -> Silence | None:
    """Why a window has no answer; None where it has one."""
    if loudness(waveform, rate).max() < SILENT_CLIP:
        return "silence"
    if len(waveform) >= SHORTEST_JUDGED * rate and no_voice(waveform, rate):
        return "no voice"
    return None
