"""The folder of a finished model, file for file the repository that it becomes: weights, code, figures and card."""

import json
import shutil
from pathlib import Path

import numpy as np
from huggingface_hub import EvalResult, ModelCard, ModelCardData, hf_hub_download, metadata_load
from huggingface_hub.errors import RemoteEntryNotFoundError
from safetensors.torch import load_file, save_file
from transformers import TrainerState
from transformers.utils import SAFE_WEIGHTS_NAME
from yaml import YAMLError

from data_scripts.staging import whole_file, whole_folder
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training import report
from modeling.training.evaluation import METRICS

SAVES = 300.0  # s to wait for others


def save_model(
    folder: Path,
    model: MelCNNForAudioClassification,
    evaluation: dict,
    history: list[dict],
    dataset_card: dict,
    base: dict | None = None,
) -> None:
    """Writes the folder that is published: weights, code, metrics, figures and card. It appears whole or not at all.

    Another save to the same folder is waited for: of two, the later one stays, whole.

    What the weights started from (`read_base`) stands in `evaluation.json` too, where whoever renews the card finds it.
    """
    if base:
        evaluation = {**evaluation, "base_model": base}
    with whole_folder(folder, wait=SAVES) as staging:
        model.save_pretrained(staging)
        MelCNNFeatureExtractor(sampling_rate=model.config.sampling_rate).save_pretrained(staging)
        shutil.copy(METRICS, staging)
        report.write_report(staging, evaluation, history)
        write_card(staging, evaluation, dataset_card, model.num_parameters())


def write_card(folder: Path, evaluation: dict, dataset_card: dict, n_parameters: int) -> None:
    """Writes the model card with its `model-index`.

    Args:
        folder: The model's folder, its report already in it.
        evaluation: As for `write_report`, with `trained_on` as `composition` returns it; `base_model`, if it is there, as
            `read_base` does.
        dataset_card: Metadata of the dataset's card: `license`, `pretty_name`; empty for own data without a card.
        n_parameters: Size of the model.
    """
    synthetic = evaluation["synthetic"]
    base = evaluation.get("base_model")
    entry = evaluation["all"]["own_labels"]
    name = "mel-emotion, synthetic demo" if synthetic else "mel-emotion"
    data = ModelCardData(
        model_name=name,
        language=dataset_card.get("language"),
        license=_model_license(dataset_card, base),
        base_model=_hub_name(base),
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=["speech-emotion-recognition", "mel-spectrogram", "custom_code"] + ["synthetic"] * synthetic,
        metrics=["accuracy", "recall", "f1"],
        eval_results=[
            EvalResult(
                task_type="audio-classification",
                dataset_type="synthetic" if synthetic else "audio",
                dataset_name=report.title(evaluation),
                dataset_split=evaluation["split"],
                metric_type=metric_type,
                metric_name=report.SHORT_NAMES[figure] + (" on synthetic voices" if synthetic else ""),
                metric_value=round(entry[figure], 4),
            )
            for metric_type, figure in (
                ("accuracy", "accuracy"),
                ("recall", "unweighted_average_recall"),
                ("f1", "macro_f1"),
            )
        ],
    )
    pictures = [f"![{path.stem}]({path.name})" for path in sorted(folder.glob("*.png"))]
    card = CARD.format(
        metadata=data.to_yaml(),
        name=name,
        warning=SYNTHETIC_WARNING if synthetic else "",
        labels=", ".join(evaluation["labels"]),
        n_parameters=f"{n_parameters / 1e6:.2f} million",
        origin=_origin(base),
        dataset=dataset_card.get("pretty_name", evaluation["dataset"]),
        trained_on=_training_data(evaluation["trained_on"]),
        title=report.title(evaluation),
        voices="No speaker of these clips was trained on." if evaluation["unseen_speakers"] else VOICES_SHARED,
        table=report.table(evaluation),
        study=_study_text(folder / "study.json"),
        pictures="\n\n".join(pictures),
        license=_license_text(dataset_card, base),
    )
    with whole_file(folder / "README.md") as file:
        ModelCard(card).save(file)


def _training_data(trained_on: dict[str, dict]) -> str:
    lines = ["| corpus | clips | speakers |", "|---|---|---|"]
    for corpus, counts in trained_on.items():
        lines.append(f"| {corpus or 'not named'} | {counts['n_clips']:,} | {counts['n_speakers'] or 'unknown'} |")
    return "\n".join(lines)


def _study_text(file: Path) -> str:
    if not file.is_file():
        return ""
    return f"{STUDY}\n\n{report.study_tables(json.loads(file.read_text()))}\n\n"


