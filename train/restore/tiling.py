"""Large images in bounded memory, to the same values as in one piece.

Channel attention takes means over the whole image, so cutting the input into tiles changes every pixel.
What costs memory, though, is not the body of the network at LR's resolution but the upsamplers and the
fusion at HR's (s**2 times the pixels), and those are local. So the body sees the whole image, and tails
and fusion go tile by tile with a halo that covers their receptive field: exact, and nothing is computed
twice but the halo.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from train.nets.host import SinglePath
from train.nets.tree import TreeNet

HALO = 8  # LR px; tails reach 3, the fusion 3 / s, the bicubic base 2


def by_tiles(
    draw: Callable[[int, int, int, int], Tensor], size_hw: tuple[int, int], scale: int, tile: int, halo: int
) -> Tensor:
    """Images drawn tile by tile, each with a halo that is thrown away.

    Args:
        draw: (y0, y1, x0, x1), LR px, -> images of that part, (K, C, s (y1 - y0), s (x1 - x0)).
        size_hw: of LR.
        scale: s.
        tile: side of a tile in HR px; it is rounded down to whole LR px, of which it has at least one.
        halo: LR px that a pixel may depend on, on each side.

    Returns:
        (K, C, s h, s w) float32 on the CPU.

    Raises:
        ValueError: a tile of less than a pixel.
    """
    if tile < 1:
        raise ValueError(f"tiles have at least 1 px, not {tile}")
    height, width = size_hw
    side = max(1, tile // scale)
    result = torch.empty(0)
    for top in range(0, height, side):
        for left in range(0, width, side):
            bottom, right = min(top + side, height), min(left + side, width)
            y, x = max(0, top - halo), max(0, left - halo)
            below, beside = min(bottom + halo, height), min(right + halo, width)
            images = draw(y, below, x, beside)
            if not result.numel():
                result = torch.empty(*images.shape[:2], scale * height, scale * width)
            inner = images[
                ..., scale * (top - y) : scale * (bottom - y), scale * (left - x) : scale * (right - x)
            ]
            result[..., scale * top : scale * bottom, scale * left : scale * right] = inner.cpu()
    return result


def upscale_tiled(
    tree: TreeNet | SinglePath,
    fusion: nn.Module | None,
    lr: Tensor,
    *,
    scale: int,
    tile: int = 512,
    branches: bool = True,
) -> Tensor:
    """Fused image and the branches' predictions of one image.

    Args:
        tree: divergence network, or a host alone.
        fusion: convergence network; None = plain mean of the branches.
        lr: (1, 3, h, w) on the device of the networks.
        scale: s.
        tile: side of a tile in HR px; memory at HR's resolution is bounded by (tile + 2 HALO s)**2, but for
            the result.
        branches: False leaves the predictions out of the result.

    Returns:
        (1 + P, 3, s h, s w), or (1, 3, s h, s w), float32 on the CPU, not clamped.

    Raises:
        ValueError: a tile of less than a pixel.
    """
    features = tree.features(lr)
    fine = features[0].shape[-1] // lr.shape[-1]  # 1, or s for hosts whose body is at HR's resolution

    def draw(y0: int, y1: int, x0: int, x1: int) -> Tensor:
        around = (..., slice(fine * y0, fine * y1), slice(fine * x0, fine * x1))
        pred = tree.render([f[around] for f in features], lr[..., y0:y1, x0:x1]).float()
        fused = fusion(pred)[0].float() if fusion is not None else pred.mean(1)
        return torch.cat([fused[:, None], pred], dim=1)[0] if branches else fused

    return by_tiles(draw, (lr.shape[-2], lr.shape[-1]), scale, tile, HALO)
