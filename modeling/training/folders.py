"""The folders that a run of train.py writes: which they are, what must not be destroyed there, what an end leaves."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from accelerate.utils import broadcast_object_list

from data_scripts.staging import check_place, claim, standing
from data_scripts.terminal import say
from modeling.training.checkpoints import checkpoints, problem_of
from modeling.training.data import DataArguments
from modeling.training.evaluation import name_of, protocol
from modeling.training.recipe import ModelArguments, RecipeArguments


def folders_of(
    model_arguments: ModelArguments, data_arguments: DataArguments, training_arguments: RecipeArguments
) -> list[Path]:
    """The folders that a run writes: that of its result first."""
    one_model = training_arguments.do_train and data_arguments.folds == 1
    result = model_arguments.model_dir if one_model else model_arguments.evaluation_dir
    return [result, Path(training_arguments.output_dir)] if training_arguments.do_train else [result]


@contextmanager
def claim_for_all(outputs: list[Path], training_arguments: RecipeArguments) -> Iterator[None]:
    """Claims folders by the first process of a run; where another run has them, all processes are told.

    Raises:
        ValueError: as `claim`, in every process.
    """
    refusal = [None]
    with ExitStack() as stack:
        if training_arguments.process_index == 0:
            try:
                stack.enter_context(claim(*outputs, report=say))
            except (ValueError, OSError) as error:
                refusal = [str(error)]
        broadcast_object_list(refusal)
        if refusal[0]:
            raise ValueError(refusal[0])
        yield


def check_folders(
    model_arguments: ModelArguments, data_arguments: DataArguments, training_arguments: RecipeArguments, n_folds: int
) -> None:
    """Refuses to train where that would destroy another model, or the checkpoints of an unfinished run."""
    if not training_arguments.do_train:
        return
    resume = training_arguments.resume_from_checkpoint
    if resume and resume.lower() != "true" and (problem := problem_of(Path(resume))):
        raise ValueError(
            f"--resume_from_checkpoint {resume}: {problem}; --resume_from_checkpoint True goes on from the last whole one."
        )
    model_dir, evaluation = model_arguments.model_dir, model_arguments.model_dir / "evaluation.json"
    if n_folds == 1:
        check_place(model_dir)
    holds_something = n_folds == 1 and model_dir.exists() and any(model_dir.iterdir())  # several leave no model
    if holds_something and not (model_dir / "config.json").is_file():
        raise ValueError(
            f"{model_dir} holds something else than a model and is not replaced: choose another --model_dir."
        )
    if model_arguments.overwrite_output_dir:
        return
    if holds_something:
        of_model = json.loads(evaluation.read_text()) if evaluation.is_file() else {}
        found = [of_model.get(name, "unknown") for name in ("dataset", "protocol")]
        wanted = [name_of(data_arguments), protocol(data_arguments)]
        if found != wanted:
            raise ValueError(
                f"{model_dir} is a model of {', '.join(found)}; this run is of {', '.join(wanted)}: choose another "
                "--model_dir, or replace it by --overwrite_output_dir."
            )
    unfinished = sorted(Path(training_arguments.output_dir).glob("**/checkpoint-*"))
    if unfinished and not training_arguments.resume_from_checkpoint and not data_arguments.is_demo:
        raise ValueError(
            f"{training_arguments.output_dir} holds an unfinished run ({unfinished[-1].name}): go on with it by "
            "--resume_from_checkpoint True, start again by --overwrite_output_dir, or choose another --output_dir."
        )


def kept(outputs: list[Path], before: tuple[int, int] | None) -> str:
    """What is left where a run ends early, and how to go on."""
    result = standing(outputs[0], before)
    if len(outputs) == 1:
        return f"{result}; run again"
    saved = [path for folder in (outputs[1], *outputs[1].glob("fold-*")) for path in checkpoints(folder)]
    if saved:
        go_on = "the same command with --resume_from_checkpoint True goes on from the last whole one"
        return f"{result}; {saved[0]} is kept: {go_on}"
    return f"{result}; no checkpoint was written yet, run again"
