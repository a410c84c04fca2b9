"""Trains and evaluates the mel-spectrogram CNN.

    uv run train.py                                        a synthetic demo corpus, made on the spot: the whole line in a minute
    uv run train.py --dataset_name build/corpus            the real corpora (data_scripts.build makes build/corpus)
    uv run train.py --dataset_name my_folder --label_column_name label      own data: one sub-folder of audio per class
    uv run train.py --dataset_name build/corpus --resume_from_checkpoint True                 after an interruption
    uv run train.py --dataset_name build/corpus --do_train False --model_name_or_path build/model         evaluation alone
    uv run train.py --dataset_name build/corpus --model_dir build/plain --augmentation False \\
        --model_config '{"architecture": "plain", "width": 16}'                               the plain CNN
    uv run train.py --dataset_name build/corpus --push_to_hub --hub_model_id you/model        and publish the model
    uv run torchrun --standalone --nproc_per_node 2 train.py --dataset_name build/corpus        two CPU processes

The run's checkpoints and logs go to --output_dir (build/run), the model as it would be published to --model_dir
(build/model), which is replaced when the new one is whole. Of two runs with one of these folders the second is refused.
`uv run train.py --help` lists every argument; those of transformers' TrainingArguments all work.
"""

import copy
import shutil
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from data_scripts.terminal import command, end_quietly_while_loading, printable_lines, say, say_text

if __name__ == "__main__":
    end_quietly_while_loading()

import numpy as np
import torch
from accelerate import PartialState
from datasets import DatasetDict, concatenate_datasets
from transformers import EarlyStoppingCallback, HfArgumentParser, set_seed

from data_scripts.staging import what_stands, whole_files
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.model_files import in_plain_words
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training import report
from modeling.training.augmentation import Augmentation
from modeling.training.base import labels_of, make_model
from modeling.training.calibration import calibrate
from modeling.training.checking import check_clips
from modeling.training.checkpoints import check_labels, checkpoints, newest_whole
from modeling.training.corpus_prior import CorpusPrior, corpus_indices
from modeling.training.data import Clips, DataArguments, load, own_labels
from modeling.training.evaluation import composition, describe, evaluate_clips, protocol, score
from modeling.training.folders import check_folders, claim_for_all, folders_of, kept
from modeling.training.folds import Fold, make_folds
from modeling.training.head import refit_head
from modeling.training.model_folder import complete_save, read_base, save_model
from modeling.training.push import PushToHub
from modeling.training.recipe import ModelArguments, RecipeArguments
from modeling.training.sentence_head import SentenceHead, shared_sentences
from modeling.training.sources import load_card
from modeling.training.strangers import measure_unlikeness, note_uncommon_labels, use_clean_statistics
from modeling.training.trainer import EmotionTrainer, collator, predict

DEMO_RECIPE = {"num_train_epochs": 8, "output_dir": "build/demo-run"}
NEXT_STEPS = """
These voices are synthetic. With the real corpora (fetched from their publishers if you name no folders):

    uv run -m data_scripts.build --ravdess DIR --tess DIR --crema-d DIR --output build/corpus
    uv run train.py --dataset_name build/corpus --overwrite_output_dir
"""


def main() -> None:
    with ExitStack() as stack:
        with command(name="train.py"):
            arguments = parse_arguments()
            outputs = folders_of(*arguments)
            before = what_stands(outputs[0])
            stack.enter_context(claim_for_all(outputs, arguments[-1]))
        with command(
            partial(kept, outputs, before), "train.py", errors=(OSError,)
        ):  # a dataset that is not there, no network
            run(*arguments)


