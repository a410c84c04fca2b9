"""A Trainer for clips: its batches, its sampler, its optimizer, and predictions."""

from collections import Counter
from collections.abc import Callable, Hashable

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from tqdm import tqdm
from transformers import Trainer, TrainingArguments

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.data import Clips, DataArguments, Draw
from modeling.training.muon import MuonAdamW


class EmotionTrainer(Trainer):
    """A Trainer that draws rare classes and the speakers of few clips more often, and optimises by Muon.

    Args:
        class_balance: 0 draws every clip equally often, 1 every class of every speaker.
        muon: Muon for convolutions, AdamW for the rest; without it, what `args.optim` names.
        filter_decay: Weight decay of what Muon optimises.
    """

    def __init__(self, *args, class_balance: float = 0.0, muon: bool = False, filter_decay: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.class_balance, self.muon, self.filter_decay = class_balance, muon, filter_decay

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        model = model or self.model
        if not self.muon or self.optimizer is not None:
            return super().create_optimizer(model)
        convolutions = [module for module in model.modules() if isinstance(module, (nn.Conv1d, nn.Conv2d))]
        # A filter over the only channel there is has nothing to be orthogonal in.
        filters = [module.weight for module in convolutions if module.in_channels > 1]
        of_muon = {id(parameter) for parameter in filters}
        others = [parameter for parameter in model.parameters() if id(parameter) not in of_muon]
        self.optimizer = MuonAdamW(filters, others, self.args.learning_rate, self.args.weight_decay, self.filter_decay)
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Clips | None = None) -> torch.utils.data.Sampler:
        groups = list(zip(self.train_dataset.speakers, self.train_dataset.labels, strict=True))
        return BalancedSampler(groups, self.class_balance, self.args.seed)


class BalancedSampler(torch.utils.data.Sampler):
    """Draws as many clips as there are, in the same order and with the same seeds in every process and after a resume.

    Args:
        groups: Group of every clip.
        balance: A clip is drawn in inverse proportion to its group's size to this power; at 0, each exactly once.
        seed: Together with the epoch, which `accelerate` sets, it determines the order.
    """

    def __init__(self, groups: list[Hashable], balance: float, seed: int):
        sizes = Counter(groups)
        self.weights = torch.tensor([sizes[group] ** -balance for group in groups], dtype=torch.float64)
        self.with_replacement, self.seed, self.epoch = balance != 0, seed, 0

    def __len__(self) -> int:
        return len(self.weights)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        indices = torch.multinomial(self.weights, len(self), self.with_replacement, generator=generator)
        seeds = torch.randint(2**62, (len(self),), generator=generator)
        yield from map(Draw, indices.tolist(), seeds.tolist())


def collator(feature_extractor: MelCNNFeatureExtractor):
    """Makes a padded batch of clips."""

    def collate(clips: list[dict]) -> dict:
        waveforms = [clip["input_values"] for clip in clips]
        batch = feature_extractor(waveforms, sampling_rate=feature_extractor.sampling_rate, return_tensors="pt")
        targets = clips[0].keys() - {"input_values"}
        return {**batch, **{name: torch.tensor([clip[name] for clip in clips]) for name in sorted(targets)}}

    return collate


@torch.no_grad()
def predict(
    model: MelCNNForAudioClassification,
    data: Dataset,
    data_arguments: DataArguments,
    arguments: TrainingArguments,
    transform: Callable[[np.ndarray, int], np.ndarray] | None = None,
) -> torch.Tensor:
    """Logits of every clip, whole and in full precision, `(n_clips, n_labels)`; `transform` as in [`Clips`]."""
    feature_extractor = MelCNNFeatureExtractor(sampling_rate=model.config.sampling_rate)
    clips = Clips(data, data_arguments, feature_extractor.sampling_rate, transform=transform)
    batches = torch.utils.data.DataLoader(
        clips, arguments.per_device_eval_batch_size, collate_fn=collator(feature_extractor)
    )
    model = model.eval().to(arguments.device)
    logits = []
    for batch in tqdm(batches, desc="evaluating"):
        inputs = {name: values.to(arguments.device) for name, values in batch.items() if name != "labels"}
        logits.append(model(**inputs).logits.cpu())
    return torch.cat(logits)
