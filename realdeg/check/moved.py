"""HR moved by a constant shift, resampled once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from realdeg.align.draw import TABLE, draw
from realdeg.align.homography import Homography
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array


def drawable(by: npt.ArrayLike) -> Array:
    """The nearest shift (x, y) that is drawn without rounding: of whole 1/32 px."""
    return np.round(np.asarray(by, np.float64) * TABLE) / TABLE


def moved(image: Array, by: Sequence[float] | Array) -> Array:
    """The image with what lies `by` from each pixel drawn there, by Lanczos-4.

    Args:
        image: (H, W, 3) uint8 or uint16.
        by: (x, y) px, of `drawable`.

    Returns:
        The same size and type; beyond the border the image is mirrored.
    """
    there = Warp.plain(Homography.translation(float(by[0]), float(by[1])))
    drawn = draw(image.astype(np.float32), there, image.shape[:2])
    return np.clip(np.rint(drawn), 0, np.iinfo(image.dtype).max).astype(image.dtype)
