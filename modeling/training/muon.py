"""Muon for the filters of a network, AdamW for the rest of it, as one optimizer."""

import math
from collections.abc import Iterable

import torch
from torch import nn

# Keller Jordan's: they do not converge to 1, but bring singular values near it in few steps.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class MuonAdamW(torch.optim.Optimizer):
    """Orthogonalised momentum for what turns features into features (Jordan et al., 2024), AdamW for all else.

    What is no matrix (biases, norms) is not decayed.

    Args:
        filters: Parameters of two or more dimensions, for Muon.
        others: Parameters of any shape, for AdamW.
        learning_rate: Of both.
        weight_decay: Of what AdamW takes.
        filter_decay: Of the filters.
    """

    def __init__(
        self,
        filters: list[nn.Parameter],
        others: list[nn.Parameter],
        learning_rate: float,
        weight_decay: float,
        filter_decay: float,
    ):
        groups = [
            {"params": [parameter for parameter in others if parameter.ndim > 1], "weight_decay": weight_decay},
            {"params": [parameter for parameter in others if parameter.ndim <= 1], "weight_decay": 0.0},
        ]
        self.parts = {
            "muon": Muon(filters, learning_rate, filter_decay),
            "adamw": torch.optim.AdamW(groups, learning_rate),
        }
        super().__init__([*filters, *others], {"lr": learning_rate})
        self._share_groups()

    def _share_groups(self) -> None:
        """Schedulers write learning rates into `param_groups`: these must be those of the parts."""
        self.param_groups = [group for part in self.parts.values() for group in part.param_groups]

    def step(self, closure=None) -> None:
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])
        self._share_groups()


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov's momentum for filters of any shape; a filter is a row, `(n_outputs, n_inputs x height x width)`.

    Steps are scaled to the size of AdamW's (Liu et al., 2025), so that one learning rate serves both. `torch.optim.Muon`
    takes matrices alone and multiplies them in bfloat16, which takes seconds a step on a CPU without bfloat16.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float, momentum: float = 0.95
    ):
        super().__init__(parameters, {"lr": learning_rate, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                average = state["momentum_buffer"].lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalize(parameter.grad.lerp(average, group["momentum"]).flatten(1))
                size = 0.2 * math.sqrt(max(update.shape))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(update.view(parameter.shape), alpha=group["lr"] * size)


def orthogonalize(matrix: torch.Tensor, n_steps: int = 5) -> torch.Tensor:
    """The nearest orthogonal matrix, roughly: `(n_rows, n_columns)` with all singular values between about 0.7 and 1.2.

    Newton and Schulz's iteration, carried out on the small square of the matrix, which takes a fraction of the time and
    needs float32.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalize(matrix.T, n_steps).T
    matrix = matrix.float() / matrix.norm().clamp(min=1e-7)
    gram = matrix @ matrix.T
    product = identity = torch.eye(len(gram), device=gram.device)
    a, b, c = COEFFICIENTS
    for _ in range(n_steps):
        factor = a * identity + b * gram + c * gram @ gram
        gram = factor @ gram @ factor
        product = factor @ product
    return product @ matrix
