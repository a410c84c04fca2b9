"""Publishes a checkpoint as a model repository on the Hugging Face Hub: weights, code, card and metric.

    uv run -m modeling.publish --repo-id you/model --dry-run      # what would go up; needs no network
    uv run -m modeling.publish --repo-id you/model                # modeling/checkpoint
    uv run -m modeling.publish build/model --repo-id you/model    # one that train.py wrote
    uv run -m modeling.publish --repo-id you/model --dataset you/corpus       # its card then names the dataset on the Hub

It needs a token with write access: `hf auth login`, or the environment variable HF_TOKEN. A second run sends only what
changed. The card goes up with the repository's name in its snippet. Only safetensors, ONNX, JSON, code, pictures and texts go up: no file that could hold a pickle.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from data_scripts.terminal import end_quietly_while_loading

if __name__ == "__main__":
    end_quietly_while_loading()

from huggingface_hub import ModelCard

from data_scripts.hub import (
    add_publish_arguments,
    card_metadata,
    check_name,
    copy_to_publish,
    publish_folder,
    replace_text,
    report_errors,
)

CHECKPOINT = Path(__file__).parent / "checkpoint"
REQUIRED_FILES = ("README.md", "config.json", "preprocessor_config.json", "model.safetensors")
MODEL_FILES = ("*.safetensors", "onnx/*.onnx", "*.json", "*.py", "*.md", "*.png", "*.svg", "*.csv", "LICENSE*")
THIS_FOLDER = 'model="."'  # in the card's snippet
WORK_FILES = ("checkpoint-*", "runs/*", "*__pycache__*")


def publish_model(folder: Path, repo_id: str, *, dataset: str | None = None, **options) -> str | None:
    """Publishes a checkpoint folder that `train.py` wrote.

    Args:
        folder: such as ``build/model``.
        repo_id: ``owner/name``.
        dataset: ``owner/name`` of the dataset on the Hub that the model was trained and evaluated on, for its card.
        options: ``private``, ``revision``, ``dry_run`` and ``token`` of `data_scripts.hub.publish_folder`.

    Returns:
        The commit that the branch stands at, None for a dry run.

    Raises:
        ValueError: the folder is not a whole checkpoint, or `publish_folder` says why not.
    """
    if missing := [name for name in _required_files(folder) if not (folder / name).is_file()]:
        raise ValueError(
            f"{folder} is not a whole checkpoint, it lacks {', '.join(missing)}; `uv run train.py` writes one"
        )
    card_metadata(folder)
    check_name(repo_id)
    if dataset:
        check_name(dataset)
    with copy_to_publish(folder) as staged:
        write_published_card(staged, repo_id, dataset)
        return publish_folder(staged, repo_id, "model", allow=MODEL_FILES, ignore=WORK_FILES, **options)


def write_published_card(folder: Path, repo_id: str, dataset: str | None = None) -> None:
    """Names in a folder's card what only the Hub knows: the repository, in the snippet, and the dataset.

    Args:
        folder: The model's folder, whose ``README.md`` is replaced.
        repo_id: ``owner/name``.
        dataset: ``owner/name``; the card's `datasets` and the dataset of its results stay as they are if not given.
    """
    card = (folder / "README.md").read_text(encoding="utf-8")
    if dataset:
        described = ModelCard(card, ignore_metadata_errors=True)
        described.data.datasets = [dataset]
        for result in described.data.eval_results or []:
            result.dataset_type = dataset
        card = str(described)
    replace_text(folder / "README.md", card.replace(THIS_FOLDER, f'model="{repo_id}"'))


def _required_files(folder: Path) -> Iterator[str]:
    """Weights, card and configurations, and the code that the configurations name."""
    yield from REQUIRED_FILES
    for name in ("config.json", "preprocessor_config.json"):
        path = folder / name
        auto_map = json.loads(path.read_text()).get("auto_map", {}) if path.is_file() else {}
        # A class of another repository is written owner/name--module.Class and loaded from there.
        yield from {f"{target.split('.')[0]}.py" for target in auto_map.values() if "--" not in target}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=CHECKPOINT, help="default: modeling/checkpoint")
    parser.add_argument("--dataset", metavar="OWNER/NAME", help="the dataset on the Hub that it was trained on")
    add_publish_arguments(parser)
    report_errors(publish_model, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
