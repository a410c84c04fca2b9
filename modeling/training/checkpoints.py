"""The checkpoints of an unfinished run: which of them are whole, and which one to go on from."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.utils import SAFE_WEIGHTS_NAME

from data_scripts.terminal import say


def checkpoints(directory: Path) -> list[Path]:
    """The checkpoints in a folder, whole or not, the latest first."""
    found = [path for path in directory.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), reverse=True)


def newest_whole(directory: Path, report: Callable[[str], None] = say) -> Path | None:
    """The latest checkpoint that can be gone on from; what is passed over is reported with the reason."""
    for checkpoint in checkpoints(directory):
        if not (problem := problem_of(checkpoint)):
            return checkpoint
        report(f"{checkpoint} is passed over: {problem}, as after a kill or a full disk")
    return None


def check_labels(output_dir: Path, resume: str | None, label_names: list[str]) -> None:
    """Refuses to go on with a run that learned other labels.

    Args:
        output_dir: Of the run.
        resume: `--resume_from_checkpoint`: a checkpoint, or True for the latest in `output_dir`.
        label_names: Of the dataset.

    Raises:
        ValueError: With both labels.
    """
    if resume is None:
        return
    folders = output_dir.glob("**/checkpoint-*") if resume.lower() == "true" else [Path(resume)]
    for file in (folder / "config.json" for folder in folders):
        try:
            labels = list(json.loads(file.read_text())["id2label"].values())
        except (OSError, ValueError, KeyError, AttributeError):
            continue  # not whole, which is said where it is gone on from
        if labels != label_names:
            raise ValueError(
                f"--resume_from_checkpoint: {file.parent} has {len(labels)} labels ({', '.join(map(str, labels))}), the dataset "
                f"{len(label_names)} ({', '.join(label_names)}): name the dataset that it was trained on, or start again by "
                "--overwrite_output_dir."
            )


def problem_of(checkpoint: Path) -> str | None:
    """Why a checkpoint cannot be gone on from; None where it is whole.

    `Trainer` writes its state last, so where that is there the other files were written too; but after a crash of the
    machine any of them may be cut off, and each is read.
    """
    if not checkpoint.is_dir():
        return "there is no such folder"
    for name in (TRAINER_STATE_NAME, SAFE_WEIGHTS_NAME, OPTIMIZER_NAME, SCHEDULER_NAME):
        if not (checkpoint / name).is_file():
            return f"it lacks {name}"
    if not any(checkpoint.glob("rng_state*.pth")):  # a run would go on without it, but come to another model
        return "it lacks rng_state.pth"
    for path in sorted(checkpoint.iterdir()):
        try:
            _read(path)
        except (OSError, ValueError, SafetensorError, zipfile.BadZipFile) as error:
            return f"{path.name} is damaged ({error})"
    return None


def _read(path: Path) -> None:
    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".safetensors":
        with safe_open(path, "pt") as weights:
            weights.keys()
    elif path.suffix in (".pt", ".pth", ".bin"):
        with zipfile.ZipFile(path) as archive:  # not by torch.load, which would run what a pickle says
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} in it does not have its checksum")
