"""The head that is fitted within corpora after training."""

import numpy as np
import pytest
import torch

from modeling.training.head import refit_head
from tests.modeling.tiny import tiny_model

LABELS = 3


class Heard:
    """Clips whose embeddings are made up: the model is asked for nothing else of them."""

    def __init__(self, embeddings: np.ndarray, labels: np.ndarray, corpora: np.ndarray):
        self.embeddings, self.labels, self.corpora = embeddings, labels.tolist(), [f"corpus {c}" for c in corpora]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        return {"input_values": self.embeddings[index]}


class Ears(torch.nn.Module):
    """Hands an embedding through, in place of the network before the head."""

    def forward(self, embedding: torch.Tensor, return_dict: bool) -> dict:
        return {"pooler_output": embedding}


@pytest.fixture
def model():
    model = tiny_model()
    model.mel_cnn = Ears()
    model.classifier = torch.nn.Linear(LABELS + 1, LABELS)
    # It goes by the studio, the last feature, more than by the voice: the second studio is the last label's.
    weight = torch.eye(LABELS, LABELS + 1)
    weight[:, -1] = torch.tensor([-2.0, -2.0, 4.0])
    model.classifier.load_state_dict({"weight": weight, "bias": torch.zeros(LABELS)})
    return model


def made_up(n_clips: int, studio_of_label: tuple[float, ...], seed: int = 0) -> Heard:
    """Clips of two studios; for each label, how many of its clips are of the second."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n_clips) % LABELS
    studios = (generator.random(n_clips) < np.array(studio_of_label)[labels]).astype(int)
    voices = 2 * np.eye(LABELS)[labels] + 0.5 * generator.standard_normal((n_clips, LABELS))
    return Heard(np.column_stack([voices, studios]).astype(np.float32), labels, studios)


def accuracy(model, heard: Heard) -> float:
    logits = model.classifier(torch.from_numpy(heard.embeddings))
    return (logits.argmax(1).numpy() == np.array(heard.labels)).mean()


def test_it_goes_less_by_the_studio(model):
    before = accuracy(model, made_up(600, (0.5, 0.5, 0.5), seed=1))
    refit_head(model, made_up(600, (0.1, 0.1, 0.9)))
    after = accuracy(model, made_up(600, (0.5, 0.5, 0.5), seed=1))
    assert after > before + 0.1, (before, after)


def test_labels_that_training_lacks_keep_their_place(model):
    """Half of what is said to the labels that were heard is new, but not how high they lie in all over the others."""
    heard = made_up(600, (0.5, 0.5, 0.5))
    embeddings = torch.from_numpy(heard.embeddings)
    model.classifier = torch.nn.Linear(LABELS + 1, LABELS + 1)
    before = model.classifier(embeddings).detach()
    refit_head(model, heard)
    after = model.classifier(embeddings).detach()
    torch.testing.assert_close(after[:, -1], before[:, -1])
    torch.testing.assert_close(after[:, :-1].mean(1).mean(), before[:, :-1].mean(1).mean(), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(after, before, atol=0.1)


@pytest.mark.parametrize("what", ["one corpus", "two labels", "a corpus for every label"])
def test_it_stays_as_it_is_with(what, model):
    heard = made_up(60, (0.5, 0.5, 0.5))
    if what == "one corpus":
        heard.corpora = ["one"] * len(heard)
    elif what == "two labels":
        heard.labels = [min(label, 1) for label in heard.labels]
    else:
        heard.corpora = [f"corpus {label}" for label in heard.labels]
    before = {name: values.clone() for name, values in model.classifier.state_dict().items()}
    refit_head(model, heard)
    torch.testing.assert_close(model.classifier.state_dict(), before, atol=0, rtol=0)


def test_the_same_clips_give_the_same_head(model):
    weights = []
    for _ in range(2):
        model.classifier.load_state_dict({"weight": torch.eye(LABELS, LABELS + 1), "bias": torch.zeros(LABELS)})
        refit_head(model, made_up(90, (0.2, 0.5, 0.8)))
        weights.append(model.classifier.weight.clone())
    assert torch.equal(*weights)
