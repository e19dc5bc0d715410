"""What lies beyond an image's edge: one name for it, and what NumPy, OpenCV and torch call it."""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

Border = Literal["symmetric", "reflect", "replicate"]
BORDERS: tuple[Border, ...] = get_args(Border)

OPENCV = {
    "symmetric": cv2.BORDER_REFLECT,  # edge pixel repeated: c b a | a b c
    "reflect": cv2.BORDER_REFLECT_101,  # edge pixel once: c b | a b c
    "replicate": cv2.BORDER_REPLICATE,  # a a | a b c
}


def mirrored(index: npt.NDArray[np.int64], size: int, border: Border) -> npt.NDArray[np.int64]:
    """Pixels of an axis of `size` px that stand for those at any index, also far outside."""
    if border == "replicate":
        return np.clip(index, 0, size - 1)
    if border == "reflect" and size > 1:
        period = np.mod(index, 2 * size - 2)
        return np.where(period < size, period, 2 * size - 2 - period)
    period = np.mod(index, 2 * size)
    result = np.where(period < size, period, 2 * size - 1 - period)
    return result


def padded(
    image: npt.NDArray[Any], top: int, bottom: int, left: int, right: int, border: Border
) -> npt.NDArray[Any]:
    """The image with so many pixels more on each side; a negative number cuts off.

    Args:
        image: (H, W) or (H, W, C), of any type.
        top, bottom, left, right: px; may be larger than the image.
        border: what lies beyond the edge.
    """
    height, width = image.shape[:2]
    if min(top, bottom, left, right) >= 0 and max(top, bottom) < height and max(left, right) < width:
        return cv2.copyMakeBorder(image, top, bottom, left, right, OPENCV[border])
    rows = mirrored(np.arange(-top, height + bottom), height, border)
    columns = mirrored(np.arange(-left, width + right), width, border)
    return image[rows[:, None], columns]
