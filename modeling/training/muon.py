"""Muon for the filters of a network, AdamW for the rest of it, as one optimizer."""

import torch
from torch import nn


class MuonAdamW(torch.optim.Optimizer):
    """Orthogonalised momentum for what turns features into features (Jordan et al., 2024), AdamW for all else.

    `torch.optim.Muon` takes matrices alone: here a filter is a row, `(n_outputs, n_inputs x height x width)`. Its steps
    are scaled to the size of AdamW's (Liu et al., 2025), so that one learning rate serves both. What is no matrix
    (biases, norms) is not decayed.

    Args:
        filters: Parameters of two or more dimensions, for Muon.
        others: Parameters of any shape, for AdamW.
        learning_rate: Of both.
        weight_decay: Of both.
    """

    def __init__(
        self, filters: list[nn.Parameter], others: list[nn.Parameter], learning_rate: float, weight_decay: float
    ):
        self.filters = filters
        self.matrices = [nn.Parameter(parameter.detach().flatten(1).clone()) for parameter in filters]
        decayed = {
            decay: [parameter for parameter in others if (parameter.ndim > 1) == bool(decay)]
            for decay in (weight_decay, 0.0)
        }
        groups = [{"params": parameters, "weight_decay": decay} for decay, parameters in decayed.items()]
        self.parts = {
            "muon": torch.optim.Muon(
                self.matrices, learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
            ),
            "adamw": torch.optim.AdamW(groups, learning_rate),
        }
        super().__init__([*filters, *others], {"lr": learning_rate})
        self._share_groups()

    def _share_groups(self) -> None:
        """Schedulers write learning rates into `param_groups`: these must be those of the parts."""
        self.param_groups = [group for part in self.parts.values() for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for matrix, parameter in zip(self.matrices, self.filters, strict=True):
            matrix.copy_(parameter.flatten(1))
            matrix.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        for part in self.parts.values():
            part.step()
        for matrix, parameter in zip(self.matrices, self.filters, strict=True):
            parameter.copy_(matrix.view(parameter.shape))

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for parameter in self.filters:
            parameter.grad = None

    def state_dict(self) -> dict:
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])
        self._share_groups()
