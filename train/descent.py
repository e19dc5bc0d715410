"""What every program does with a loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    """One step of an optimiser at a given learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def gradient_ratio(main: Tensor, other: Tensor, parameters: list[torch.nn.Parameter]) -> float:
    """|grad other| / |grad main|: how much a weighted second loss has to say. Keeps both graphs."""
    norms = []
    for loss in (main, other):
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        norms.append(math.sqrt(sum(float(g.square().sum()) for g in gradients if g is not None)))
    return norms[1] / norms[0] if norms[0] else 0.0
