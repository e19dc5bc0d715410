"""The eight ways in which a picture can be stored, numbered as EXIF does (TIFF 6.0, tag 274)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def turned(pixels: Array, orientation: int) -> Array:
    """Apply an EXIF orientation: where the stored row 0 and column 0 belong.

    Args:
        pixels: (H, W, ...) as stored.
        orientation: 1 to 8; 1 = upright already.

    Returns:
        (H, W, ...) or, from 5 on, (W, H, ...); contiguous.
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def orientation_of(moves: Iterable[tuple[str, int]]) -> int:
    """The one EXIF orientation that does what a list of turns and mirrors does.

    Args:
        moves: in their order, as HEIF states them: ("irot", quarter turns anti-clockwise), ("imir", 0 =
            top and bottom change places, 1 = left and right do).
    """
    corners = result = np.arange(4).reshape(2, 2)
    for name, value in moves:
        result = np.rot90(result, value) if name == "irot" else np.flip(result, axis=value)
    return next(o for o in range(1, 9) if np.array_equal(turned(corners, o), result))
