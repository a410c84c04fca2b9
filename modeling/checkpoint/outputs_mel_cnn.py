"""What the models return: the outputs of transformers, and how unlike the training data a clip is."""

from dataclasses import dataclass

import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput


@dataclass
class MelCNNModelOutput(BaseModelOutputWithPooling):
    """What [`MelCNNModel`] returns.

    Args:
        unlikeness: How unlike the training data every clip sounds, `(batch,)`; 95 % of new voices in known studios are
            below 1. 0 where it was not measured.
    """

    unlikeness: torch.FloatTensor | None = None


@dataclass
class MelCNNClassifierOutput(SequenceClassifierOutput):
    """What [`MelCNNForAudioClassification`] returns: beside loss and logits, what [`MelCNNModelOutput`] has."""

    pooler_output: torch.FloatTensor | None = None
    unlikeness: torch.FloatTensor | None = None
