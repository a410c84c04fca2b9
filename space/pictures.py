"""Answers as HTML and SVG: sharp at any width, drawn in milliseconds, coloured by the page's own light or dark theme."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from hearing import LIVE_MEMORY, LIVE_UPDATE, LIVE_WINDOW, Answer, Evidence, Timeline
from PIL import Image
from sound import HIGHEST_PITCH, LOWEST_PITCH

COLOURS = ["#7d8799", "#1f9e94", "#d08a00", "#3b76d6", "#d93d42", "#8353cf", "#5b9440", "#d6559b", "#a8663a", "#4f6d7a"]
MOST_COLUMNS = 900  # pixels of a spectrogram or steps of a line; more than a page is wide
INK = np.array([[13, 16, 26], [43, 52, 78], [96, 112, 143], [168, 183, 204], [240, 244, 250]])  # dark to light, RGB
LOUDNESS_RANGE = (-60.0, 0.0)  # dB below full scale


def colour(labels: Sequence[str], label: str) -> str:
    """The colour of a label, by its place among the labels."""
    return COLOURS[list(labels).index(label) % len(COLOURS)]


def hint(text: str) -> str:
    """What will be here."""
    return f'<p class="hint">{escape(text)}</p>'


def sentence(text: str) -> str:
    """What went wrong."""
    return f'<p class="sentence" role="alert">{escape(text)}</p>'


def headline(answer: Answer, labels: Sequence[str]) -> str:
    """The answer in words."""
    share = f"{answer.probability:.0%}"
    dot = f'<span class="dot" style="background:{colour(labels, answer.emotion)}"></span>'
    if answer.sure:
        return f'<h2 class="headline">{dot}{escape(answer.emotion.capitalize())} <small>{share} sure</small></h2>'
    return (
        f'<h2 class="headline">{dot}Not sure <small>closest: {escape(answer.emotion)}, {share}; '
        f"below {answer.unsure_threshold:.0%} I do not commit myself</small></h2>"
    )


def bars(probabilities: dict[str, float], labels: Sequence[str], caption: str) -> str:
    """Probabilities, or other shares of one, as bars."""
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td><span class="bar" style="width:{100 * share:.1f}%;'
        f'background:{colour(labels, label)}"></span></td><td class="figure">{100 * share:.0f} %</td></tr>'
        for label, share in probabilities.items()
    )
    return f'<table class="bars"><caption>{escape(caption)}</caption><tbody>{rows}</tbody></table>'


def clip(
    answer: Answer, evidence: Evidence, waveform: np.ndarray, levels: np.ndarray, pitches: np.ndarray, labels, rate: int
) -> str:
    """Everything about one clip: answer, probabilities, and the four tracks over one time axis.

    Args:
        answer: What was heard.
        evidence: Where in the spectrogram it was heard.
        waveform: `(n_samples,)` at `rate` Hz.
        levels: Loudness, dB, `(n_track_frames,)`.
        pitches: Fundamental frequency, Hz, NaN where there is none, `(n_track_frames,)`.
        labels: All labels in the checkpoint's order.
        rate: Sampling rate, Hz.
    """
    shade = colour(labels, answer.emotion)
    seconds = len(waveform) / rate
    voiced = pitches[np.isfinite(pitches)]
    median = f"median {np.median(voiced):.0f} Hz" if len(voiced) else "no voiced sound"
    tracks = [
        _track(
            "Waveform", f"marked where it spoke for {answer.emotion}", _waveform(waveform, evidence.evidence, shade)
        ),
        _track("Mel spectrogram", "low to high; marked likewise", _spectrogram(evidence, shade), "tall"),
        _track("Loudness", f"{levels.max():.0f} dB at most", _line(levels, LOUDNESS_RANGE, "loudness")),
        _track("Pitch", median, _line(np.log2(pitches), np.log2([LOWEST_PITCH, HIGHEST_PITCH]), "pitch")),
    ]
    return (
        f'<section class="answer">{headline(answer, labels)}'
        f"{bars(answer.probabilities, labels, 'Calibrated probability of each emotion')}"
        f'<label class="switch"><input type="checkbox" checked> Show what spoke for “{escape(answer.emotion)}”</label>'
        f'<div class="tracks">{"".join(tracks)}{_time_axis(seconds)}</div></section>'
    )


def recording(timeline: Timeline) -> str:
    """A long recording: its emotions over time, and how they share it."""
    labels, windows, overall = timeline.labels, timeline.windows, timeline.overall
    if not overall:
        return sentence("I hear only silence in this recording.")
    end = windows[-1][1]
    columns = ""
    for (start, _, answer), following in zip(windows, [*(start for start, _, _ in windows[1:]), end], strict=True):
        columns += _stack(1000 * start / end, 1000 * (following - start) / end, answer, labels)
    picture = _svg(columns, f"Probability of every emotion over {_clock(end)} minutes", "stack")
    likeliest = max(overall, key=overall.get)
    return (
        f'<section class="answer"><h2 class="headline"><span class="dot" style="background:{colour(labels, likeliest)}">'
        f"</span>Mostly {escape(likeliest)} <small>{len(windows)} windows, {timeline.n_silent} of them silent</small></h2>"
        f'<div class="tracks">{_track("Emotions over time", "the taller, the likelier", picture, "tall")}'
        f"{_time_axis(end)}</div>{legend(labels)}"
        f"{bars(overall, labels, 'Overall: mean probability where somebody speaks')}</section>"
    )


def batch(rows: list[dict]) -> str:
    """How many of several files were heard."""
    n_bad = sum("problem" in row for row in rows)
    bad = f"{n_bad} could not be heard, and the table says why" if n_bad else ""
    return f'<section class="answer"><h2 class="headline">{len(rows) - n_bad} of {len(rows)} clips heard<small>{bad}</small></h2></section>'


def live(history: list[tuple[float, Answer | None]], labels: Sequence[str]) -> str:
    """What the microphone hears now, and over the last minute.

    Args:
        history: Time (seconds) and answer of each update, None for silence, oldest first.
        labels: All labels in the checkpoint's order.
    """
    now, answer = history[-1]
    silence = '<h2 class="headline"><span class="dot"></span>Silence <small>say something</small></h2>'
    probabilities = answer.probabilities if answer else dict.fromkeys(labels, 0.0)
    columns, before = "", history[0][0] - LIVE_UPDATE
    for time, heard in history:
        x, width = 1000 * (1 - (now - time) / LIVE_MEMORY), 1000 * min(time - before, 1.0) / LIVE_MEMORY
        before = time
        height = 100 * heard.probability if heard else 3
        kind = (
            f'fill="{colour(labels, heard.emotion)}" opacity="{1 if heard.sure else 0.4}"' if heard else 'class="mute"'
        )
        columns += (
            f'<rect x="{x - width:.1f}" y="{100 - height:.1f}" width="{width:.2f}" height="{height:.1f}" {kind}/>'
        )
    picture = _svg(columns, "The likeliest emotion over the last minute", "stack")
    axis = (
        '<div class="axis"><span style="left:0">60 s ago</span><span style="left:50%">30 s</span><span>now</span></div>'
    )
    return (
        f'<section class="answer">{headline(answer, labels) if answer else silence}'
        f"{bars(probabilities, labels, f'Probability of each emotion, last {LIVE_WINDOW:.0f} seconds')}"
        f'<div class="tracks">{_track("The last minute", "the taller, the likelier; pale: not sure", picture, "tall")}'
        f"{axis}</div>{legend(labels)}</section>"
    )


def legend(labels: Sequence[str]) -> str:
    """Which colour is which emotion."""
    items = "".join(
        f'<li><span class="dot" style="background:{colour(labels, label)}"></span>{escape(label)}</li>'
        for label in labels
    )
    return (
        f'<ul class="legend" aria-label="Colours of the emotions">{items}<li><span class="dot"></span>silence</li></ul>'
    )


def matrix(confusion: list[list[int]], labels: Sequence[str]) -> str:
    """A confusion matrix: a row for each emotion that was acted, a column for each that was heard, shares of the row."""
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
    rows = ""
    for label, counts in zip(labels, confusion, strict=True):
        cells = ""
        for heard, count in zip(labels, counts, strict=True):
            share = count / max(sum(counts), 1)
            tint = f"background:color-mix(in srgb, {colour(labels, heard)} {75 * share:.0f}%, transparent)"
            cells += f'<td style="{tint}" title="{count} clips">{100 * share:.0f}</td>'
        rows += f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>'
    return (
        '<div class="scroll"><table class="matrix"><caption>Confusion: of the clips that act the emotion of a row, the per cent '
        f"that were heard as the emotion of a column</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _track(name: str, note: str, picture: str, size: str = "") -> str:
    return (
        f'<figure class="track"><figcaption>{escape(name)} <small>{escape(note)}</small></figcaption>'
        f'<div class="frame {size}">{picture}</div></figure>'
    )


def _svg(content: str, description: str, kind: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(description)}">{content}</svg>'
    )


def _waveform(waveform: np.ndarray, evidence: np.ndarray, shade: str) -> str:
    """Peaks in 250 columns; those that spoke for the answer are in its colour."""
    chunks = np.array_split(waveform, min(250, len(waveform)))
    peaks = np.array([np.abs(chunk).max() for chunk in chunks]) / max(np.abs(waveform).max(), 1e-6)
    strength = evidence.mean(0) / max(evidence.mean(0).max(), 1e-6)
    strength = np.interp(np.linspace(0, 1, len(chunks)), np.linspace(0, 1, len(strength)), strength)
    width = 1000 / len(chunks)
    columns, marks = "", ""
    for index, (peak, marked) in enumerate(zip(peaks, strength, strict=True)):
        height = max(96 * peak, 1.5)
        rectangle = f'x="{index * width:.1f}" y="{50 - height / 2:.1f}" width="{0.7 * width:.2f}" height="{height:.1f}"'
        columns += f"<rect {rectangle}/>"
        marks += f'<rect {rectangle} opacity="{marked:.2f}"/>'
    return _svg(f'{columns}<g class="marks" fill="{shade}">{marks}</g>', "Waveform", "waveform")


def _spectrogram(evidence: Evidence, shade: str) -> str:
    spectrogram, marked = _narrowed(evidence.spectrogram)[::-1], _narrowed(evidence.evidence)[::-1]
    low, high = np.percentile(spectrogram, [5, 99.5])
    light = np.clip((spectrogram - low) / max(high - low, 1e-6), 0, 1)
    ink = np.stack([np.interp(light, np.linspace(0, 1, len(INK)), INK[:, channel]) for channel in range(3)], axis=-1)
    tint = np.empty((*marked.shape, 4))
    tint[..., :3] = [int(shade[place : place + 2], 16) for place in (1, 3, 5)]
    tint[..., 3] = 215 * np.clip(marked, 0, 1)
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


def _line(values: np.ndarray, limits: Sequence[float], kind: str) -> str:
    """A line that breaks where values are missing."""
    values = values[:: -(-len(values) // MOST_COLUMNS)]
    x = np.linspace(0, 1000, len(values))
    y = 96 - 92 * np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    path, drawing = "", False
    for across, down in zip(x, y, strict=True):
        if np.isfinite(down):
            path += f"{'L' if drawing else 'M'}{across:.1f} {down:.1f}"
        drawing = bool(np.isfinite(down))
    return _svg(f'<path d="{path}" vector-effect="non-scaling-stroke"/>', kind.capitalize(), kind)


def _stack(x: float, width: float, answer: Answer | None, labels: Sequence[str]) -> str:
    """One window as a stack of all probabilities."""
    if answer is None:
        return f'<rect class="mute" x="{x:.2f}" y="97" width="{width:.2f}" height="3"/>'
    tops = 100 * (1 - np.cumsum(list(answer.probabilities.values())))
    # Each emotion reaches down behind the ones below it, so that no gap shows between two of them.
    return "".join(
        f'<rect fill="{colour(labels, label)}" x="{x:.2f}" y="{top:.1f}" width="{width:.2f}" height="{100 - top:.1f}"/>'
        for label, top in reversed(list(zip(answer.probabilities, tops, strict=True)))
    )


def _time_axis(seconds: float) -> str:
    written = (lambda t: f"{t:.1f} s") if seconds < 120 else _clock
    ticks = "".join(f'<span style="left:{25 * place}%">{written(seconds * place / 4)}</span>' for place in range(4))
    return f'<div class="axis">{ticks}<span>{written(seconds)}</span></div>'


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
