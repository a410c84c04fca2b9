"""The network learns: losses of every problem, calibration, gradients, and steps under Trainer."""

import pytest
import torch
from transformers import Trainer, TrainingArguments

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from tests.modeling.tiny import batch, tiny_model, train, voice


@pytest.fixture(params=["residual", "plain"])
def architecture(request) -> str:
    return request.param


@pytest.fixture
def model(architecture) -> MelCNNForAudioClassification:
    return tiny_model(architecture=architecture)


@pytest.mark.parametrize(
    ("problem_type", "n_labels", "labels"),
    [
        (None, 4, torch.tensor([0, 3])),
        ("single_label_classification", 4, torch.tensor([0, 3])),
        ("single_label_classification", 4, torch.tensor([[0.5, 0.5, 0, 0], [0.1, 0.2, 0.3, 0.4]])),
        ("multi_label_classification", 4, torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 1]])),
        ("multi_label_classification", 4, torch.tensor([[1, 0, 1, 0], [0, 0, 0, 1]])),
        (None, 4, torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 1]])),
        (None, 1, torch.tensor([0.3, -2.0])),
        ("regression", 1, torch.tensor([[0.3], [-2.0]])),
        ("regression", 3, torch.randn(2, 3, dtype=torch.float64)),
    ],
)
def test_loss_of_every_problem(problem_type, n_labels, labels):
    model = tiny_model(problem_type=problem_type, id2label=None, label2id=None, num_labels=n_labels)
    output = model(**batch(0.3, 0.2), labels=labels)
    logits, nn = output.logits, torch.nn.functional
    if n_labels == 1 or problem_type == "regression":
        expected = ((logits.view_as(labels) - labels) ** 2).mean().float()
    elif problem_type == "multi_label_classification" or (problem_type is None and labels.is_floating_point()):
        expected = nn.binary_cross_entropy_with_logits(logits, labels.float())
    else:
        expected = nn.cross_entropy(logits, labels)
    torch.testing.assert_close(output.loss, expected)


def test_calibration_temperature_divides_the_logits():
    warm, plain = tiny_model(calibration_temperature=2.0), tiny_model()
    inputs = batch(0.3)
    torch.testing.assert_close(warm(**inputs).logits * 2, plain(**inputs).logits)


def test_every_parameter_learns(model):
    model.train()
    output = model(**batch(1.0, 0.7, 0.5), labels=torch.tensor([0, 1, 2]))
    output.loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not without
    assert not [name for name, p in model.named_parameters() if not p.grad.any()]


def test_a_few_steps_lower_the_loss(architecture):
    model = tiny_model(architecture=architecture, dropout=0.0).train()
    losses = train(model, batch(0.5, 0.5, 0.5, 0.5) | {"labels": torch.arange(4)}, n_steps=20, learning_rate=3e-3)
    assert losses[-1] < losses[0] / 2


def test_gradient_accumulation_under_trainer_keeps_the_step(tmp_path):
    """Two equal micro-batches make the step of one."""
    clip = {"input_values": voice(0.3), "labels": 1}
    weights = []
    for steps in (1, 2):
        model = tiny_model(dropout=0.0)
        arguments = TrainingArguments(
            output_dir=str(tmp_path / str(steps)),
            per_device_train_batch_size=2,
            gradient_accumulation_steps=steps,
            max_steps=1,
            optim="sgd",
            learning_rate=0.1,
            max_grad_norm=0.0,
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        )
        Trainer(model=model, args=arguments, train_dataset=[clip] * 4, data_collator=collate).train()
        weights.append(model.classifier.weight.detach())
    torch.testing.assert_close(*weights)


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    values = [{"input_values": row["input_values"]} for row in rows]
    return dict(MelCNNFeatureExtractor().pad(values, return_tensors="pt")) | {"labels": torch.tensor([1] * len(rows))}
