"""What the page says about itself: of the checkpoint no more than its own files say."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pictures
from trust import calibration, folds, of_test_speakers, unheard

INTRODUCTION = """<header><h1>Speech emotion</h1><p>Speak, and see what a small network hears in the sound of the voice.
It does not know the words, and it often errs: beside each answer stands how often.</p>
<p id="microphone-notice" class="sentence" role="alert"></p></header>"""

CORPORA = {  # name, address, language
    "ravdess": ("RAVDESS", "https://zenodo.org/records/1188976", "English"),
    "tess": ("TESS", "https://doi.org/10.5683/SP2/E8H2MF", "English"),
    "crema_d": ("CREMA-D", "https://github.com/CheyneyComputerScience/CREMA-D", "English"),
    "nemo": ("nEMO", "https://github.com/amu-cai/nEMO", "Polish"),
    "emospeech": (
        "Indian EmoSpeech",
        "https://github.com/RakshakTeam/emospeech-dataset-v1",
        "English",
    ),
}
LICENCES = {
    "cc-by-nc-sa-4.0": ("CC BY-NC-SA 4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/"),
    "cc-by-nc-nd-4.0": ("CC BY-NC-ND 4.0", "https://creativecommons.org/licenses/by-nc-nd/4.0/"),
    "odbl": ("ODbL 1.0", "https://opendatacommons.org/licenses/odbl/1-0/"),
    "apache-2.0": ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    "mit": ("MIT", "https://opensource.org/license/mit"),
    "cc-by-4.0": ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "cc0-1.0": ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
}
ACTED = {"NEU": "neutral", "HAP": "happy", "SAD": "sad", "ANG": "angry", "FEA": "fearful", "DIS": "disgust"}
EXAMPLE_CREDIT = """<p class="credit">Actors of
<a href="https://github.com/CheyneyComputerScience/CREMA-D">CREMA-D</a>
(<a href="https://opendatacommons.org/licenses/odbl/1-0/">ODbL</a>,
<a href="https://opendatacommons.org/licenses/dbcl/1-0/">DbCL</a>), each with what was acted. They were not trained on, and
not chosen by what is heard in them.</p>"""

LIMITS = """<h2>What it must not be used for</h2>
<p>It must not be used to judge people: not in hiring, schools, policing, medicine, credit or at borders, nor to watch anyone
without their consent. It names the emotion that a voice <em>acts</em>, not what a person feels. A network that was measured on
actors, who show emotions more clearly than people do, in studios and in English, is often wrong on spontaneous speech, in
another language, from a child or through a bad microphone. Calm and neutral sound alike to listeners too.</p>"""

PRIVACY = """<h2>What happens to a recording</h2>
<p>It is used for the answer and for nothing else. It is deleted when the page is left, and ten minutes after it was sent
at the latest; what is heard live is never written to a file. The log says where an error was and of which kind, and nothing of what
was sent.</p>"""

PROGRAMS = """<h2>From a program</h2>
<p>Three endpoints, <code>/classify</code>, <code>/timeline</code> and <code>/batch</code>, for <code>gradio_client</code> and
<code>curl</code>: <a href="?view=api">how each is called</a>. The same three are tools of an MCP server, at
<code>/gradio_api/mcp/</code>.</p>
<div class="scroll" role="region" tabindex="0" aria-label="Example in Python"><pre><code>from gradio_client import Client, handle_file

