"""Which labels a corpus has: told to the loss, so that the network need not learn it from the sound of a studio."""

import numpy as np
import torch
from datasets import Dataset
from torch import nn

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.data import corpora_of


def corpus_indices(data: Dataset) -> list[int] | None:
    """Index of every clip's corpus; None where there are no two, as in a dataset that names none."""
    names, indices = np.unique(corpora_of(data), return_inverse=True)
    return indices.tolist() if len(names) > 1 else None


class CorpusPrior:
    """Adds to the logits, in training, the logarithm of how often each label is drawn in the clip's own corpus.

    In evaluation nothing is added: what is left in the logits is what the sound tells, with every label expected alike.
    It is logit adjustment (Menon et al., 2021), by corpus.

    Args:
        corpora, labels: Indices of every clip's corpus and label.
        weights: How often every clip is drawn, relative to the others, `(n_clips,)`.
        n_labels: Of the model.
        share: Of the labels as they are drawn in what is added, from 0 to below 1; the rest is all labels alike.
    """

    def __init__(self, corpora: list[int], labels: list[int], weights: torch.Tensor, n_labels: int, share: float):
        drawn = torch.zeros(max(corpora) + 1, n_labels, dtype=weights.dtype)
        drawn.index_put_((torch.tensor(corpora), torch.tensor(labels)), weights, accumulate=True)
        drawn = drawn / drawn.sum(1, keepdim=True)
        self.log_prior = (share * drawn + (1 - share) / n_labels).log().float()

    def attach(self, model: MelCNNForAudioClassification) -> None:
        """Makes the model add it until `detach`; in training mode its `forward` then wants `corpora`, `(batch,)`."""
        self.hooks = [
            model.register_forward_pre_hook(self._keep_corpora, with_kwargs=True),
            model.classifier.register_forward_hook(self._add),
        ]

    def detach(self) -> None:
        """Leaves the model as it was."""
        for hook in self.hooks:
            hook.remove()

    # What a hook keeps is the copy's of the model which it is called with, as in the sentence head.
    def _keep_corpora(self, model: nn.Module, args: tuple, inputs: dict) -> None:
        if model.training:
            model.classifier.corpora = inputs["corpora"]

    def _add(self, classifier: nn.Module, args: tuple, logits: torch.Tensor) -> torch.Tensor:
        if not classifier.training:
            return logits
        corpora = classifier.corpora
        del classifier.corpora
        return logits + self.log_prior.to(logits.device)[corpora]
