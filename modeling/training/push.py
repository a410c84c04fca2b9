"""Pushes to the Hub while training: each push is a whole model repository, with card, licence and code, and no pickle.

`Trainer`'s own pushes replace the card by one of its own and send `training_args.bin` and the optimiser's state, which are
pickles. So `train.py` takes the pushing over: the options keep their names and meanings.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import HubStrategy

from data_scripts.hub import check_access, create_repository, publish_folder
from data_scripts.staging import temporary_folder, whole_folder
from modeling.publish import MODEL_FILES, write_published_card

PICKLES = ("*.pt", "*.pth", "*.bin", "*.pkl")
IN_REPOSITORY = {HubStrategy.CHECKPOINT: "last-checkpoint", HubStrategy.ALL_CHECKPOINTS: "checkpoint-{step}"}


class PushToHub(TrainerCallback):
    """Publishes what `Trainer` saves, as ``--hub_strategy`` says, and the finished model.

    ``end`` publishes the finished model alone, ``every_save`` the weights of every save too. ``checkpoint`` keeps the last
    save in a folder ``last-checkpoint`` beside them, and ``all_checkpoints`` every save in a folder of its own; the
    optimiser's state, a pickle, stays in the output folder, which is where training is resumed from.

    What is kept lies in ``pushed`` in the output folder until the model is finished and published, so that a run that is
    resumed there goes on with it. A run from the start begins with none: from its first push on, the repository holds the
    saves of this run alone (the repository's history has the others).

    Args:
        args: those of the run; their ``push_to_hub`` is switched off, so that `Trainer` does not push as well.
        complete: given the folder of a save and the trainer's state, adds what a save lacks: card and metric.

    Raises:
        ValueError: the repository cannot be written to, said before anything is trained.
    """

    def __init__(self, args: TrainingArguments, complete: Callable[[Path, TrainerState], None]):
        if not args.hub_model_id:
            raise ValueError("--push_to_hub needs to know where to: --hub_model_id OWNER/NAME")
        args.push_to_hub = False
        self.complete = complete
        self.strategy = HubStrategy(args.hub_strategy)
        # Its folders are called by the step: one called checkpoint-8 would go with the run's own, before the last push.
        self.saves = Path(args.output_dir, "pushed")
        self.repo_id = args.hub_model_id
        self.where = {"private": bool(args.hub_private_repo), "revision": args.hub_revision}
        if args.process_index == 0:
            self.where["token"] = check_access(self.repo_id, args.hub_token)
            create_repository(self.repo_id, "model", **self.where)
        args.hub_token = None  # `Trainer` writes its arguments into every checkpoint

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Takes up the saves that a resumed run has kept, and the one that it resumes from, or starts with none."""
        if not state.is_world_process_zero:
            return
        if state.global_step == 0:
            shutil.rmtree(self.saves, ignore_errors=True)
        else:  # the interruption may have come before the save was kept
            self._keep(Path(args.output_dir, f"checkpoint-{state.global_step}"), state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Publishes the save; where that fails, training goes on and the next save is the next try."""
        if self.strategy == HubStrategy.END or not state.is_world_process_zero:
            return
        saved = Path(args.output_dir, f"checkpoint-{state.global_step}")
        self._keep(saved, state.global_step)
        with temporary_folder() as staged:
            work_files = shutil.ignore_patterns(*PICKLES, "trainer_state.json")
            shutil.copytree(saved, staged, ignore=work_files, dirs_exist_ok=True)
            self.complete(staged, state)
            try:
                self._push(staged, report=lambda line: None)
                print(f"step {state.global_step}: pushed to {self.repo_id}")
            except ValueError as error:
                print(f"step {state.global_step}: not pushed, training goes on: {error}")

    def publish(self, model: Path) -> None:
        """Makes the repository equal to a finished model's folder, with the saves that the strategy keeps beside it.

        Raises:
            ValueError: it could not be published; one line with the remedy.
        """
        self._push(model, report=print)
        shutil.rmtree(self.saves, ignore_errors=True)

    def _push(self, model: Path, report: Callable[[str], None]) -> None:
        with temporary_folder() as staged:
            shutil.copytree(model, staged, ignore=shutil.ignore_patterns(*PICKLES), dirs_exist_ok=True)
            for kept in self.saves.glob("[0-9]*"):
                shutil.copytree(kept, Path(staged, IN_REPOSITORY[self.strategy].format(step=kept.name)))
            write_published_card(staged, self.repo_id)
            publish_folder(staged, self.repo_id, "model", allow=MODEL_FILES, report=report, **self.where)

    def _keep(self, saved: Path, step: int) -> None:
        """Copies a save, but for its pickles, to where neither `Trainer` nor an interruption removes it."""
        if self.strategy in IN_REPOSITORY and saved.is_dir():  # a run can be resumed from another folder's save
            with whole_folder(self.saves / str(step)) as staging:
                shutil.copytree(saved, staging, ignore=shutil.ignore_patterns(*PICKLES), dirs_exist_ok=True)
        if self.strategy != HubStrategy.ALL_CHECKPOINTS:
            for kept in self.saves.glob("[0-9]*"):
                if kept.name != str(step):
                    shutil.rmtree(kept)
