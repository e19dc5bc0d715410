"""Seams of images that are made of patches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def blockiness(image: npt.NDArray[Any], step: int) -> float:
    """How much stronger the steps across the borders of patches are than those inside, along both axes.

    Mean |difference| of neighbours on two sides of a border, divided by that of all other neighbours. An
    image without seams has about 1, whatever is in it; VSpSR, one patch for each LR pixel, has more (its
    "patch effect").

    Args:
        image: (H, W) or (H, W, C), of any type and range; the first patch begins at the first pixel.
        step: side of a patch, px, at least 2: the scale.

    Returns:
        >= 0; 1 for a flat image, infinity for flat patches that differ.

    Raises:
        ValueError: another shape, patches of less than 2 px, or an image of one patch.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"an image of shape {image.shape} has no patches")
    if step < 2:
        raise ValueError(f"patches of {step} px have no inside")
    if max(image.shape[:2]) <= step:
        raise ValueError(f"{image.shape[0]} x {image.shape[1]} px are one patch of {step} px: no border")
    values = image.astype(np.float64)
    total, count = np.zeros(2), np.zeros(2)
    for axis in (0, 1):
        steps = np.abs(np.diff(values, axis=axis)).swapaxes(0, axis)
        across = np.arange(1, len(steps) + 1) % step == 0
        for side, chosen in enumerate((steps[~across], steps[across])):
            total[side] += chosen.sum()
            count[side] += chosen.size
    inside, border = total / count
    if inside == 0:
        return float("inf") if border > 0 else 1.0
    return float(border / inside)
