"""RefVAE's adversarial losses (released code): absolute distances from labels, soft ones for the critic."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def fooling_loss(fake: Tensor) -> Tensor:
    """|D(SR) - 1|, mean over all patches."""
    return (fake - 1).abs().mean()


def telling_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Mean of |D(Y) - U(0.7, 1.2)| and |D(SR) - U(0, 0.3)|, one random label each a step.

    Args:
        real, fake: judgements, (B, N).
    """
    high, low = 0.7 + 0.5 * torch.rand(()), 0.3 * torch.rand(())
    return 0.5 * ((real - float(high)).abs().mean() + (fake - float(low)).abs().mean())


def matching_loss(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of the critic's features, mean over layers; none flows into the real ones."""
    return torch.stack([(a - b.detach()).abs().mean() for a, b in zip(fake, real, strict=True)]).mean()
