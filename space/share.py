"""Answers to take along: tables, labels, JSON, and a picture with its figures."""

import base64
import io
import json
import textwrap
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from drawing import MOST_COLUMNS, colour, peaks, spectrogram_pixels, strengths
from PIL import Image, ImageDraw, ImageFont
from sound import HIGHEST_PITCH, LOUDNESS_RANGE, LOWEST_PITCH

if TYPE_CHECKING:
    from pictures import Clip

SURE = {True: "yes", False: "no"}
TYPES = {"csv": "text/csv", "txt": "text/plain", "json": "application/json", "png": "image/png"}
WIDTH, MARGIN, COLUMNS = 1200, 48, 120  # pixels, pixels, letters
PAPER, INK, PALE = "#ffffff", "#1f2937", "#5b6472"


def links(files: dict[str, tuple[str, bytes]]) -> str:
    """Links that download files, which the page itself holds: on the server nothing is kept.

    Args:
        files: Name and content, by what the link says.
    """
    made = "".join(
        f'<a class="download" download="{escape(name)}" href="data:{TYPES[name.rpartition(".")[2]]};base64,'
        f'{base64.b64encode(content).decode()}">Download {escape(label) if label.isupper() else escape(label[0].lower() + label[1:])}</a>'
        for label, (name, content) in files.items()
    )
    return f'<p class="downloads">{made}</p>'


def as_json(value: dict | list) -> bytes:
    """JSON for people and programs."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def csv_table(keys: Sequence[str], rows: Sequence[dict], labels: Sequence[str], csv_bytes: Callable) -> bytes:
    """A table for spreadsheets.

    Args:
        keys: What comes first in each line.
        rows: As the endpoints return them.
        labels: A column for each.
        csv_bytes: Writes rows and a header; the checkpoint's, as everywhere.
    """
    problems = ["problem"] * any("problem" in row for row in rows)
    header = [*keys, "emotion", "sure", *problems, *labels]
    named = [row | {"sure": SURE.get(row.get("sure"))} | (row.get("probabilities") or {}) for row in rows]
    return csv_bytes([[row.get(column) for column in header] for row in named], header)


def audacity(rows: Sequence[dict]) -> bytes:
    """A track of labels for Audacity (File, Import, Labels): start, end and label, separated by tabs."""
    lines = [
        f"{row['start']:.6f}\t{row['end']:.6f}\t"
        + (row["emotion"] if row["sure"] is not False else f"not sure ({row['emotion']})")
        + ("" if row["probability"] is None else f" {row['probability']:.2f}")
        for row in rows
    ]
    return ("\n".join(lines) + "\n").encode()


def clip_json(heard: "Clip") -> bytes:
    """A clip's answer with what was measured of its sound."""
    measured = {
        "seconds": round(heard.seconds, 3),
        "median_pitch": round(heard.median_pitch, 1) if np.isfinite(heard.median_pitch) else None,
        "loudest": round(float(heard.levels.max()), 1),
    }
    return as_json({"file": heard.name, **heard.answer.as_row(), "worth": heard.worth, **measured})


