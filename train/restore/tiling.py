"""Large images in bounded memory, to the same values as in one piece.

Channel attention takes means over the whole image, so cutting the input into tiles changes every pixel.
What costs memory, though, is not the body of the network at LR's resolution but the upsamplers and the
fusion at HR's (s**2 times the pixels), and those are local. So the body sees the whole image, and tails
and fusion go tile by tile with a halo that covers their receptive field: exact, and nothing is computed
twice but the halo.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.nets.host import SinglePath
from train.nets.tree import TreeNet

HALO = 8  # LR px; tails reach 3, the fusion 3 / s, the bicubic base 2


def upscale_tiled(
    tree: TreeNet | SinglePath, fusion: nn.Module | None, lr: Tensor, *, scale: int, tile: int = 256
) -> Tensor:
    """Fused image and the branches' predictions of one image.

    Args:
        tree: divergence network, or a host alone.
        fusion: convergence network; None = plain mean of the branches.
        lr: (1, 3, h, w) on the device of the networks.
        scale: s.
        tile: side of a tile in LR px; memory at HR's resolution is bounded by (tile + 2 HALO)**2 s**2.

    Returns:
        (1 + P, 3, s h, s w) float32 on the CPU, not clamped.

    Raises:
        ValueError: a tile of less than a pixel.
    """
    if tile < 1:
        raise ValueError(f"tiles have at least 1 px, not {tile}")
    height, width = lr.shape[-2:]
    features = tree.features(lr)
    fine = features[0].shape[-1] // width  # 1, or s for hosts whose body is at HR's resolution
    result = torch.empty(1 + len(features), 3, scale * height, scale * width)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            y, x = max(0, top - HALO), max(0, left - HALO)
            below, beside = min(bottom + HALO, height), min(right + HALO, width)
            around = (..., slice(fine * y, fine * below), slice(fine * x, fine * beside))
            pred = tree.render([f[around] for f in features], lr[..., y:below, x:beside]).float()
            fused = fusion(pred)[0].float() if fusion is not None else pred.mean(1)
            images = torch.cat([fused[:, None], pred], dim=1)[0]
            inner = images[
                ..., scale * (top - y) : scale * (bottom - y), scale * (left - x) : scale * (right - x)
            ]
            result[..., scale * top : scale * bottom, scale * left : scale * right] = inner.cpu()
    return result
