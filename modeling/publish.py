"""Publishes a checkpoint as a model repository on the Hugging Face Hub: weights, code, card and metric.

    uv run -m modeling.publish --repo-id you/model --dry-run      # what would go up; needs no network
    uv run -m modeling.publish --repo-id you/model                # modeling/checkpoint
    uv run -m modeling.publish build/model --repo-id you/model    # one that train.py wrote

It needs a token with write access: `hf auth login`, or the environment variable HF_TOKEN. A second run sends only what
changed. Only safetensors, ONNX, JSON, code, pictures and texts go up: no file that could hold a pickle.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from data_scripts.terminal import end_quietly_while_loading

if __name__ == "__main__":
    end_quietly_while_loading()

from data_scripts.hub import add_publish_arguments, card_metadata, publish_folder, report_errors

CHECKPOINT = Path(__file__).parent / "checkpoint"
REQUIRED_FILES = ("README.md", "config.json", "preprocessor_config.json", "model.safetensors")
MODEL_FILES = ("*.safetensors", "onnx/*.onnx", "*.json", "*.py", "*.md", "*.png", "*.svg", "*.csv", "LICENSE*")
WORK_FILES = ("checkpoint-*", "runs/*", "*__pycache__*")


def publish_model(folder: Path, repo_id: str, **options) -> str | None:
    """Publishes a checkpoint folder that `train.py` wrote.

    Args:
        folder: such as ``build/model``.
        repo_id: ``owner/name``.
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
    return publish_folder(folder, repo_id, "model", allow=MODEL_FILES, ignore=WORK_FILES, **options)


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
    add_publish_arguments(parser)
    report_errors(publish_model, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
