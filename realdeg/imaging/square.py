"""A picture of any size and aspect as a square for a network: resized with care, never squashed."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.errors import Unfit
from realdeg.imaging.depth import to_8bit

SMALLEST = 2  # px a side: one pixel has no variance


def fitted(
    picture: npt.NDArray[Any], side: int = 256, place: tuple[float, float] = (0.5, 0.5)
) -> npt.NDArray[np.uint8]:
    """The largest square of a picture, resized.

    Args:
        picture: (H, W, 3) uint8 or uint16 RGB.
        side: of the result, px.
        place: of the square along its free axis, in [0, 1]; the middle by default.

    Returns:
        (side, side, 3) uint8: averaged over areas where it shrinks, cubic where it grows.

    Raises:
        Unfit: a picture of one pixel a side has no style.
    """
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        raise Unfit("the reference", f"is {width}x{height} px: it shows nothing", "give a picture")
    least = min(height, width)
    top, left = (int(p * (n - least)) for p, n in zip(place, (height, width), strict=True))
    square = to_8bit(np.ascontiguousarray(picture[top : top + least, left : left + least]))
    way = cv2.INTER_AREA if least > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (side, side), interpolation=way), np.uint8)
