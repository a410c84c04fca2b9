"""The card of a model: README.md of its folder, its YAML for the Hub and its page for people."""

import json
import re
from pathlib import Path

import numpy as np
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from data_scripts.staging import whole_file
from modeling.training import report

TAGS = ("speech-emotion-recognition", "mel-spectrogram", "custom_code")
METRIC_TYPES = {"accuracy": "accuracy", "recall": "unweighted_average_recall", "f1": "macro_f1"}
# Where people can try a voice on the model's page: the Hub's own recordings for cards of speech models.
WIDGET = [
    {
        "example_title": f"A voice ({number})",
        "src": f"https://cdn-media.huggingface.co/speech_samples/sample{number}.flac",
    }
    for number in (1, 2)
]


def write_card(folder: Path, evaluation: dict, dataset_card: dict, n_parameters: int) -> None:
    """Writes the model card with its `model-index`.

    The figures of its index are those of the test split where `study.json` has them, otherwise those of `evaluation`.

    Args:
        folder: The model's folder, its report already in it.
        evaluation: As for `write_report`, with `trained_on` as `composition` returns it; `base_model`, if it is there, as
            `read_base` does; `training`, if it is there, with `seconds` and `processor`.
        dataset_card: Metadata of the dataset's card: `license`, `pretty_name`; empty for own data without a card.
        n_parameters: Size of the model.
    """
    study = json.loads((folder / "study.json").read_text()) if (folder / "study.json").is_file() else {}
    synthetic, base = evaluation["synthetic"], evaluation.get("base_model")
    name = "mel-emotion, synthetic demo" if synthetic else "mel-emotion"
    dataset = dataset_card.get("pretty_name", evaluation["dataset"])
    data = ModelCardData(
        model_name=name,
        language=dataset_card.get("language"),
        license=model_license(dataset_card, base),
        base_model=hub_name(base),
        datasets=[evaluation["hub_dataset"]] if evaluation.get("hub_dataset") else None,
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=[*TAGS, *["synthetic"] * synthetic],
        metrics=list(METRIC_TYPES),
        widget=WIDGET,
        eval_results=_results(evaluation, study.get("test"), dataset),
    )
    pictures = [f"![{path.stem}]({path.name})" for path in sorted(folder.glob("*.png"))]
    card = CARD.format(
        metadata=data.to_yaml(),
        name=name,
        warning=SYNTHETIC_WARNING if synthetic else "",
        labels=", ".join(evaluation["labels"]),
        n_parameters=f"{n_parameters / 1e6:.2f} million",
        origin=origin(base),
        dataset=dataset,
        trained_on=_training_data(evaluation["trained_on"]),
        title=report.title(evaluation),
        voices="No speaker of these clips was trained on." if evaluation["unseen_speakers"] else VOICES_SHARED,
        table=report.table(evaluation),
        test=_test_text(study.get("test")),
        study=_study_text(study),
        pictures="\n\n".join(pictures),
        cost=_cost(evaluation.get("training")),
        license=license_text(dataset_card, base),
    )
    with whole_file(folder / "README.md") as file:
        ModelCard(card).save(file)


def _results(evaluation: dict, test: dict | None, dataset: str) -> list[EvalResult]:
    """What the Hub shows beside the card: figures of all clips, and accuracy and UAR of each corpus, among its own labels."""
    config = re.fullmatch(r".+ \((.+)\)", evaluation["dataset"])
    entries = {(dataset, config and config[1]): (test or {}).get("all", evaluation["all"]["own_labels"])}
    of_corpora = test or {name: entry["own_labels"] for name, entry in evaluation.get("corpus", {}).items()}
    entries |= {(f"{dataset}: {name}", name): entry for name, entry in of_corpora.items() if name not in ("all", "")}
    return [
        EvalResult(
            task_type="audio-classification",
            dataset_type=evaluation.get("hub_dataset") or ("synthetic" if evaluation["synthetic"] else "audio"),
            dataset_name=name,
            dataset_config=config,
            dataset_split="test" if test else evaluation["split"],
            metric_type=metric_type,
            metric_name=report.SHORT_NAMES[figure] + (" on synthetic voices" if evaluation["synthetic"] else ""),
            metric_value=round(entry[figure], 4),
        )
        for (name, config), entry in entries.items()
        for metric_type, figure in METRIC_TYPES.items()
        if figure in entry
    ]


def _training_data(trained_on: dict[str, dict]) -> str:
    lines = ["| corpus | clips | speakers |", "|---|---|---|"]
    for corpus, counts in trained_on.items():
        lines.append(f"| {corpus or 'not named'} | {counts['n_clips']:,} | {counts['n_speakers'] or 'unknown'} |")
    return "\n".join(lines)


def _test_text(test: dict | None) -> str:
    return f"{TEST}\n\n{report.brief_table({'the checkpoint': test}, 'test speakers')}\n\n" if test else ""


