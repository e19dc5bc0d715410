"""RefVAE's adversarial losses (released code): absolute distances from labels, soft ones for the critic.

`train.losses.least_squares` has the squares; they take the same judgements.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def fooling_loss(fake: Tensor) -> Tensor:
    """|D(SR) - 1|, mean over all patches."""
    return (fake - 1).abs().mean()


def soft_labels() -> tuple[float, float]:
    """A label of true patches, U(0.7, 1.2), and one of made ones, U(0, 0.3), to be drawn once a step.

    Torch's random numbers of the CPU decide.
    """
    return float(0.7 + 0.5 * torch.rand(())), float(0.3 * torch.rand(()))


def telling_loss(real: Tensor, fake: Tensor, labels: tuple[float, float] = (1.0, 0.0)) -> Tensor:
    """Mean of |D(Y) - label| and |D(SR) - label|.

    Args:
        real, fake: judgements, (B, N).
        labels: of true and of made patches, such as `soft_labels`.
    """
    return 0.5 * ((real - labels[0]).abs().mean() + (fake - labels[1]).abs().mean())


def matching_loss(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of the critic's features, mean over layers; none flows into the real ones."""
    return torch.stack([(a - b.detach()).abs().mean() for a, b in zip(fake, real, strict=True)]).mean()
