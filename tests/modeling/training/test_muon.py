"""Muon and AdamW as one optimizer: which takes what, and that Trainer's saves and schedules reach both."""

import pytest
import torch
from transformers import TrainingArguments

from modeling.training.muon import COEFFICIENTS, MuonAdamW, orthogonalize
from modeling.training.trainer import EmotionTrainer
from tests.modeling.tiny import batch, tiny_model


@pytest.fixture
def model():
    return tiny_model(dropout=0.0).train()


def make(model, tmp_path, weight_decay=0.1, **options) -> MuonAdamW:
    rates = {"learning_rate": 1e-2, "weight_decay": weight_decay}
    arguments = TrainingArguments(str(tmp_path), **rates, use_cpu=True, report_to="none")
    return EmotionTrainer(model, arguments, muon=True, **options).create_optimizer()


def step(model, optimizer) -> None:
    optimizer.zero_grad()
    model(**batch(0.3, 0.4), labels=torch.tensor([0, 1])).loss.backward()
    optimizer.step()


@pytest.mark.parametrize("weight_decay", [0.1, 0.0])
def test_convolutions_go_to_muon_and_every_parameter_to_one_of_the_two(model, tmp_path, weight_decay):
    optimizer = make(model, tmp_path, weight_decay)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    of_muon, of_adamw = (
        {names[id(parameter)] for group in optimizer.parts[part].param_groups for parameter in group["params"]}
        for part in ("muon", "adamw")
    )
    assert not of_muon & of_adamw and len(of_muon | of_adamw) == len(names)
    assert "mel_cnn.encoder.stages.0.0.convolution_2.weight" in of_muon
    assert {"mel_cnn.encoder.stem.0.weight", "classifier.weight"} <= of_adamw
    decayed, undecayed = optimizer.parts["adamw"].param_groups
    assert (decayed["weight_decay"], undecayed["weight_decay"]) == (weight_decay, 0)
    assert all(parameter.ndim == 1 for parameter in undecayed["params"])


def test_a_step_moves_every_parameter_and_makes_filters_orthogonal(model, tmp_path):
    optimizer = make(model, tmp_path, filter_decay=0.1)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    step(model, optimizer)
    moved = {name: parameter.detach() - before[name] for name, parameter in model.named_parameters()}
    assert all(change.any() for change in moved.values())
    name = "mel_cnn.encoder.stages.1.0.convolution_2.weight"
    update = (moved[name] + 1e-2 * 0.1 * before[name]).flatten(1)
    singular = torch.linalg.svdvals(update)
    # Five steps of Newton and Schulz bring all directions within a factor of about 1.7 of each other.
    assert singular.max() < 2.5 * singular.min()


def test_filters_and_the_rest_decay_by_their_own_rates(tmp_path):
    decayed = {}
    for filter_decay in (0.0, 0.5):
        model = tiny_model(dropout=0.0).train()
        before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        step(model, make(model, tmp_path, filter_decay=filter_decay))
        decayed[filter_decay] = {name: parameter.detach() for name, parameter in model.named_parameters()}
    name = "mel_cnn.encoder.stages.1.0.convolution_2.weight"
    torch.testing.assert_close(decayed[0.0][name] - decayed[0.5][name], 1e-2 * 0.5 * before[name], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(decayed[0.0]["classifier.weight"], decayed[0.5]["classifier.weight"])


@pytest.mark.parametrize("shape", [(24, 216), (96, 24)])
def test_orthogonalisation_is_newton_and_schulz_in_full_precision(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, singular, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    singular = singular / singular.norm()
    a, b, c = COEFFICIENTS
    for _ in range(5):
        singular = a * singular + b * singular**3 + c * singular**5
    expected = left @ singular.diag() @ right
    torch.testing.assert_close(orthogonalize(matrix).double(), expected, rtol=0, atol=1e-4)


def test_a_schedule_reaches_both(model, tmp_path):
    optimizer = make(model, tmp_path)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda number: 0.0 if number else 1.0)
    step(model, optimizer)
    scheduler.step()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step(model, optimizer)
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_no_gradient_is_left_over(model, tmp_path):
    optimizer = make(model, tmp_path)
    step(model, optimizer)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_saved_state_goes_on_as_it_would_have(tmp_path):
    weights = []
    for interrupted in (False, True):
        torch.manual_seed(0)
        model = tiny_model(dropout=0.0).train()
        optimizer = make(model, tmp_path)
        step(model, optimizer)
        if interrupted:
            torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
            optimizer = make(model, tmp_path)
            optimizer.load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
        step(model, optimizer)
        weights.append([parameter.detach() for parameter in model.parameters()])
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_another_optimizer_can_be_asked_for(model, tmp_path):
    arguments = TrainingArguments(str(tmp_path), optim="sgd", use_cpu=True, report_to="none")
    assert isinstance(EmotionTrainer(model, arguments).create_optimizer(), torch.optim.SGD)
