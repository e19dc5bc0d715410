"""The bicubic image as the base of a network's predictions: what is learned is only what bicubic misses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BicubicBase(nn.Module):
    """LR enlarged by the cubic of a = -0.5, as MATLAB's away from the border.

    Args:
        scale: s.
    Shape:
        (B, 3, h, w) -> (B, 3, s h, s w), float32.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, lr: Tensor) -> Tensor:
        """The enlarged image."""
        # antialias changes nothing when enlarging, except that torch then takes a = -0.5 instead of -0.75.
        return F.interpolate(lr.float(), scale_factor=self.scale, mode="bicubic", antialias=True)


def quieten(tails: nn.Module, factor: float = 0.1) -> None:
    """Make the last convolution of each tail speak softly, so that predictions begin near their base."""
    for tail in tails.children():
        last = [part for part in tail.modules() if isinstance(part, nn.Conv2d)][-1]
        with torch.no_grad():
            last.weight.mul_(factor)
