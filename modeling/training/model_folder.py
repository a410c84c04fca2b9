"""The folder of a finished model, file for file the repository that it becomes: weights, code, figures and card."""

import platform
import shutil
from pathlib import Path

import torch
from huggingface_hub import ModelCard, ModelCardData, hf_hub_download, metadata_load
from huggingface_hub.errors import RemoteEntryNotFoundError
from safetensors.torch import load_file, save_file
from transformers import TrainerState
from transformers.utils import SAFE_WEIGHTS_NAME
from yaml import YAMLError

from data_scripts.staging import whole_folder
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training import report
from modeling.training.evaluation import METRICS
from modeling.training.model_card import TAGS, hub_name, license_text, licenses, model_license, origin, write_card

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

    What the weights started from (`read_base`), and how long the training took on which processor, stand in
    `evaluation.json` too, where whoever renews the card finds it.
    """
    if base:
        evaluation = {**evaluation, "base_model": base}
    if seconds := [entry["train_runtime"] for entry in history if "train_runtime" in entry]:
        evaluation = {**evaluation, "training": {"seconds": round(seconds[-1]), "processor": processor(model.device)}}
    with whole_folder(folder, wait=SAVES) as staging:
        model.save_pretrained(staging)
        MelCNNFeatureExtractor(sampling_rate=model.config.sampling_rate).save_pretrained(staging)
        shutil.copy(METRICS, staging)
        report.write_report(staging, evaluation, history)
        write_card(staging, evaluation, dataset_card, model.num_parameters())


def processor(device: torch.device) -> str:
    """The name of what computes: of a GPU, or of the processor, as far as the system tells it, with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    n_threads = torch.get_num_threads()
    return f"{named[0] if named else platform.processor() or platform.machine()}, {n_threads} thread{'s' * (n_threads > 1)}"


def complete_save(folder: Path, state: TrainerState, dataset_card: dict, base: dict | None = None) -> None:
    """Adds to a save in the middle of training what it lacks to be published: metric and card, which claims no figures.

    What only training needs is left out of the weights.
    """
    weights = load_file(folder / SAFE_WEIGHTS_NAME)
    weights = {name: values for name, values in weights.items() if not name.startswith("sentence_head.")}
    save_file(weights, folder / SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
    shutil.copy(METRICS, folder)
    data = ModelCardData(
        license=model_license(dataset_card, base),
        base_model=hub_name(base),
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=[*TAGS, *["synthetic"] * ("synthetic" in dataset_card.get("tags", []))],
    )
    card = PROGRESS_CARD.format(
        metadata=data.to_yaml(),
        origin=origin(base),
        step=state.global_step,
        n_steps=state.max_steps,
        license=license_text(dataset_card, base),
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
    return {"name": folder.resolve().name if folder.is_dir() else name_or_path, "license": licenses(card or {})}


PROGRESS_CARD = """---
{metadata}
---

# mel-emotion, training in progress

Weights after {step} of {n_steps} steps, {origin}. Figures follow when the training has ended.

## Licence

{license}
"""