def run(model_arguments: ModelArguments, data_arguments: DataArguments, training_arguments: RecipeArguments) -> None:
    """Everything between the arguments and the finished model."""
    try:
        set_seed(training_arguments.seed)
        with training_arguments.main_process_first(desc="preparing the dataset"):
            dataset_card = prepare_dataset(data_arguments)
            check_protocol(data_arguments, training_arguments)
            say_once = say if training_arguments.process_index == 0 else lambda line: None
            labels = None if training_arguments.do_train else labels_of(model_arguments)
            splits = load(data_arguments, labels, say_once)
        folds = make_folds(splits, data_arguments, training_arguments.seed)
        check_folders(model_arguments, data_arguments, training_arguments, len(folds))
        label_names = next(iter(splits.values())).features[data_arguments.label_column_name].names
        check_labels(Path(training_arguments.output_dir), training_arguments.resume_from_checkpoint, label_names)
        make_model(
            model_arguments, label_names
        )  # each fold makes its own; that none can be made is said before work begins
        with training_arguments.main_process_first(desc="hearing every clip"):
            check_clips(used(splits, data_arguments, training_arguments.do_train), data_arguments, report=say_once)
        base = read_base(model_arguments.model_name_or_path) if training_arguments.do_train else None
        push = prepare_push(training_arguments, dataset_card, base, len(folds))
    except ValueError as error:
        raise SystemExit(printable_lines(f"train.py: {error}")) from error
    training_arguments.hub_token = None  # `Trainer` writes its arguments into every checkpoint
    possible = own_labels(splits, data_arguments)

    def figures(folds: list[Fold], probabilities: list[np.ndarray], thresholds: list[float]) -> dict:
        evaluated = concatenate_datasets([fold.evaluation for fold in folds])
        threshold = np.repeat(thresholds, list(map(len, probabilities)))
        return {
            **describe(folds, data_arguments, dataset_card),
            **evaluate_clips(np.concatenate(probabilities), evaluated, data_arguments, possible, threshold),
        }

    probabilities, thresholds, history = [], [], None
    for number, fold in enumerate(folds):
        if training_arguments.do_train:
            directory = Path(training_arguments.output_dir, f"fold-{number}" if len(folds) > 1 else "")
            model, history = train(fold, possible, directory, model_arguments, data_arguments, training_arguments, push)
        else:
            with in_plain_words(model_arguments.model_name_or_path):
                model = MelCNNForAudioClassification.from_pretrained(model_arguments.model_name_or_path)
        if training_arguments.process_index == 0:
            logits = predict(model, fold.evaluation, data_arguments, training_arguments)
            probabilities.append(torch.softmax(logits, -1).numpy())
            thresholds.append(model.config.unsure_threshold)
            if len(folds) > 1:
                of_fold = figures([fold], probabilities[-1:], thresholds[-1:])
                say_text(f"\nFold {number + 1} of {len(folds)}\n\n{report.table(of_fold)}\n")
    # Left to the interpreter's end, the processes' threads abort now and then, and take the first process with them.
    PartialState().destroy_process_group()
    if training_arguments.process_index != 0:
        return

    evaluation = figures(folds, probabilities, thresholds)
    if training_arguments.do_train and len(folds) == 1:
        folder = model_arguments.model_dir
        evaluation["trained_on"] = composition(folds[0].train, data_arguments)
        save_model(folder, model, evaluation, history, dataset_card, base)
    else:
        folder = model_arguments.evaluation_dir
        with whole_files(folder, last="evaluation.json") as staging:
            report.write_report(staging, evaluation)
    if training_arguments.do_train:  # the run is finished: what is left of it would pass for an unfinished one
        for checkpoint in Path(training_arguments.output_dir).glob("**/checkpoint-*"):
            shutil.rmtree(checkpoint)
    say_text(f"\n{report.title(evaluation)}\n\n{report.table(evaluation)}\n\nWritten to {folder}/.")
    if data_arguments.is_demo:
        print(NEXT_STEPS)
    if push:
        try:
            push.publish(folder)
        except ValueError as error:
            raise SystemExit(f"train.py: {folder} is finished, but not published: {error}") from error


def parse_arguments() -> tuple[ModelArguments, DataArguments, RecipeArguments]:
    parser = HfArgumentParser((ModelArguments, DataArguments, RecipeArguments))
    if not any(argument.split("=")[0] == "--dataset_name" for argument in sys.argv):
        parser.set_defaults(**DEMO_RECIPE)
    return parser.parse_args_into_dataclasses()


def prepare_dataset(arguments: DataArguments) -> dict:
    """Makes the demo corpus where no dataset is named; returns the metadata of the dataset's card, {} without one."""
    if arguments.dataset_name is None:
        from data_scripts.demo_corpus import build_demo_corpus

        arguments.is_demo = True
        arguments.dataset_name = str(build_demo_corpus(Path("build/demo")))
    return load_card(arguments.dataset_name)


def used(splits: DatasetDict, arguments: DataArguments, do_train: bool) -> DatasetDict:
    """The splits that are trained on, chosen by, or reported on."""
    names = {arguments.eval_split_name} | ({arguments.train_split_name, "validation"} if do_train else set())
    return DatasetDict({name: split for name, split in splits.items() if name in names})


def check_protocol(data_arguments: DataArguments, training_arguments: RecipeArguments) -> None:
    """Refuses to call voices unheard by a protocol that the model was not trained by."""
    of_training = data_arguments.leave_out or data_arguments.split_by != "official"
    if of_training and not training_arguments.do_train:
        raise ValueError(
            f"{protocol(data_arguments)}: a protocol of training, but --do_train False evaluates a model that may have "
            "heard these voices. Train by it, which evaluates as well, or name a split by --eval_split_name."
        )


def prepare_push(arguments: RecipeArguments, dataset_card: dict, base: dict | None, n_folds: int) -> PushToHub | None:
    """What pushes to the Hub where that is asked for; a name or a token that will not do is said before training."""
    if not arguments.push_to_hub:
        return None
    if not arguments.do_train or n_folds > 1:
        raise ValueError("--push_to_hub publishes the one model that is trained; modeling.publish takes any folder.")
    return PushToHub(arguments, partial(complete_save, dataset_card=dataset_card, base=base))


