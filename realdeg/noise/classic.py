"""RealSR's rule for noise patches, exactly: windows of little variance that are not dark.

Ji et al., "Real-World Super-Resolution via Kernel Estimation and Noise Injection", CVPRW 2020; the numbers
are those of their program. Windows lie on a grid of their own size which ends before the last row and column
that a window would touch; so a photo of 512 px gives one window of 256, and one of 256 px none.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from realdeg.arraytypes import Array


@dataclass(frozen=True)
class Classic:
    """What the rule finds in a photo.

    Attributes:
        windows: (y, x, variance, mean) of each window that is taken, in order.
        looked_at: windows on the grid.
        uneven, dark: windows of too much variance, and of the others those that are too dark.
    """

    windows: tuple[tuple[int, int, float, float], ...]
    looked_at: int
    uneven: int
    dark: int


def classic(pixels: Array, size: int = 256, max_variance: float = 20.0, min_mean: float = 50.0) -> Classic:
    """Windows of a photo by the rule.

    Args:
        pixels: (H, W, 3) uint8 or uint16 RGB.
        size: of windows and of the grid, px.
        max_variance: of grey, 8-bit levels squared; taken below.
        min_mean: of grey, 8-bit levels; taken above.
    """
    eight = pixels if pixels.dtype == np.uint8 else np.rint(pixels / np.float32(257)).astype(np.uint8)
    # The published program's grey is Pillow's; OpenCV's differs by a level now and then.
    grey = np.asarray(Image.fromarray(np.ascontiguousarray(eight)).convert("L"))
    taken: list[tuple[int, int, float, float]] = []
    looked_at = uneven = dark = 0
    for y in range(0, grey.shape[0] - size, size):
        for x in range(0, grey.shape[1] - size, size):
            window = grey[y : y + size, x : x + size]
            looked_at += 1
            # Whole numbers, so that no rounding decides at a threshold.
            total, squares = int(cv2.sumElems(window)[0]), int(cv2.norm(window, cv2.NORM_L2SQR))
            variance, mean = (size**2 * squares - total**2) / size**4, total / size**2
            if variance >= max_variance:
                uneven += 1
            elif mean <= min_mean:
                dark += 1
            else:
                taken.append((y, x, variance, mean))
    return Classic(tuple(taken), looked_at, uneven, dark)
