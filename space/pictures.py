"""Answers as HTML."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import share
from drawing import clock, colour, line_track, spectrogram_track, stack, svg, time_axis, track, waveform_track
from following import Timeline
from hearing import Answer, Evidence
from sentences import VOICE
from sound import HIGHEST_PITCH, LOUDNESS_RANGE, LOWEST_PITCH


@dataclass(frozen=True)
class Clip:
    """All that is shown of one clip.

    Args:
        name: Of the file.
        answer: What was heard.
        evidence: Where in the spectrogram it was heard.
        waveform: `(n_samples,)` at `rate` Hz.
        levels: Loudness, dB, `(n_track_frames,)`.
        pitches: Fundamental frequency, Hz, NaN where there is none, `(n_track_frames,)`.
        labels: All labels in the checkpoint's order.
        rate: Sampling rate, Hz.
        worth: How often such an answer is right, in a sentence; empty where nobody knows.
        sound: Address of the sound, to play it.
    """

    name: str
    answer: Answer
    evidence: Evidence
    waveform: np.ndarray
    levels: np.ndarray
    pitches: np.ndarray
    labels: Sequence[str]
    rate: int
    worth: str
    sound: str

    @property
    def seconds(self) -> float:
        return len(self.waveform) / self.rate

    @property
    def shade(self) -> str:
        """The colour of the answer."""
        return colour(self.labels, self.answer.emotion)

    @property
    def median_pitch(self) -> float:
        """Hz; NaN where no sound is voiced."""
        voiced = self.pitches[np.isfinite(self.pitches)]
        return float(np.median(voiced)) if len(voiced) else float("nan")


def hint(text: str) -> str:
    """What will be here."""
    return f'<p class="hint">{escape(text)}</p>'


def sentence(text: str) -> str:
    """What went wrong."""
    return f'<p class="sentence" role="alert">{escape(text)}</p>'


def headline(answer: Answer, labels: Sequence[str]) -> str:
    """The answer in words."""
    share_of_one = f"{answer.probability:.0%}"
    dot = f'<span class="dot" style="background:{colour(labels, answer.emotion)}"></span>'
    if answer.sure:
        return (
            f'<h2 class="headline">{dot}{escape(answer.emotion.capitalize())} <small>{share_of_one} sure</small></h2>'
        )
    return (
        f'<h2 class="headline">{dot}Not sure <small>closest: {escape(answer.emotion)}, {share_of_one}; '
        f"below {answer.unsure_threshold:.0%} I do not commit myself</small></h2>"
    )


def notes(worth: str, advice: Sequence[str]) -> str:
    """What an answer is worth, and what is wrong with the recording."""
    items = "".join(f"<li>{escape(text)}</li>" for text in advice)
    listed = f'<ul class="advice" aria-label="About this recording">{items}</ul>' if items else ""
    return (f'<p class="worth">{escape(worth)}</p>' if worth else "") + listed


def bars(shares: dict[str, float], labels: Sequence[str], caption: str, names: dict[str, str] | None = None) -> str:
    """Probabilities, or other shares of one, as bars; `names` are written instead of the labels."""
    rows = "".join(
        f'<tr><th scope="row">{escape((names or {}).get(label, label))}</th><td><span class="bar" '
        f'style="width:{100 * share_of_one:.1f}%;background:{colour(labels, label)}"></span></td>'
        f'<td class="figure">{100 * share_of_one:.0f} %</td></tr>'
        for label, share_of_one in shares.items()
    )
    return f'<table class="bars"><caption>{escape(caption)}</caption><tbody>{rows}</tbody></table>'


def clip(heard: Clip) -> str:
    """Everything about one clip: answer, probabilities, and the four tracks over one time axis."""
    switch = f'<label class="switch"><input type="checkbox" checked> Show what spoke for “{escape(heard.answer.emotion)}”</label>'
    downloads = share.links(
        {"Picture": ("emotion.png", share.picture(heard)), "JSON": ("emotion.json", share.clip_json(heard))}
    )
    return (
        f'<section class="answer">{headline(heard.answer, heard.labels)}{notes(heard.worth, heard.answer.advice)}'
        f"{bars(heard.answer.probabilities, heard.labels, 'Calibrated probability of each emotion')}{switch}"
        f"{player(heard.sound, heard.seconds, spans(heard), tracks(heard))}{downloads}</section>"
    )


def recording(timeline: Timeline, waveform: np.ndarray, sound: str, csv_bytes: Callable) -> str:
    """A long recording: its emotions over time, and how they share it; `csv_bytes` is the checkpoint's."""
    labels, windows, overall = timeline.labels, timeline.windows, timeline.overall
    if not overall:
        kinds = {answer for _, _, answer in windows}
        return sentence(f"I hear {'only silence' if kinds == {'silence'} else 'no voice'} in this recording.")
    end = windows[-1][1]
    starts = [start for start, _, _ in windows]
    columns = ""
    for (start, _, answer), following in zip(windows, [*starts[1:], end], strict=True):
        columns += stack(1000 * start / end, 1000 * (following - start) / end, answer, labels)
    picture = svg(columns, f"Probability of every emotion over {clock(end)} minutes", "stack")
    likeliest = max(overall, key=overall.get)
    tracks = track("Emotions over time", "the taller, the likelier", picture, "tall")
    tracks += track("Waveform", "", waveform_track(waveform))
    spans = [
        [start, following, *((answer, None) if isinstance(answer, str) else (_said(answer), answer.probability))]
        for (start, _, answer), following in zip(windows, [*starts[1:], end], strict=True)
    ]
    rows = timeline.as_rows()
    downloads = share.links(
        {
            "CSV": ("timeline.csv", share.csv_table(["start", "end"], rows, labels, csv_bytes)),
            "Labels for Audacity": ("labels.txt", share.audacity(rows)),
            "JSON": ("timeline.json", share.as_json({"overall": overall, "windows": rows})),
        }
    )
    silent = f", {timeline.n_silent} of them without a voice" if timeline.n_silent else ""
    return (
        f'<section class="answer"><h2 class="headline"><span class="dot" style="background:{colour(labels, likeliest)}">'
        f"</span>Mostly {escape(likeliest)} <small>{len(windows)} windows{silent}</small></h2>"
        f"{player(sound, end, spans, tracks)}{legend(labels)}"
        f"{bars(overall, labels, 'Overall: mean probability where somebody speaks')}{downloads}"
        f"{scrolled('The windows', _windows_table(rows, labels))}</section>"
    )


