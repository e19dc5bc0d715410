"""The bicubic image as the base of a network's predictions: what is learned is only what bicubic misses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realdeg.imaging.resample import matrix


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


class BicubicConvolution(nn.Module):
    """The same image as `BicubicBase`, to rounding, by operations that every exchange format has.

    A pixel of phase (p, q) is a sum over 5 x 5 of LR; at the border, as there, over what lies inside, its
    weights scaled to sum 1.

    Args:
        scale: s.
    Shape:
        (B, 3, h, w) -> (B, 3, s h, s w), float32.
    """

    kernel: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        place = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
        away = (place[:, None] - torch.arange(-2, 3)).abs()  # (s, 5): of each tap from the pixel's place
        inner = 1.5 * away**3 - 2.5 * away**2 + 1
        outer = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        taps = torch.where(away <= 1, inner, torch.where(away < 2, outer, 0.0))
        kernel = torch.einsum("pi,qj->pqij", taps, taps).flatten(0, 1)[:, None]
        self.register_buffer("kernel", kernel.float(), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """The enlarged image."""
        sums = F.conv2d(lr.float(), self.kernel.repeat(3, 1, 1, 1), padding=2, groups=3)
        inside = F.conv2d(torch.ones_like(lr[:, :1]), self.kernel, padding=2)
        return F.pixel_shuffle(sums / inside.repeat(1, 3, 1, 1), self.scale)


class BicubicReduction(nn.Module):
    """MATLAB's bicubic reduction, antialiased, a = -0.5, symmetric at the border, with gradients.

    Args:
        scale: s.
    Shape:
        (B, C, s h, s w) -> (B, C, h, w), float32, not rounded.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self._known: dict[tuple[int, torch.device], Tensor] = {}

    def forward(self, image: Tensor) -> Tensor:
        """The reduced image."""
        rows, columns = (self._matrix(side, image.device) for side in image.shape[-2:])
        return rows @ image.float() @ columns.T

    def _matrix(self, side: int, device: torch.device) -> Tensor:
        """(side / s, side); the bands are few at the size of crops, so that it is dense."""
        if (side, device) not in self._known:
            banded = matrix(side, side // self.scale, 1 / self.scale).toarray()
            self._known[side, device] = torch.from_numpy(banded).float().to(device)
        return self._known[side, device]


def quieten(tails: nn.Module, factor: float = 0.1) -> None:
    """Make the last convolution of each tail speak softly, so that predictions begin near their base."""
    for tail in tails.children():
        last = [part for part in tail.modules() if isinstance(part, nn.Conv2d)][-1]
        with torch.no_grad():
            last.weight.mul_(factor)
