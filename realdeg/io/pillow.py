"""From any 8-bit Pillow image to an array and the name of its colour model."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image


def plain(image: Image.Image) -> tuple[np.ndarray[Any, Any], str]:
    """Decode, and expand palettes and single bits.

    Returns:
        (H, W, C) uint8 and "L", "LA", "RGB", "RGBA" or "CMYK".
    """
    image.load()
    if image.mode in ("P", "PA"):
        see_through = image.mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if see_through else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        image = image.convert("RGB")  # YCbCr, RGBX
    pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1), image.mode
