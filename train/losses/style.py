"""What of a picture is its style: mean and variance of each feature channel (RefVAE, Eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STYLE = ("1_2", "2_2", "3_4", "4_1")  # ReLUs of VGG-19 (paper)


def statistics(features: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Mean and variance over the places of each channel, (B, C) each, for every layer."""
    return [(f.float().mean((2, 3)), f.float().var((2, 3), correction=0)) for f in features]


def style_distance(mine: Sequence[tuple[Tensor, Tensor]], theirs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Mean absolute difference of means, and of variances, summed over the layers, for each item.

    The paper sums over channels; the mean does not tie the weight to their number.

    Args:
        mine, theirs: of `statistics`.

    Returns:
        (B,); 0 for pictures of equal statistics.
    """
    apart = [
        (a - b).abs().mean(1)
        for ours, others in zip(mine, theirs, strict=True)
        for a, b in zip(ours, others, strict=True)
    ]
    return torch.stack(apart).sum(0)


def total_variation(image: Tensor) -> Tensor:
    """Mean square step between neighbours, down and across summed (RefVAE, Eq. 8, beta = 1).

    Args:
        image: (B, 3, H, W).
    """
    down, across = image.diff(dim=-2), image.diff(dim=-1)
    return down.square().mean() + across.square().mean()
