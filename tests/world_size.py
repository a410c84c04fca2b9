"""Trains a tiny model without anything random, in as many processes as it is launched in, and writes down the losses.

torchrun --nproc_per_node 2 tests/world_size.py CORPUS OUTPUT.json
"""

import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.training.data import Clips, DataArguments, load
from modeling.training.recipe import RecipeArguments
from modeling.training.trainer import EmotionTrainer, collator
from tests.modeling.tiny import tiny_model


def train(corpus: str) -> list[float]:
    """The losses of four steps of eight clips, which the processes share."""
    arguments = RecipeArguments(
        use_cpu=True,
        bf16=False,
        max_steps=4,
        dataloader_drop_last=True,  # a last batch of five cannot be halved
        logging_steps=1,
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
        load_best_model_at_end=False,
        learning_rate=0.01,
        warmup_steps=0,
    )
    arguments.per_device_train_batch_size = 8 // arguments.world_size
    splits = load(DataArguments(dataset_name=corpus))
    model = tiny_model(num_labels=8, id2label=None, label2id=None, dropout=0.0)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True, module=module: module  # its statistics stay frozen
    trainer = EmotionTrainer(
        model,
        arguments,
        data_collator=collator(MelCNNFeatureExtractor()),
        train_dataset=Clips(splits["train"], DataArguments(), 16_000),
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def main() -> None:
    corpus, output = sys.argv[1:]
    losses = train(corpus)
    state = PartialState()
    # The trainer is gone by now: it would keep the process group's threads alive, which abort now and then at the
    # interpreter's end, where they can no longer release what they hold.
    state.destroy_process_group()
    left = [path for path in Path("/proc/self/task").glob("*/comm") if "gloo" in path.read_text()]
    if left:
        raise RuntimeError(f"{len(left)} threads of the process group outlive it.")
    if state.is_main_process:
        Path(output).write_text(json.dumps({"world_size": state.num_processes, "losses": losses}))


if __name__ == "__main__":
    main()
