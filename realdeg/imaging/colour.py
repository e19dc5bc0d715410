"""Colour: BT.601 luma as the field measures it, and sRGB to linear light and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LUMA_STUDIO = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, studio range, for RGB in 0..255
LUMA_OFFSET = 16.0


def luma(rgb: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Luma Y of BT.601 in studio range, not rounded: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255.

    Args:
        rgb: (..., 3), RGB in 0..255, any type.

    Returns:
        (...) float64 in 16..235 (MATLAB's rgb2ycbcr before rounding).
    """
    return np.asarray(rgb, dtype=np.float64) @ LUMA_STUDIO + LUMA_OFFSET


def srgb_to_linear(encoded: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Linear light of sRGB-encoded values (IEC 61966-2-1), float32 in [0, 1]."""
    v = np.asarray(encoded, dtype=np.float32)
    low = v * np.float32(1 / 12.92)
    high = ((np.maximum(v, 0) + np.float32(0.055)) * np.float32(1 / 1.055)) ** np.float32(2.4)
    return np.where(v <= 0.04045, low, high)


def linear_to_srgb(linear: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Encode linear light as sRGB (IEC 61966-2-1), float32 in [0, 1]."""
    v = np.asarray(linear, dtype=np.float32)
    low = v * np.float32(12.92)
    high = np.float32(1.055) * np.maximum(v, 0) ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(v <= 0.0031308, low, high)
