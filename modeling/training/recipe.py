"""The recipe: the default arguments of train.py."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from transformers import TrainingArguments

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.engine import n_processors


@dataclass
class ModelArguments:
    """Which model is trained, and where it goes."""

    model_name_or_path: str | None = field(
        default=None, metadata={"help": "Checkpoint to start from, or to evaluate; without it, a new model is made."}
    )
    model_config: str = field(default="{}", metadata={"help": "Fields of MelCNNConfig for a new model, as JSON."})
    model_dir: Path = field(default=Path("build/model"), metadata={"help": "Folder for the finished model."})
    overwrite_output_dir: bool = field(
        default=False, metadata={"help": "Replace a model of another dataset, and an unfinished run."}
    )
    evaluation_dir: Path = field(
        default=Path("build/evaluation"), metadata={"help": "Folder for an evaluation that belongs to no new model."}
    )
    augmentation: bool = field(default=True, metadata={"help": "Augment the training clips."})
    sentence_weight: float = field(
        default=0.3,
        metadata={"help": "Weight of a second task in training, to name the sentence that is read; 0 is without it."},
    )
    corpus_prior: float = field(
        default=0.7,
        metadata={
            "help": "How much of the frequency of a label in a clip's own corpus is told to the loss, below 1, rather than left to "
            "be learned from the sound of its studio; 0 is nothing."
        },
    )
    early_stopping_patience: int = field(
        default=0,
        metadata={"help": "Stop after this many epochs without a better one, and take the best; 0 takes the last one."},
    )
    class_balance: float = field(
        default=0.5,
        metadata={"help": "0 draws every clip equally often; 1 every class of every speaker; 0.5 is half way between."},
    )

    def __post_init__(self):
        if not 0 <= self.corpus_prior < 1:
            raise ValueError(
                f"--corpus_prior {self.corpus_prior} is outside 0 to below 1: at 1, a label that a corpus lacks could never be named."
            )
        known = {field.name for field in fields(MelCNNConfig)}
        unknown = set(json.loads(self.model_config)) - known
        if unknown:
            raise ValueError(
                f"--model_config names {', '.join(sorted(unknown))}; MelCNNConfig has {', '.join(sorted(known))}."
            )


@dataclass
class RecipeArguments(TrainingArguments):
    """TrainingArguments with the recipe as its defaults."""

    output_dir: str = "build/run"
    do_train: bool = True
    num_train_epochs: float = 32
    per_device_train_batch_size: int = 32
    per_device_eval_batch_size: int = 32
    muon: bool = field(
        default=True, metadata={"help": "Muon for convolutions, AdamW for the rest; False takes what --optim names."}
    )
    filter_decay: float = field(
        default=0.5, metadata={"help": "Weight decay of what Muon optimises; --weight_decay is AdamW's."}
    )
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    lr_scheduler_type: str = "cosine"
    warmup_steps: float = 0.1
    max_grad_norm: float = 1.0
    use_cpu: bool = field(default=not torch.accelerator.is_available(), metadata={"help": "Compute on the CPU."})
    # Not a default_factory: HfArgumentParser would take it for False.
    bf16: bool = field(
        default=(torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False))
        or torch.cpu._is_avx512_bf16_supported(),
        metadata={"help": "Mixed precision: by default where the device computes in bfloat16."},
    )
    dataloader_num_workers: int = field(
        default=n_processors() if torch.accelerator.is_available() else 0,
        metadata={
            "help": "Processes that decode: by default this process's share of the cores beside a GPU, 0 on a CPU."
        },
    )
    eval_strategy: str = "epoch"
    save_strategy: str = "epoch"
    logging_steps: float = 20
    save_total_limit: int = 2  # the best and the last; of 1 the best is left, from which finished folds would go on
    # The last epoch is as good on new voices as the one that validation chooses, and flatters nobody (EXPERIMENTS.md).
    load_best_model_at_end: bool = False
    metric_for_best_model: str = "unweighted_average_recall"
    remove_unused_columns: bool = False
    ddp_find_unused_parameters: bool = False
    label_names: list[str] = field(default_factory=lambda: ["labels"])
    report_to: str = "tensorboard"