def train(
    fold: Fold,
    possible: dict[str, list[int]],
    directory: Path,
    model_arguments: ModelArguments,
    data_arguments: DataArguments,
    training_arguments: RecipeArguments,
    push: PushToHub | None,
) -> tuple[MelCNNForAudioClassification, list[dict]]:
    """Trains on a fold and calibrates on its validation clips; returns the model and the history."""
    set_seed(training_arguments.seed)
    model = make_model(model_arguments, fold.train.features[data_arguments.label_column_name].names)
    if model.config.width >= 16:  # with fewer channels oneDNN writes past its memory, and hangs (oneDNN's issue 6035)
        model = model.to(memory_format=torch.channels_last)  # trains an eighth faster on a CPU
    augmentation = Augmentation() if model_arguments.augmentation else None
    if augmentation:
        augmentation.attach(model)
    corpora = corpus_indices(fold.train) if model_arguments.corpus_prior else None
    sentences = shared_sentences(fold.train, data_arguments) if model_arguments.sentence_weight else None
    if sentences:
        SentenceHead(model.mel_cnn.pooling.embedding_size, sentences, model_arguments.sentence_weight).attach(model)
    feature_extractor = MelCNNFeatureExtractor(sampling_rate=model.config.sampling_rate)
    resume = training_arguments.resume_from_checkpoint
    with training_arguments.main_process_first(desc="looking for checkpoints"):
        if resume is None and training_arguments.process_index == 0:
            for checkpoint in checkpoints(directory):
                shutil.rmtree(checkpoint)
        elif resume is not None and resume.lower() == "true":
            resume = newest_whole(directory, say if training_arguments.process_index == 0 else lambda line: None)
            say(f"Going on from {resume}." if resume else f"No checkpoint in {directory}: training from the start.")

    def compute_metrics(prediction) -> dict:
        probabilities = torch.softmax(torch.as_tensor(prediction.predictions), -1).numpy()
        return score(probabilities, fold.validation, data_arguments, possible)

    rate = feature_extractor.sampling_rate
    # A network with a fixed window would learn nothing of a part that crops never fill.
    max_length = max(round(data_arguments.max_length_seconds * rate), model.config.window_length or 0)
    transform = partial(augmentation.augment_clip, sampling_rate=rate) if augmentation else None
    further = {name: values for name, values in {"corpora": corpora, "sentences": sentences}.items() if values}
    takes_best = training_arguments.load_best_model_at_end or model_arguments.early_stopping_patience > 0
    trainer = EmotionTrainer(
        model,
        copy_with(training_arguments, output_dir=str(directory), load_best_model_at_end=takes_best),
        data_collator=collator(feature_extractor),
        train_dataset=Clips(fold.train, data_arguments, rate, max_length, transform, further),
        eval_dataset=Clips(fold.validation, data_arguments, rate),
        processing_class=feature_extractor,
        compute_metrics=compute_metrics,
        class_balance=model_arguments.class_balance,
        muon=training_arguments.muon,
        filter_decay=training_arguments.filter_decay,
    )
    if model_arguments.early_stopping_patience:
        trainer.add_callback(EarlyStoppingCallback(model_arguments.early_stopping_patience))
    if push:
        trainer.add_callback(push)
    if corpora:
        weights = trainer._get_train_sampler().weights
        prior = CorpusPrior(
            corpora, trainer.train_dataset.labels, weights, model.config.num_labels, model_arguments.corpus_prior
        )
        prior.attach(model)
    trainer.train(resume_from_checkpoint=resume and str(resume))
    # From here on as it will be loaded: without mixed precision, and in the usual order in memory.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    if corpora:
        prior.detach()
    if sentences:
        model.sentence_head.detach(model)
    model = model.to(memory_format=torch.contiguous_format)
    if trainer.is_world_process_zero():
        clips, validation = (Clips(part, data_arguments, rate) for part in (fold.train, fold.validation))
        order = [draw.index for draw in trainer._get_train_sampler()]
        use_clean_statistics(model, clips, order)
        refit_head(model, clips)
        measure_unlikeness(model, clips, order, validation)
        note_uncommon_labels(model, clips)
        logits = predict(model, fold.validation, data_arguments, training_arguments)
        calibrate(model, logits, np.asarray(fold.validation[data_arguments.label_column_name]))
    history = trainer.state.log_history
    if resume:  # the time of the last part is not that of the training
        history = [{name: value for name, value in entry.items() if name != "train_runtime"} for entry in history]
    return model, history


def copy_with(arguments: RecipeArguments, **changes) -> RecipeArguments:
    changed = copy.copy(arguments)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


if __name__ == "__main__":
    main()
