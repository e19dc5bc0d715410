"""Making an image agree with the LR photo it came from: not at all, exactly, or by the published CEM."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from realdeg.imaging.cem import cem
from realdeg.imaging.depth import to_float
from train.restore.model import projected

How = Literal["none", "project", "cem"]
HOWS: tuple[How, ...] = get_args(How)


def enforced(image: Tensor, lr: np.ndarray, scale: int, how: How) -> Tensor:
    """An image that agrees with LR.

    Args:
        image: (3, s h, s w) float, RGB, white is 1; beyond [0, 1] is allowed.
        lr: (h, w, 3) uint8 or uint16 RGB.
        scale: s.
        how: "none"; "project": the closest image in [0, 1] that MATLAB's bicubic reduces to LR
            (`realdeg.imaging.consistency`); "cem": `realdeg.imaging.cem`, not clamped.

    Returns:
        (3, s h, s w) float32; the image itself where nothing was to be done.

    Raises:
        ValueError: an unknown way, or sizes that do not fit.
    """
    if how not in HOWS:
        raise ValueError(f"agreement by {how!r} is none of {', '.join(HOWS)}")
    if how == "none":
        return image
    pixels = image.permute(1, 2, 0).numpy()
    if how == "project":
        return projected(pixels, lr, scale)
    small = to_float(lr)
    return torch.from_numpy(cem(pixels, small, scale)).permute(2, 0, 1)
