"""Tracks of sound and of answers as SVG: sharp at any width, drawn in milliseconds, coloured by the page's own theme."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from hearing import Answer, Evidence
from PIL import Image

COLOURS = ["#7d8799", "#1f9e94", "#d08a00", "#3b76d6", "#d93d42", "#8353cf", "#5b9440", "#d6559b", "#a8663a", "#4f6d7a"]
PEAKS = 250  # columns of a waveform
MOST_COLUMNS = 900  # pixels of a spectrogram or steps of a line; more than a page is wide
INK = np.array([[13, 16, 26], [43, 52, 78], [96, 112, 143], [168, 183, 204], [240, 244, 250]])  # dark to light, RGB


def colour(labels: Sequence[str], label: str) -> str:
    """The colour of a label, by its place among the labels."""
    return COLOURS[list(labels).index(label) % len(COLOURS)]


def track(name: str, note: str, picture: str, size: str = "") -> str:
    """A picture under its name; `size` is "tall" or empty."""
    return (
        f'<figure class="track"><figcaption>{escape(name)} <small>{escape(note)}</small></figcaption>'
        f'<div class="frame {size}">{picture}</div></figure>'
    )


def svg(content: str, description: str, kind: str) -> str:
    """A picture that fills its frame, 1000 wide and 100 high."""
    return (
        f'<svg class="{kind}" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(description)}">{content}</svg>'
    )


def peaks(waveform: np.ndarray) -> np.ndarray:
    """The loudest sample of each column, 0 to 1, at most `PEAKS` of them."""
    chunks = np.array_split(waveform, min(PEAKS, len(waveform)))
    return np.array([np.abs(chunk).max() for chunk in chunks]) / max(np.abs(waveform).max(), 1e-6)


def strengths(evidence: np.ndarray, n_columns: int) -> np.ndarray:
    """How much each column of a waveform spoke for the answer, 0 to 1."""
    strength = evidence.mean(0) / max(evidence.mean(0).max(), 1e-6)
    return np.interp(np.linspace(0, 1, n_columns), np.linspace(0, 1, len(strength)), strength)


def waveform_track(waveform: np.ndarray, evidence: np.ndarray | None = None, shade: str = "") -> str:
    """Peaks in columns; those that spoke for the answer are in its colour."""
    heights = peaks(waveform)
    strength = np.zeros(len(heights)) if evidence is None else strengths(evidence, len(heights))
    width = 1000 / len(heights)
    columns, marks = "", ""
    for index, (peak, marked) in enumerate(zip(heights, strength, strict=True)):
        height = max(96 * peak, 1.5)
        rectangle = f'x="{index * width:.1f}" y="{50 - height / 2:.1f}" width="{0.7 * width:.2f}" height="{height:.1f}"'
        columns += f"<rect {rectangle}/>"
        marks += f'<rect {rectangle} opacity="{marked:.2f}"/>'
    marked = "" if evidence is None else f'<g class="marks" fill="{shade}">{marks}</g>'
    return svg(columns + marked, "Waveform", "waveform")


def spectrogram_pixels(evidence: Evidence, shade: str) -> tuple[np.ndarray, np.ndarray]:
    """The spectrogram, `(n_mels, n_columns, 3)`, and over it what spoke for the answer, `(n_mels, n_columns, 4)`."""
    spectrogram, marked = _narrowed(evidence.spectrogram)[::-1], _narrowed(evidence.evidence)[::-1]
    low, high = np.percentile(spectrogram, [5, 99.5])
    light = np.clip((spectrogram - low) / max(high - low, 1e-6), 0, 1)
    ink = np.stack([np.interp(light, np.linspace(0, 1, len(INK)), INK[:, channel]) for channel in range(3)], axis=-1)
    tint = np.empty((*marked.shape, 4))
    tint[..., :3] = [int(shade[place : place + 2], 16) for place in (1, 3, 5)]
    tint[..., 3] = 215 * np.clip(marked, 0, 1)
    return ink, tint


def spectrogram_track(evidence: Evidence, shade: str) -> str:
    """The spectrogram and what in it spoke for the answer."""
    ink, tint = spectrogram_pixels(evidence, shade)
    return (
        f'<img src="{_png(ink)}" alt="Mel spectrogram, time from left to right, frequency from bottom to top">'
        f'<img class="marks" src="{_png(tint)}" alt="The regions that spoke for the answer">'
    )


def _narrowed(picture: np.ndarray) -> np.ndarray:
    """At most `MOST_COLUMNS` columns, by averaging neighbours."""
    groups = np.array_split(np.arange(picture.shape[1]), min(MOST_COLUMNS, picture.shape[1]))
    return np.stack([picture[:, group].mean(1) for group in groups], axis=1)


def _png(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def line_track(values: np.ndarray, limits: Sequence[float], kind: str) -> str:
    """A line that breaks where values are missing."""
    values = values[:: -(-len(values) // MOST_COLUMNS)]
    x = np.linspace(0, 1000, len(values))
    y = 96 - 92 * np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    path, drawing = "", False
    for across, down in zip(x, y, strict=True):
        if np.isfinite(down):
            path += f"{'L' if drawing else 'M'}{across:.1f} {down:.1f}"
        drawing = bool(np.isfinite(down))
    return svg(f'<path d="{path}" vector-effect="non-scaling-stroke"/>', kind.capitalize(), kind)


def stack(x: float, width: float, answer: Answer | str, labels: Sequence[str]) -> str:
    """One window as a stack of all probabilities."""
    if isinstance(answer, str):
        return f'<rect class="mute" x="{x:.2f}" y="97" width="{width:.2f}" height="3"/>'
    tops = 100 * (1 - np.cumsum(list(answer.probabilities.values())))
    # Each emotion reaches down behind the ones below it, so that no gap shows between two of them.
    return "".join(
        f'<rect fill="{colour(labels, label)}" x="{x:.2f}" y="{top:.1f}" width="{width:.2f}" height="{100 - top:.1f}"/>'
        for label, top in reversed(list(zip(answer.probabilities, tops, strict=True)))
    )


def time_axis(seconds: float) -> str:
    """Five points of time."""
    written = (lambda t: f"{t:.1f} s") if seconds < 120 else clock
    ticks = "".join(f'<span style="left:{25 * place}%">{written(seconds * place / 4)}</span>' for place in range(4))
    return f'<div class="axis">{ticks}<span>{written(seconds)}</span></div>'


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