Client("owner/space").predict(handle_file("clip.wav"), api_name="/classify")</code></pre></div>"""


def page(listener, further: Sequence[str] = (PRIVACY, PROGRAMS)) -> str:
    """The tab About, for one checkpoint; `further` is what depends on where it runs."""
    parts = [_origin(listener), _figures(listener), LIMITS, *further, _licences(listener.record)]
    return f'<section class="about answer">{"".join(parts)}</section>'


def example_name(path: Path) -> str:
    """What an example is called: what its actor acted."""
    actor, _, emotion, *_ = path.stem.split("_")
    return f"{ACTED[emotion]} ({actor})"


def _origin(listener) -> str:
    record = listener.record
    evaluation = record.evaluation or {"synthetic": False}
    trained_on = evaluation.get("trained_on", {})
    size = f"{listener.n_parameters / 1e6:.1f} million parameters"
    sentences = [
        f"A convolutional network of {size}, which hears mel spectrograms.",
        f"It tells apart: {escape(', '.join(listener.labels))}.",
    ]
    if evaluation["synthetic"]:
        sentences.append(
            "It was measured on <strong>synthetic voices</strong>: a demonstration, which says nothing about people."
        )
    elif trained_on and set(trained_on) <= set(CORPORA):
        voices = [
            f"{_link(address, name)} ({_voices(trained_on[corpus])})"
            for corpus, (name, address, _) in CORPORA.items()
            if corpus in trained_on
        ]
        languages = " and ".join(dict.fromkeys(CORPORA[corpus][2] for corpus in CORPORA if corpus in trained_on))
        sentences.append(f"It was trained on acted speech in {languages}: {', '.join(voices)}.")
    if record.datasets:
        links = [_link(f"https://huggingface.co/datasets/{name}", name) for name in record.datasets]
        sentences.append(f"By its card it was trained on {', '.join(links)}.")
    if record.published:
        name, revision = record.published
        link = _link(f"https://huggingface.co/{name}/tree/{revision}", f"{name}, at {revision[:7]}")
        sentences.append(f"On the Hub it is {link}.")
    return f"<h2>What it is</h2><p>{' '.join(sentences)}</p>"


def _voices(counts: dict) -> str:
    n_speakers = counts["n_speakers"] or "unknown"
    return f"{counts['n_clips']:,} clips of {n_speakers} speaker{'' if n_speakers == 1 else 's'}"


def _figures(listener) -> str:
    """What a visitor can expect first, and what flatters last."""
    evaluation, study = listener.record.evaluation, listener.record.study
    parts = ["<h2>How good it is</h2>"]
    chance = f"A guess among the {len(listener.labels)} emotions would be right in {1 / len(listener.labels):.1%} of the cases."
    if elsewhere := unheard(study):
        parts.append(
            "<p>What to expect of a recording from elsewhere: other people, rooms and microphones. Each line is a corpus that "
            f"was left out of training. In brackets, the 95 % interval over speakers. {chance}</p>"
            + _table("Whole corpora unheard", elsewhere)
        )
        chance = ""
    if voices := folds(study):
        parts.append(
            "<p>New voices in studios that it knows: by folds, each trained without the speakers that it is tested on.</p>"
            + _table("Speakers unheard, by folds", voices)
        )
    if speakers := of_test_speakers(study):
        parts.append(
            "<p>This checkpoint, on speakers whom it had not met and by whom nothing was chosen.</p>"
            + _table("Test speakers", speakers)
        )
    if not evaluation:
        return "".join([*parts, "<p>This checkpoint came without an evaluation, so nobody can say.</p>"])
    return "".join([*parts, _evaluated(listener, evaluation, chance)])


def _evaluated(listener, evaluation: dict, chance: str) -> str:
    """The clips that the checkpoint itself was measured on."""
    labels, entry = listener.labels, evaluation["all"]["own_labels"]
    voices = (
        "speakers whom it had not met in training"
        if evaluation.get("unseen_speakers")
        else "voices it may have met before"
    )
    if evaluation["synthetic"]:
        voices = f"synthetic voices, {voices}"
    chose = evaluation.get("split") == "validation"
    flatters = " These clips also chose the temperature and the threshold, so they flatter." if chose else ""
    rows = {"all": entry} | {name: figures["own_labels"] for name, figures in evaluation.get("corpus", {}).items()}
    recalls = {label: recall for label, recall in zip(labels, entry["recall"], strict=True) if recall is not None}
    counts = dict(zip(labels, map(sum, entry["confusion"]), strict=True))
    names = {label: f"{label} ({counts[label]:,} clips)" for label in recalls}
    independent = entry["expected_calibration_error"] if not chose else calibration(listener.record.study)
    error = "Where it says 70 %, it is meant to be right in 70 % of the cases. On voices in studios that it knows, it is off by "
    error += (
        f"{entry['expected_calibration_error']:.1%} on average, measured on clips that chose the temperature, which flatters."
        if independent is None
        else f"{independent:.1%} on average, measured on clips that chose nothing."
    )
    return (
        f"<p>This checkpoint, measured on {_measured_on(evaluation)}: {entry['n_clips']:,} clips of "
        f"{entry['n_speakers'] or 'unknown'} {voices}.{flatters} {chance}</p>"
        f"{_table('Among the emotions of each corpus', rows)}"
        f"{pictures.bars(recalls, labels, 'Of the clips that act an emotion, how many are recognised', names)}"
        f"{matrix(entry['confusion'], labels)}"
        f"<p>{error}</p>"
    )


def _measured_on(evaluation: dict) -> str:
    """Dataset and protocol; a dataset on the Hub by its name, and no folder of whoever trained it."""
    name = evaluation["dataset"]
    public = re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith(("build/", "./", "../"))
    protocol = escape(evaluation["protocol"])
    return f"{escape(name)}, {protocol}" if public else f"its {protocol}" if "split" in protocol else protocol


def _table(caption: str, rows: dict[str, dict]) -> str:
    """One line a corpus; where all say how often answers are sure, and how often those are right, these too."""
    knows_sure = all(figures.get("sure_accuracy") is not None for figures in rows.values())
    head = [
        "Corpus",
        "Clips",
        "Speakers",
        "Accuracy",
        "Mean recall of the emotions",
        *["Where it is sure"] * knows_sure,
    ]
    lines = ""
    for name, figures in rows.items():
        cells = [
            f"{figures['n_clips']:,}",
            str(figures["n_speakers"] or "unknown"),
            _share(figures, "accuracy"),
            _share(figures, "unweighted_average_recall"),
        ]
        if knows_sure:
            cells.append(f"{figures['sure_accuracy']:.0%} right, of {figures['sure_share']:.0%} of the answers")
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        lines += f'<tr><th scope="row">{escape(CORPORA.get(name, (name,))[0])}</th>{row}</tr>'
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    return pictures.scrolled(
        caption,
        f'<table class="figures"><caption>{caption}</caption><thead><tr>{columns}</tr></thead>'
        f"<tbody>{lines}</tbody></table>",
    )


def _share(figures: dict, name: str) -> str:
    interval = figures.get("interval") and figures["interval"][name]
    return f"{figures[name]:.1%}" + (f" [{interval[0]:.0%}, {interval[1]:.0%}]" if interval else "")


def matrix(confusion: list[list[int]], labels: list[str]) -> str:
    """A confusion matrix: a row for each emotion that was acted, a column for each that was heard, shares of the row."""
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
    rows = ""
    for label, counts in zip(labels, confusion, strict=True):
        cells = ""
        for heard, count in zip(labels, counts, strict=True):
            share = count / max(sum(counts), 1)
            tint = f"background:color-mix(in srgb, {pictures.colour(labels, heard)} {50 * share:.0f}%, transparent)"
            cells += f'<td style="{tint}" title="{count} clips">{100 * share:.0f}</td>'
        rows += f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>'
    return pictures.scrolled(
        "Confusion",
        '<table class="matrix"><caption>Confusion: of the clips that act the emotion of a row, the per cent '
        f"that were heard as the emotion of a column</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>",
    )


def _licences(record) -> str:
    lines = [f"This checkpoint: {', '.join(map(_licence, record.licences))}."] if record.licences else []
    # The card names licences by the Hub's identifiers.
    known = "|".join(map(re.escape, LICENCES))
    lines.append(re.sub(rf"\b({known})\b", lambda found: _licence(found[0]), escape(record.terms)))
    lines.append(
        f"The code of this page: {_licence('apache-2.0')}. The example clips are of CREMA-D: {_licence('odbl')},"
    )
    lines.append(f"their contents {_link('https://opendatacommons.org/licenses/dbcl/1-0/', 'DbCL 1.0')}.")
    return "<h2>Licences</h2><p>" + " ".join(lines) + "</p>"


def _licence(identifier: str) -> str:
    name, address = LICENCES.get(identifier, (identifier, None))
    return _link(address, name) if address else escape(name)


def _link(address: str, name: str) -> str:
    return f'<a href="{escape(address)}">{escape(name)}</a>'