def batch(rows: list[dict], labels: Sequence[str], csv_bytes: Callable) -> str:
    """Several files: each with its answer, or what is wrong with it; `csv_bytes` is the checkpoint's."""
    n_bad = sum("problem" in row for row in rows)
    bad = f"{n_bad} could not be heard, and the table says why" if n_bad else ""
    body = ""
    for row in rows:
        name = f'<th scope="row" class="file" title="{escape(row["file"])}">{escape(row["file"])}</th>'
        body += f'<tr><td class="said">{_answer_cell(row, labels)}</td>{name}</tr>'
    table = (
        '<table class="rows"><caption>The clips</caption><thead><tr><th scope="col">Answer</th><th scope="col">File</th></tr>'
        f"</thead><tbody>{body}</tbody></table>"
    )
    downloads = share.links(
        {
            "CSV": ("emotions.csv", share.csv_table(["file"], rows, labels, csv_bytes)),
            "JSON": ("emotions.json", share.as_json(rows)),
        }
    )
    return (
        f'<section class="answer"><h2 class="headline">{len(rows) - n_bad} of {len(rows)} clips heard<small>{bad}</small></h2>'
        f"{downloads}{scrolled('The clips', table)}</section>"
    )


def live(history: list[tuple[float, Answer | str]], labels: Sequence[str], window: float, memory: float) -> str:
    """What the microphone hears now, and over the last minute.

    Args:
        history: Time in the recording (seconds) and answer of each update, or why there is none, oldest first.
        labels: All labels in the checkpoint's order.
        window: What an answer hears, seconds.
        memory: What the history spans, seconds.
    """
    now, answer = history[-1]
    spoken = isinstance(answer, Answer)
    probabilities = answer.probabilities if spoken else dict.fromkeys(labels, 0.0)
    columns, before = "", history[0][0]
    for time, heard in history:
        x, width = 1000 * (1 - (now - time) / memory), 1000 * min(time - before, 1.0) / memory
        before = time
        height, kind = 3, 'class="mute"'
        if isinstance(heard, Answer):
            height = 100 * heard.probability
            kind = f'fill="{colour(labels, heard.emotion)}" opacity="{1 if heard.sure else 0.4}"'
        columns += (
            f'<rect x="{x - width:.1f}" y="{100 - height:.1f}" width="{width:.2f}" height="{height:.1f}" {kind}/>'
        )
    picture = svg(columns, "The likeliest emotion over the last minute", "stack")
    axis = f'<div class="axis"><span style="left:0">{memory:.0f} s ago</span><span style="left:50%">{memory / 2:.0f} s</span><span>now</span></div>'
    head = (
        headline(answer, labels)
        if spoken
        else f'<h2 class="headline"><span class="dot"></span>{answer.capitalize()} <small>say something</small></h2>'
    )
    return (
        f'<section class="answer">{head}{notes("", answer.advice if spoken else [])}'
        f"{bars(probabilities, labels, f'Probability of each emotion, last {window:.0f} seconds')}"
        f'<div class="tracks">{track("The last minute", "the taller, the likelier; pale: not sure", picture, "tall")}'
        f"{axis}</div>{legend(labels)}</section>"
    )


