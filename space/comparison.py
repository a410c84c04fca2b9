"""Two clips side by side."""

from html import escape

import numpy as np
from pictures import Clip, headline, notes, player, scrolled, spans, tracks


def comparison(first: Clip, second: Clip) -> str:
    """Two clips side by side, with their differences."""
    sides = "".join(
        f'<div class="side"><h2>{name}</h2><p class="file">{escape(heard.name)}</p>{headline(heard.answer, heard.labels)}'
        f"{notes(heard.worth, heard.answer.advice)}"
        f"{player(heard.sound, heard.seconds, spans(heard), tracks(heard))}</div>"
        for name, heard in (("First", first), ("Second", second))
    )
    rows = [
        (label, f"{one:.0%}", f"{other:.0%}", f"{100 * (other - one):+.0f} points")
        for (label, one), other in zip(
            first.answer.probabilities.items(), second.answer.probabilities.values(), strict=True
        )
    ]
    pitches = first.median_pitch, second.median_pitch
    written = [f"{pitch:.0f} Hz" if np.isfinite(pitch) else "none" for pitch in pitches]
    semitones = f"{12 * np.log2(pitches[1] / pitches[0]):+.1f} semitones" if np.isfinite(pitches).all() else ""
    loudest = first.levels.max(), second.levels.max()
    rows += [
        ("median pitch", *written, semitones),
        ("loudest", *(f"{level:.0f} dB" for level in loudest), f"{loudest[1] - loudest[0]:+.0f} dB"),
        ("length", f"{first.seconds:.1f} s", f"{second.seconds:.1f} s", f"{second.seconds - first.seconds:+.1f} s"),
    ]
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(value)}</td>" for value in values)}</tr>'
        for name, *values in rows
    )
    table = scrolled(
        "Differences",
        '<table class="figures"><caption>Differences</caption><thead><tr><th></th><th scope="col">First</th>'
        f'<th scope="col">Second</th><th scope="col">Difference</th></tr></thead><tbody>{body}</tbody></table>',
    )
    return f'<section class="answer"><div class="sides">{sides}</div>{table}</section>'
