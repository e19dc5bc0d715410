"""Between 8 bits, 16 bits and [0, 1]: the one way of each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array


def to_8bit(pixels: Array) -> npt.NDArray[np.uint8]:
    """Pixels as 8 bits, rounded to the nearest level and clipped; 8-bit pixels are returned as they are.

    Args:
        pixels: of any shape, uint8, uint16, or float in [0, 1] (halves are rounded to even).
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return _scaled(pixels, 1 / 257)  # 65535 / 255; no sixteen-bit value lies half-way
    # The same as `io.save.to_uint`, in half the time: OpenCV rounds half to even and clips at the top.
    return _scaled(np.maximum(pixels, 0), 255)


def _scaled(pixels: Array, by: float) -> npt.NDArray[np.uint8]:
    import cv2  # reading a photo's header needs none of it

    flat = np.ascontiguousarray(pixels)
    return cv2.convertScaleAbs(flat.reshape(len(flat), -1), alpha=by).reshape(pixels.shape)


def to_float(pixels: Array) -> npt.NDArray[np.float32]:
    """Pixels as float32 in [0, 1]; float32 is returned as it is.

    Args:
        pixels: of any shape, uint8, uint16 or float32.
    """
    if pixels.dtype == np.float32:
        return pixels
    return np.multiply(pixels, np.float32(1 / peak(pixels)), dtype=np.float32)


def peak(pixels: Array) -> int:
    """White of an array of whole numbers: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)
