"""Noise of samples: the same on every device, and, if wanted, alike in neighbouring pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def normal(shape: Sequence[int], generator: torch.Generator | None, like: Tensor) -> Tensor:
    """Standard normal noise of a shape, on the device and of the type of `like`.

    Args:
        shape: of the noise.
        generator: of the CPU, whose draws are the same on every machine; None: torch's own stream of the
            device, for training.
        like: any tensor.
    """
    if generator is None:
        return torch.randn(*shape, device=like.device, dtype=like.dtype)
    return torch.randn(*shape, generator=generator).to(device=like.device, dtype=like.dtype)


def correlated(noise: Tensor, sigma: float) -> Tensor:
    """White noise after a Gaussian low-pass over its last two axes, with variance 1 again at every place.

    Args:
        noise: (B, C, h, w), independent and standard normal.
        sigma: of the Gaussian, px; 0 returns the noise itself.

    Returns:
        (B, C, h, w); at borders fewer values are summed, and the sum is divided by the root of their
        squared weights, so that variance does not fall there.
    """
    if not sigma:
        return noise
    reach = max(1, math.ceil(3 * sigma))
    taps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    line = torch.exp(-0.5 * (taps / sigma).square()).to(noise)
    for axis in (-2, -1):
        weights = line.view(1, 1, -1, 1) if axis == -2 else line.view(1, 1, 1, -1)
        padding = (reach, 0) if axis == -2 else (0, reach)
        flat = noise.flatten(0, 1)[:, None]
        energy = F.conv2d(torch.ones_like(flat[:1]), weights.square(), padding=padding)
        noise = (F.conv2d(flat, weights, padding=padding) / energy.sqrt()).view_as(noise)
    return noise
