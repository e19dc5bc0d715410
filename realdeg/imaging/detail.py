"""Where an image has most detail: a sky tells nothing about sharpness."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


def busiest(image: npt.NDArray[Any], height: int, width: int) -> tuple[int, int]:
    """Top left corner (y, x) of the crop with most detail, by the sum of |Laplacian|.

    Args:
        image: (H, W, 3) uint8.
        height: of the crop, at most H.
        width: at most W.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    total = cv2.integral(energy)
    sums = (
        total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    )
    top, left = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return int(top), int(left)