def voice(visitor: str, seconds: float) -> str:
    """That everything is heard against a voice, for the page's scripts too."""
    told = escape(VOICE["told"].format(round(seconds)), quote=False)
    return f'<p class="sentence" data-voice="{escape(visitor, quote=True)}">{told}</p>'


def legend(labels: Sequence[str]) -> str:
    """Which colour is which emotion."""
    items = "".join(
        f'<li><span class="dot" style="background:{colour(labels, label)}"></span>{escape(label)}</li>'
        for label in labels
    )
    return f'<ul class="legend" aria-label="Colours of the emotions">{items}<li><span class="dot"></span>no voice</li></ul>'


def player(sound: str, seconds: float, spans: list[list], tracks: str) -> str:
    """Tracks that are played from wherever they are pressed; `page.js` does it.

    Args:
        sound: Address.
        seconds: How long it lasts.
        spans: Start, end, label and probability, of what is said when.
        tracks: Pictures over this time.
    """
    return (
        f'<div class="player" data-spans="{escape(json.dumps(spans), quote=True)}">'
        f'<div class="tracks timed">{tracks}{time_axis(seconds)}<p class="tip" hidden></p></div>'
        '<div class="controls"><button type="button" class="play">Play</button>'
        f'<input type="range" class="seek" min="0" max="{seconds:.2f}" step="0.1" value="0" '
        'aria-label="Place in the sound; Enter plays from here"><output class="now"></output></div>'
        f'<audio preload="none" src="{escape(sound, quote=True)}"></audio></div>'
    )


def scrolled(name: str, content: str) -> str:
    """A region that scrolls, also by keyboard."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(name)}">{content}</div>'


def tracks(heard: Clip) -> str:
    """The four tracks of a clip."""
    median = f"median {heard.median_pitch:.0f} Hz" if np.isfinite(heard.median_pitch) else "no voiced sound"
    limits = np.log2([LOWEST_PITCH, HIGHEST_PITCH])
    marked = f"marked where it spoke for {heard.answer.emotion}"
    return (
        track("Waveform", marked, waveform_track(heard.waveform, heard.evidence.evidence, heard.shade))
        + track(
            "Mel spectrogram", "low to high; marked likewise", spectrogram_track(heard.evidence, heard.shade), "tall"
        )
        + track(
            "Loudness", f"{heard.levels.max():.0f} dB at most", line_track(heard.levels, LOUDNESS_RANGE, "loudness")
        )
        + track("Pitch", median, line_track(np.log2(heard.pitches), limits, "pitch"))
    )


def spans(heard: Clip) -> list[list]:
    """What is said when: of a clip, one thing."""
    return [[0, heard.seconds, _said(heard.answer), heard.answer.probability]]


def _said(answer: Answer) -> str:
    return answer.emotion if answer.sure else f"not sure, closest {answer.emotion}"


def _answer_cell(row: dict, labels: Sequence[str]) -> str:
    if "problem" in row:
        return f'<span class="problem">{escape(row["problem"])}</span>'
    if row["probabilities"] is None:
        return f'<span class="dot"></span> {escape(row["emotion"])}'
    said = row["emotion"] if row["sure"] else f"not sure ({row['emotion']})"
    dot = f'<span class="dot" style="background:{colour(labels, row["emotion"])}"></span>'
    return f"{dot} {escape(said)} <small>{row['probability']:.0%}</small>"


def _windows_table(rows: list[dict], labels: Sequence[str]) -> str:
    body = "".join(
        f'<tr><th scope="row">{row["start"]:.1f} to {row["end"]:.1f} s</th><td>{_answer_cell(row, labels)}</td></tr>'
        for row in rows
    )
    return (
        '<table class="rows"><caption>The windows</caption><thead><tr><th scope="col">Time</th><th scope="col">Answer</th></tr>'
        f"</thead><tbody>{body}</tbody></table>"
    )