def complete_save(folder: Path, state: TrainerState, dataset_card: dict, base: dict | None = None) -> None:
    """Adds to a save in the middle of training what it lacks to be published: metric and card, which claims no figures.

    What only training needs is left out of the weights.
    """
    weights = load_file(folder / SAFE_WEIGHTS_NAME)
    weights = {name: values for name, values in weights.items() if not name.startswith("sentence_head.")}
    save_file(weights, folder / SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
    shutil.copy(METRICS, folder)
    data = ModelCardData(
        license=_model_license(dataset_card, base),
        base_model=_hub_name(base),
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=["speech-emotion-recognition", "mel-spectrogram", "custom_code"]
        + ["synthetic"] * ("synthetic" in dataset_card.get("tags", [])),
    )
    card = PROGRESS_CARD.format(
        metadata=data.to_yaml(),
        origin=_origin(base),
        step=state.global_step,
        n_steps=state.max_steps,
        license=_license_text(dataset_card, base),
    )
    ModelCard(card).save(folder / "README.md")


def read_base(name_or_path: str | None) -> dict | None:
    """What a card says of the checkpoint that training starts from; None where it starts from nothing.

    Args:
        name_or_path: A folder, or `owner/name` on the Hub.

    Returns:
        `name`, of a folder its own and not its path on this machine, and `license`, the list of those that its card states.

    Raises:
        ValueError: The card cannot be read. That there is none is no error.
    """
    if name_or_path is None:
        return None
    folder = Path(name_or_path)
    try:
        file = folder / "README.md" if folder.is_dir() else Path(hf_hub_download(name_or_path, "README.md"))
        card = metadata_load(file) if file.is_file() else None
    except RemoteEntryNotFoundError:
        card = None
    except (OSError, ValueError, YAMLError) as error:
        raise ValueError(
            f"--model_name_or_path {name_or_path}: its card, which states its licence, cannot be read; name a model's folder, "
            f"or a model on the Hub that you may read ({' '.join(str(error).split())})"
        ) from error
    return {"name": folder.resolve().name if folder.is_dir() else name_or_path, "license": _licenses(card or {})}


def _hub_name(base: dict | None) -> str | None:
    """The name of what the weights started from, where it is one on the Hub; a folder's has no owner."""
    return base["name"] if base and "/" in base["name"] else None


def _origin(base: dict | None) -> str:
    if not base:
        return "trained from scratch"
    name = _hub_name(base)
    return f"fine-tuned from [{name}](https://huggingface.co/{name})" if name else f"fine-tuned from `{base['name']}`"


def _model_license(dataset_card: dict, base: dict | None) -> str | None:
    """The strictest that data and base state, the first of equals; a permissive one only where none of them is silent."""
    origins = [dataset_card, base] if base else [dataset_card]
    return max((license for origin in origins for license in _licenses(origin) or [None]), key=_strictness)


def _strictness(license: str | None) -> list[bool]:
    words = set((license or "unknown").lower().split("-"))
    return [not words.isdisjoint(named) for named in STRICTEST_FIRST]


def _licenses(card: dict) -> list[str]:
    """A card states one licence, several, or none."""
    return np.atleast_1d(card.get("license") or []).tolist()


def _license_text(dataset_card: dict, base: dict | None) -> str:
    sentences = [_terms("The training data", "are", _licenses(dataset_card))]
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

STUDY = """Trained anew for every protocol, by this checkpoint's recipe but for what is named; accuracy and UAR among the corpus's own
labels. `by-file` shares voices between training and test, and shows what figures obtained that way are worth; `plain` is
another network. Below it, this checkpoint on the same clips as above, degraded."""

PROGRESS_CARD = """---
{metadata}
---

# mel-emotion, training in progress

Weights after {step} of {n_steps} steps, {origin}. Figures follow when the training has ended.

## Licence

{license}
"""

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
from transformers.audio_utils import load_audio

classifier = pipeline("audio-classification", model="<this repository>", revision="<commit>", trust_remote_code=True)
classifier(load_audio("clip.wav", sampling_rate=16_000))
```

Probabilities are calibrated: the temperature, chosen on validation speakers, is inside the model.

## Figures

{title}. {voices} Intervals hold 95 %, bootstrapped over speakers. Among the labels that the clip's own corpus has, unless
"any label" is said.

{table}

{pictures}

{study}`evaluation.json` has the recall of every class, every speaker's figures and the confusion matrices;
`evaluate.load("metrics.py")` computes them.

## Intended use and limits

For research and teaching on acted speech in English. Actors play emotions more clearly than people show them, in studios;
on spontaneous speech, another language, a child or a bad microphone the model is often wrong. It must not be used to judge
people: not in hiring, schools, policing, medicine, credit or at borders, nor to watch anyone without consent.

## Training data

{dataset}, of which the weights have heard:

{trained_on}

## Licence

{license}
"""
