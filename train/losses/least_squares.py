"""Least-squares adversarial losses (Mao et al., ICCV 2017): real is 1, generated is 0."""

from __future__ import annotations

from torch import Tensor


def generator_loss(fake: Tensor) -> Tensor:
    """(D(x') - 1)^2, mean over judgements of any shape."""
    return (fake - 1).square().mean()


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """1/2 (D(x) - 1)^2 + 1/2 D(x')^2, means over judgements of any shape."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())