def picture(heard: "Clip") -> bytes:
    """A clip's answer, bars and tracks as PNG."""
    bars, tracks = len(heard.labels), (("Waveform", 110), ("Mel spectrogram", 200), ("Loudness", 90), ("Pitch", 90))
    worth = textwrap.wrap(heard.worth, COLUMNS)
    height = MARGIN * 2 + 110 + 34 * bars + 20 + sum(size + 44 for _, size in tracks) + 26 + 28 * len(worth)
    image = Image.new("RGB", (WIDTH, height), PAPER)
    draw = ImageDraw.Draw(image)
    large, text, small = (ImageFont.load_default(size) for size in (44, 22, 18))
    answer, y = heard.answer, MARGIN
    said = answer.emotion.capitalize() if answer.sure else f"Not sure (closest: {answer.emotion})"
    draw.ellipse((MARGIN, y + 8, MARGIN + 34, y + 42), fill=heard.shade)
    draw.text((MARGIN + 50, y), f"{said}  {answer.probability:.0%}", INK, large)
    draw.text((MARGIN, y + 62), _fitting(heard.name, small, draw, WIDTH - 2 * MARGIN), PALE, small)
    y += 110
    for label, share in answer.probabilities.items():
        draw.text((MARGIN, y), label, INK, text)
        draw.rectangle((MARGIN + 160, y + 4, MARGIN + 164 + 780 * share, y + 24), colour(heard.labels, label))
        draw.text((WIDTH - MARGIN, y), f"{share:.0%}", INK, text, anchor="ra")
        y += 34
    y += 20
    limits = np.log2([LOWEST_PITCH, HIGHEST_PITCH])
    for name, size in tracks:
        draw.text((MARGIN, y), name, INK, small)
        box = (MARGIN, y + 28, WIDTH - MARGIN, y + 28 + size)
        draw.rectangle(box, "#f3f4f6")
        if name == "Waveform":
            _waveform(draw, heard, box)
        elif name == "Mel spectrogram":
            _spectrogram(image, heard, box)
        elif name == "Loudness":
            _line(draw, heard.levels, LOUDNESS_RANGE, box)
        else:
            _line(draw, np.log2(heard.pitches), limits, box)
        y += size + 44
    for place in range(5):
        time = heard.seconds * place / 4
        anchor = {0: "la", 4: "ra"}.get(place, "ma")
        draw.text((MARGIN + (WIDTH - 2 * MARGIN) * place / 4, y - 10), f"{time:.1f} s", PALE, small, anchor=anchor)
    draw.multiline_text((MARGIN, y + 26), "\n".join(worth), PALE, small, spacing=8)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _fitting(words: str, font: ImageFont.FreeTypeFont, draw: ImageDraw.ImageDraw, width: float) -> str:
    """As much of a line as fits."""
    while words and draw.textlength(words, font) > width:
        words = words[:-2].rstrip("…") + "…"
    return words


def _waveform(draw: ImageDraw.ImageDraw, heard: "Clip", box: tuple[int, int, int, int]) -> None:
    heights = peaks(heard.waveform)
    marked = strengths(heard.evidence.evidence, len(heights))
    left, top, right, bottom = box
    shade, middle = np.array(Image.new("RGB", (1, 1), heard.shade))[0, 0], (top + bottom) / 2
    for index, (peak, strength) in enumerate(zip(heights, marked, strict=True)):
        x = left + (right - left) * index / len(heights)
        ink = tuple(np.round((1 - strength) * np.array([150, 156, 166]) + strength * shade).astype(int).tolist())
        half = max((bottom - top) / 2 * 0.96 * peak, 1)
        draw.rectangle((x, middle - half, x + 0.7 * (right - left) / len(heights), middle + half), ink)


def _spectrogram(image: Image.Image, heard: "Clip", box: tuple[int, int, int, int]) -> None:
    ink, tint = spectrogram_pixels(heard.evidence, heard.shade)
    ground = Image.fromarray(ink.astype(np.uint8))
    over = Image.fromarray(tint.astype(np.uint8))
    ground.paste(over, (0, 0), over)
    image.paste(ground.resize((box[2] - box[0], box[3] - box[1])), box[:2])


def _line(
    draw: ImageDraw.ImageDraw, values: np.ndarray, limits: Sequence[float], box: tuple[int, int, int, int]
) -> None:
    left, top, right, bottom = box
    values = values[:: -(-len(values) // MOST_COLUMNS)]
    x = np.linspace(left, right, len(values))
    y = bottom - 4 - (bottom - top - 8) * np.clip((values - limits[0]) / (limits[1] - limits[0]), 0, 1)
    for index in np.flatnonzero(np.isfinite(y[:-1]) & np.isfinite(y[1:])):
        draw.line((x[index], y[index], x[index + 1], y[index + 1]), INK, 3)
