"""A checkpoint with the code that belongs to it, from a folder or from the Hub."""

import re
from pathlib import Path

import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from modeling.model_files import in_plain_words, modules_elsewhere

CHECKPOINT = Path(__file__).parent / "checkpoint"


def load_model(name: str | Path = CHECKPOINT, revision: str | None = None):
    """Loads a classifier and its feature extractor with the code that belongs to them.

    Args:
        name: Folder of a model, or its name on the Hub.
        revision: Commit on the Hub, 40 hexadecimal digits: branches and tags can come to mean other code.

    Returns:
        The model, in evaluation mode on the accelerator if there is one, and its feature extractor.

    Raises:
        ValueError: There is no such model, it is not complete, or it would run code from the Hub at no fixed commit.
    """
    folder = Path(name)
    if revision is not None and not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(f"revision is {revision!r}, but code is run at a fixed commit only: give its 40 digits")
    if revision is None and not (folder / "config.json").is_file():
        remedy = "`uv run train.py` trains one and writes build/model, to be given as --model build/model"
        if not folder.is_dir() and str(name).count("/") == 1:
            remedy += f"; for the Hub's {name}, add --revision and the commit whose code you trust"
        raise ValueError(f"there is no model in {folder}: {remedy}")
    if revision is None and (modules := modules_elsewhere(folder)):
        raise ValueError(
            f"the model in {folder} would run {', '.join(modules)} from the Hub: add --revision and the commit of that "
            "code which you trust"
        )
    options = {"trust_remote_code": True, "revision": revision, "code_revision": revision}
    with in_plain_words(name):
        model, report = AutoModelForAudioClassification.from_pretrained(str(name), output_loading_info=True, **options)
        feature_extractor = AutoFeatureExtractor.from_pretrained(str(name), **options)
    if not hasattr(model, "timeline"):
        raise ValueError(f"the model {name} is a {model.config.model_type}, but a mel_cnn is needed")
    if report["missing_keys"]:
        raise ValueError(f"the model {name} lacks {', '.join(sorted(report['missing_keys']))}: it would guess")
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
    return model.eval().to(device), feature_extractor
