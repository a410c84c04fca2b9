"""A second task in training: to name the sentence that is read, so that words are not taken for feeling."""

from collections import defaultdict

import torch.nn.functional as F
from datasets import Dataset
from torch import nn

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.data import DataArguments, column

NOT_SHARED = -100  # what cross_entropy ignores


def shared_sentences(data: Dataset, arguments: DataArguments) -> list[int] | None:
    """Index of every clip's sentence, or `NOT_SHARED` where only one speaker reads it, whose voice would give it away.

    None where there are no two sentences to tell apart, as in a dataset without texts.
    """
    texts, speakers = column(data, arguments.text_column_name), column(data, arguments.speaker_column_name)
    readers = defaultdict(set)
    for text, speaker in zip(texts, speakers, strict=True):
        readers[text].add(speaker)
    shared = sorted(text for text, found in readers.items() if text and len(found) > 1)
    if len(shared) < 2:
        return None
    index = {text: number for number, text in enumerate(shared)}
    return [index.get(text, NOT_SHARED) for text in texts]


class SentenceHead(nn.Module):
    """Names the sentence by the pooled embedding, and adds its cross-entropy to the model's loss.

    Args:
        embedding_size: Size of the pooled embedding.
        sentences: Index of every clip's sentence, as `shared_sentences` gives it.
        weight: Of the cross-entropy, in the loss.
    """

    def __init__(self, embedding_size: int, sentences: list[int], weight: float):
        super().__init__()
        self.classifier = nn.Linear(embedding_size, max(sentences) + 1)
        self.weight = weight

    def attach(self, model: MelCNNForAudioClassification) -> None:
        """Makes the head a part of the model until `detach`; in training mode its `forward` then wants `sentences`."""
        model.sentence_head = self
        self.hooks = [
            model.mel_cnn.register_forward_hook(self._keep_embedding),
            model.register_forward_hook(self._add_loss, with_kwargs=True),
        ]

    def detach(self, model: MelCNNForAudioClassification) -> None:
        """Leaves the model as it was."""
        for hook in self.hooks:
            hook.remove()
        del model.sentence_head

    # On several GPUs without a launcher every one has a copy of the model, but all share this object: what a hook
    # keeps and computes with is the copy's, which it is called with.
    def _keep_embedding(self, mel_cnn: nn.Module, args: tuple, outputs) -> None:
        mel_cnn.embedding = outputs.pooler_output

    def _add_loss(self, model: nn.Module, args: tuple, inputs: dict, outputs):
        embedding = model.mel_cnn.embedding
        del model.mel_cnn.embedding
        if not model.training:
            return outputs
        sentences = inputs["sentences"]
        total = F.cross_entropy(model.sentence_head.classifier(embedding.float()), sentences, reduction="sum")
        # A batch without a shared sentence has no mean.
        outputs.loss = outputs.loss + self.weight * total / (sentences != NOT_SHARED).sum().clamp(min=1)
        return outputs
