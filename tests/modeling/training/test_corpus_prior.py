"""The labels of a clip's own corpus: what the loss is told of them, and that it leaves no trace in the model."""

import pytest
import torch
from datasets import Dataset

from modeling.training.corpus_prior import CorpusPrior, corpus_indices
from tests.modeling.tiny import tiny_model


def batch(corpora: list[int]) -> dict[str, torch.Tensor]:
    waveform = torch.randn(1, 4_000, generator=torch.Generator().manual_seed(0))
    return {"input_values": waveform.expand(len(corpora), -1), "corpora": torch.tensor(corpora)}


@pytest.mark.parametrize("columns", [{"label": [0, 1]}, {"corpus": ["one", "one"]}], ids=["unnamed", "one"])
def test_one_corpus_alone_has_no_prior_of_its_own(columns):
    assert corpus_indices(Dataset.from_dict(columns)) is None


def test_corpora_are_counted_in_the_order_of_their_names():
    assert corpus_indices(Dataset.from_dict({"corpus": ["b", "a", "b"]})) == [1, 0, 1]
    assert corpus_indices(Dataset.from_dict({"corpus": ["b", None, "b"]})) == [1, 0, 1]  # whose corpus nobody named


def test_labels_that_a_corpus_has_more_often_are_expected_there_in_training_alone():
    model = tiny_model(dropout=0.0)
    n_labels = model.config.num_labels
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train = lambda mode=True, module=module: module  # its statistics stay frozen
    model.train()
    plain = model(**batch([0, 1])).logits
    # In corpus 0, label 0 is drawn three times as often as label 1; in corpus 1 there is nothing but label 1.
    prior = CorpusPrior([0, 0, 1], [0, 1, 1], torch.tensor([3.0, 1.0, 5.0]), n_labels, share=0.5)
    prior.attach(model)
    added = (model(**batch([0, 1])).logits - plain).exp()
    expected = torch.full((2, n_labels), 0.5 / n_labels)
    expected[0, :2] += torch.tensor([0.375, 0.125])
    expected[1, 1] += 0.5
    torch.testing.assert_close(added, expected)
    model.eval()
    told = model(**batch([0, 1])).logits
    prior.detach()
    torch.testing.assert_close(told, model(batch([0, 1])["input_values"]).logits)
    model.train()
    torch.testing.assert_close(model(batch([0, 1])["input_values"]).logits, plain)
