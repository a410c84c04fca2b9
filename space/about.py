"""What the page says about itself: of the checkpoint no more than its `evaluation.json` and its card say."""

from html import escape

import pictures

INTRODUCTION = """<header><h1>Speech emotion</h1><p>Speak, and see what a small network hears in the sound of the voice.
It does not know the words, and it often errs: the tab About says how often.</p>
<p id="microphone-notice" class="sentence" role="alert"></p></header>"""

CORPORA = {
    "ravdess": ("RAVDESS", "https://zenodo.org/records/1188976"),
    "tess": ("TESS", "https://doi.org/10.5683/SP2/E8H2MF"),
    "crema_d": ("CREMA-D", "https://github.com/CheyneyComputerScience/CREMA-D"),
}

LIMITS = """<h2>What it must not be used for</h2>
<p>It must not be used to judge people: not in hiring, schools, policing, medicine, credit or at borders, nor to watch anyone
without their consent. It names the emotion that a voice <em>acts</em>, not what a person feels. A network that was measured on
actors, who show emotions more clearly than people do, in studios and in English, is often wrong on spontaneous speech, in
another language, from a child or through a bad microphone. Calm and neutral sound alike to listeners too.</p>
<h2>What happens to a recording</h2>
<p>It is used for the answer and for nothing else. It is deleted when the page is left, and ten minutes after it was sent
at the latest. Nothing is logged or flagged.</p>"""

PROGRAMS = """<h2>From a program</h2>
<p>Three endpoints, <code>/classify</code>, <code>/timeline</code> and <code>/batch</code>, for <code>gradio_client</code> and
<code>curl</code>, and as tools of an MCP server; the link at the foot of the page has the addresses.</p>
<pre><code>from gradio_client import Client, handle_file

Client("owner/space").predict(handle_file("clip.wav"), api_name="/classify")</code></pre>"""


def page(listener) -> str:
    """The tab About, for one checkpoint."""
    parts = [_origin(listener), _figures(listener), LIMITS, _licences(listener), PROGRAMS]
    return f'<section class="about answer">{"".join(parts)}</section>'


def _origin(listener) -> str:
    evaluation = listener.evaluation or {"synthetic": False}
    trained_on = evaluation.get("trained_on", {})
    size = f"{listener.model.num_parameters() / 1e6:.1f} million parameters"
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
            for corpus, (name, address) in CORPORA.items()
            if corpus in trained_on
        ]
        sentences.append(f"It was trained on acted speech in English: {', '.join(voices)}.")
    if listener.datasets:
        links = [_link(f"https://huggingface.co/datasets/{name}", name) for name in listener.datasets]
        sentences.append(f"By its card it was trained on {', '.join(links)}.")
    if listener.published:
        name, revision = listener.published
        link = _link(f"https://huggingface.co/{name}/tree/{revision}", f"{name}, at {revision[:7]}")
        sentences.append(f"On the Hub it is {link}.")
    return f"<h2>What it is</h2><p>{' '.join(sentences)}</p>"


def _voices(counts: dict) -> str:
    n_speakers = counts["n_speakers"] or "unknown"
    return f"{counts['n_clips']:,} clips of {n_speakers} speaker{'' if n_speakers == 1 else 's'}"


def _figures(listener) -> str:
    evaluation, labels = listener.evaluation, listener.labels
    if not evaluation:
        return "<h2>How good it is</h2><p>This checkpoint came without an evaluation, so nobody can say.</p>"
    entry = evaluation["all"]["own_labels"]
    voices = (
        "speakers whom it had not met in training"
        if evaluation.get("unseen_speakers")
        else "voices it may have met before"
    )
    if evaluation["synthetic"]:
        voices = f"synthetic voices, {voices}"
    rows = {"all": entry} | {name: figures["own_labels"] for name, figures in evaluation.get("corpus", {}).items()}
    lines = "".join(
        f'<tr><th scope="row">{escape(CORPORA.get(name, (name,))[0])}</th><td>{figures["n_clips"]:,}</td>'
        f"<td>{_share(figures, 'accuracy')}</td><td>{_share(figures, 'unweighted_average_recall')}</td></tr>"
        for name, figures in rows.items()
    )
    recalls = {label: recall for label, recall in zip(labels, entry["recall"], strict=True) if recall is not None}
    return (
        f"<h2>How good it is</h2><p>Measured on {escape(evaluation['dataset'])}, {escape(evaluation['protocol'])}: "
        f"{entry['n_clips']:,} clips of {entry['n_speakers'] or 'unknown'} {voices}. "
        "In brackets, the 95 % interval over speakers. "
        f"A guess among the {len(labels)} emotions would be right in {1 / len(labels):.1%} of the cases.</p>"
        '<div class="scroll"><table class="figures"><caption>Among the emotions of each corpus</caption><thead><tr><th>Corpus</th>'
        "<th>Clips</th><th>Accuracy</th><th>Mean recall of the emotions</th></tr></thead>"
        f"<tbody>{lines}</tbody></table></div>"
        f"{pictures.bars(recalls, labels, 'Accuracy per emotion: of the clips that act it, how many are recognised')}"
        f"{pictures.matrix(entry['confusion'], labels)}"
        f"<p>Where it says 70 %, it is right in about 70 % of the cases: the calibration error on these clips is "
        f"{entry['expected_calibration_error']:.1%}.</p>"
    )


def _share(figures: dict, name: str) -> str:
    interval = figures["interval"] and figures["interval"][name]
    return f"{figures[name]:.1%}" + (f" [{interval[0]:.0%}, {interval[1]:.0%}]" if interval else "")


def _licences(listener) -> str:
    lines = [f"This checkpoint: {escape(', '.join(listener.licences))}."] if listener.licences else []
    lines += [escape(listener.terms), "The code of this page: Apache-2.0. The example clips are synthesised: CC0."]
    return "<h2>Licences</h2><p>" + " ".join(lines) + "</p>"


def _link(address: str, name: str) -> str:
    return f'<a href="{escape(address)}">{escape(name)}</a>'