def _study_text(study: dict) -> str:
    if not study:
        return ""
    return f"### Other protocols, degraded sound\n\n{STUDY}\n\n{report.study_tables(study)}\n\n"


def _cost(training: dict | None) -> str:
    if not training:
        return ""
    return f"\nTraining took {training['seconds'] / 60:.0f} minutes on {training['processor']}. Its energy was not measured.\n"


def hub_name(base: dict | None) -> str | None:
    """The name of what the weights started from, where it is one on the Hub; a folder's has no owner."""
    return base["name"] if base and "/" in base["name"] else None


def origin(base: dict | None) -> str:
    """What the weights started from, in words."""
    if not base:
        return "trained from scratch"
    name = hub_name(base)
    return f"fine-tuned from [{name}](https://huggingface.co/{name})" if name else f"fine-tuned from `{base['name']}`"


def model_license(dataset_card: dict, base: dict | None) -> str | None:
    """The strictest that data and base state, the first of equals; a permissive one only where none of them is silent."""
    origins = [dataset_card, base] if base else [dataset_card]
    return max((license for origin in origins for license in licenses(origin) or [None]), key=_strictness)


def _strictness(license: str | None) -> list[bool]:
    words = set((license or "unknown").lower().split("-"))
    return [not words.isdisjoint(named) for named in STRICTEST_FIRST]


def licenses(card: dict) -> list[str]:
    """A card states one licence, several, or none."""
    return np.atleast_1d(card.get("license") or []).tolist()


def license_text(dataset_card: dict, base: dict | None) -> str:
    """Under which licences the data and the base are, and what follows."""
    sentences = [_terms("The training data", "are", licenses(dataset_card))]
    if base:
        sentences.append(_terms("The model that it was fine-tuned from", "is", base["license"]))
    return " ".join([*sentences, "The code is under Apache-2.0."])


def _terms(origin: str, verb: str, licenses: list[str]) -> str:
    if not licenses:
        return f"{origin} states no licence: find out what it permits before you share this model."
    return f"{origin} {verb} under {', '.join(licenses)}; what these ask for holds for the model too."


# Words of the Hub's names of licences. Whoever asks to share alike goes before whoever allows no derivatives: only the
# former says which licence a model of the data is under.
STRICTEST_FIRST = (
    {"nc", "noncommercial"},
    {"sa", "odbl", "gpl", "agpl", "lgpl"},
    {"nd"},
    {"other", "unknown"},
)

VOICES_SHARED = "Voices may be shared between training and these clips, so the figures flatter the model."

SYNTHETIC_WARNING = """
> **Trained on synthetic voices.** A demonstration that the line from corpus to checkpoint works. Every figure here is
> on synthetic voices, and says nothing about people.
"""

TEST = """### Test speakers

Nothing was chosen by them: neither recipe, nor temperature, nor threshold. Among the corpus's own labels."""

STUDY = """A model was trained anew for each protocol, by this checkpoint's recipe but for what the line names. Accuracy and UAR are among the
corpus's own labels. `by-file` shares voices between training and test, and shows what figures obtained that way are worth.
`plain` is another network. The table of sounds is of this checkpoint, on the clips of the first table, degraded."""

CARD = """---
{metadata}
---

# {name}
{warning}
A mel-spectrogram CNN that names the emotion acted in a clip of speech: {labels}. {n_parameters} parameters,
{origin} on {dataset}.

## Use

```python
from transformers import pipeline

classifier = pipeline("audio-classification", model=".", trust_remote_code=True)
waveform = classifier.feature_extractor.read("clip.wav")  # any format, sampling rate and number of channels
print(classifier(waveform))
```

The model brings its own code: from the Hub, add `revision=` and a commit that you trust. It needs transformers, torch,
soundfile and soxr.

- The probabilities are calibrated: the temperature, chosen on validation speakers, is inside the model. Below
  `model.config.unsure_threshold`, answers are more often wrong than right.
- `model(**inputs).unlikeness` says how unlike the training data a clip is. Above 1, trust the label less.
- `model.adapt(waveforms)` returns a model that is used to a voice or a place, from some clips without labels.
- `model.timeline` hears long recordings, `model.stream` a microphone; `model.saliency` shows what spoke for a label.

## Figures

{title}. {voices} Brackets are 95 % intervals, bootstrapped over speakers. Figures are among the labels that the clip's own
corpus has, unless "any label" is said.

{table}

{test}{pictures}

{study}`evaluation.json` has the recall of every class, every speaker's figures and the confusion matrices;
`evaluate.load("metrics.py")` computes them.

## Intended use and limits

For research and teaching on acted speech. Actors play emotions more clearly than people show them, in studios. On
spontaneous speech, in another language, for a child or a bad microphone the model is often wrong. It must not be used to
judge people: not in hiring, schools, policing, medicine, credit or at borders, nor to watch anyone without consent.

## Training

{dataset}, of which the weights have heard:

{trained_on}
{cost}
## Licence

{license}
"""
