"""What every program does with a loss."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from train.engine.ranks import Ranks


def descend(
    optimiser: torch.optim.Optimizer,
    losses: Iterable[Tensor],
    rate: float,
    clip: float = 0.0,
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
) -> None:
    """One step of an optimiser at a given learning rate, down the sum of losses.

    Args:
        optimiser: of the step.
        losses: each is made, and its graph thrown away, before the next: a batch in parts needs the memory
            of one part.
        rate: learning rate.
        clip: largest norm of the gradient; 0: whatever it is.
        ranks: processes that step together, each with losses of its own.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    for loss in losses:
        loss.backward()
    ranks.average_gradients(optimiser)
    if clip:
        torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], clip)
    optimiser.step()


def gradient_ratio(main: Tensor, other: Tensor, parameters: list[torch.nn.Parameter]) -> float:
    """|grad other| / |grad main|: how much a weighted second loss has to say. Keeps both graphs."""
    norms = []
    for loss in (main, other):
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        norms.append(math.sqrt(sum(float(g.square().sum()) for g in gradients if g is not None)))
    return norms[1] / norms[0] if norms[0] else 0.0
