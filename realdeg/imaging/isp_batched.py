"""`realdeg.imaging.isp` for batches of tensors, differentiable, with other settings for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.imaging.isp import DARKEST, FILTERS, GAMMA, HIGHLIGHT, Isp, Method, Pattern

PATTERNS: tuple[str, ...] = get_args(Pattern)
METHODS: tuple[str, ...] = get_args(Method)


@dataclass(frozen=True, eq=False)
class Isps:
    """Settings of B cameras; attributes mean what they mean in `Isp`. All on one device.

    Attributes:
        red_gain, blue_gain, gain: (B,) float.
        ccm: (B, 3, 3) float, linear sRGB from white-balanced camera RGB.
        pattern: (B,) int64, index into `PATTERNS`: 2 * row + column of red.
        demosaic: (B,) int64, index into `METHODS`.
    """

    red_gain: Tensor
    blue_gain: Tensor
    gain: Tensor
    ccm: Tensor
    pattern: Tensor
    demosaic: Tensor

    @property
    def gains(self) -> Tensor:
        """(B, 3, 1, 1) what the channels of raw pictures are multiplied by."""
        white_balance = torch.stack([self.red_gain, torch.ones_like(self.red_gain), self.blue_gain], dim=1)
        return (white_balance * self.gain[:, None])[:, :, None, None]


def stacked(
    isps: Sequence[Isp], *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Isps:
    """The settings of B samples as tensors of `dtype` (indices: int64) on a device."""

    def floats(values: object) -> Tensor:
        return torch.tensor(np.array(values), dtype=dtype, device=device)

    return Isps(
        red_gain=floats([isp.red_gain for isp in isps]),
        blue_gain=floats([isp.blue_gain for isp in isps]),
        gain=floats([isp.gain for isp in isps]),
        ccm=floats([isp.matrix for isp in isps]),
        pattern=torch.tensor([PATTERNS.index(isp.pattern) for isp in isps], device=device),
        demosaic=torch.tensor([METHODS.index(isp.demosaic) for isp in isps], device=device),
    )


def unprocess(images: Tensor, isps: Isps) -> Tensor:
    """What the sensors would have seen; parity-tested with `isp.unprocess`.

    Args:
        images: (B, 3, H, W), RGB, sRGB-encoded, [0, 1].
        isps: settings of the B samples.

    Returns:
        (B, 3, H, W) linear camera RGB in [0, 1]. The inverse tone curve is infinitely steep at exactly 0 and
        1, and clipped beyond: its gradient there is 0.
    """
    inside = (images > 0) & (images < 1)
    encoded = torch.where(inside, images, 0.5)  # a NaN born at 0 or 1 would survive a later mask
    tone = torch.where(inside, 0.5 - torch.sin(torch.asin(1 - 2 * encoded) / 3), (images >= 1).to(images))
    linear = tone.clamp_min(DARKEST) ** GAMMA
    camera = _transformed(linear, torch.linalg.inv(isps.ccm)).clamp(0, 1)
    alpha = ((camera - HIGHLIGHT).clamp_min(0) / (1 - HIGHLIGHT)) ** 2
    dimmed = camera / isps.gains
    return torch.maximum(dimmed, (1 - alpha) * dimmed + alpha * camera).clamp_max(1)


def process(rgb: Tensor, isps: Isps) -> Tensor:
    """Finished pictures of demosaiced raw; parity-tested with `isp.process`.

    Args:
        rgb: (B, 3, H, W) linear camera RGB.
        isps: settings of the B samples.

    Returns:
        (B, 3, H, W) RGB, sRGB-encoded, [0, 1].
    """
    balanced = (rgb * isps.gains).clamp(0, 1)
    linear = _transformed(balanced, isps.ccm).clamp(0, 1)
    encoded = linear.clamp_min(DARKEST) ** (1 / GAMMA)
    return encoded * encoded * (3 - 2 * encoded)


def mosaic(rgb: Tensor, pattern: Tensor) -> Tensor:
    """The one colour that each pixel's filter lets through; parity-tested with `isp.mosaic`.

    Args:
        rgb: (B, 3, H, W).
        pattern: (B,) int64, index into `PATTERNS`.

    Returns:
        (B, 1, H, W).
    """
    red_row, red_column = _sites(pattern, rgb.shape[-2], rgb.shape[-1])
    red, green, blue = torch.tensor_split(rgb, 3, dim=1)
    return torch.where(red_row == red_column, torch.where(red_row, red, blue), green)


def demosaic(raw: Tensor, pattern: Tensor, method: Tensor) -> Tensor:
    """Fill in the two colours that each pixel lacks; parity-tested with `isp.demosaic`.

    Args:
        raw: (B, 1, H, W), at least 2 x 2.
        pattern: (B,) int64, index into `PATTERNS`.
        method: (B,) int64, index into `METHODS`.

    Returns:
        (B, 3, H, W), not clipped.

    Raises:
        ValueError: a mosaic that lacks a colour altogether.
    """
    batch, _, height, width = raw.shape
    if min(height, width) < 2:
        raise ValueError(f"a mosaic of ({height}, {width}) lacks a colour")
    kernels = torch.from_numpy(np.stack([FILTERS[name] for name in get_args(Method)])).to(raw)
    weight = kernels[method].reshape(
        4 * batch, 1, 5, 5
    )  # a group per sample, so that each has its own method
    rows, columns = (_mirrored(size, raw.device) for size in (height, width))
    padded = raw[:, 0].index_select(1, rows).index_select(2, columns)
    filtered = F.conv2d(padded[None], weight, groups=batch).reshape(batch, 4, height, width)
    cross, across, down, diagonal = torch.tensor_split(filtered, 4, dim=1)
    red_row, red_column = _sites(pattern, height, width)
    at_red, at_blue = red_row & red_column, ~red_row & ~red_column
    red = torch.where(at_blue, diagonal, torch.where(red_row, across, down))
    blue = torch.where(at_red, diagonal, torch.where(red_row, down, across))
    return torch.cat(
        [
            torch.where(at_red, raw, red),
            torch.where(at_red | at_blue, cross, raw),
            torch.where(at_blue, raw, blue),
        ],
        dim=1,
    )


def _transformed(images: Tensor, matrices: Tensor) -> Tensor:
    return torch.einsum("bij,bjhw->bihw", matrices, images)


def _sites(pattern: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """(B, 1, H, 1) whether red lies in a row, and (B, 1, 1, W) in a column; blue has the others."""
    y = torch.arange(height, device=pattern.device)[None, None, :, None]
    x = torch.arange(width, device=pattern.device)[None, None, None, :]
    first = pattern[:, None, None, None]
    return y % 2 == first // 2, x % 2 == first % 2


def _mirrored(size: int, device: torch.device) -> Tensor:
    """Indices of -2 .. size + 1, mirrored without repeating the edge; `F.pad` refuses sizes below 3."""
    folded = torch.arange(-2, size + 2, device=device) % (2 * size - 2)
    return torch.minimum(folded, 2 * size - 2 - folded)
