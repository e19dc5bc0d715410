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


def moved(image: Array, by: Sequence[float] | Array, gain: Array | None = None) -> Array:
    """The image with what lies `by` from each pixel drawn there, by Lanczos-4.

    Args:
        image: (H, W, 3) uint8 or uint16.
        by: (x, y) px in the middle, of `drawable`.
        gain: (2, 2) what it gains a px along x (first row) and along y; None: nothing.

    Returns:
        The same size and type; beyond the border the image is mirrored.
    """
    gain = np.zeros((2, 2)) if gain is None else gain
    middle = np.array([image.shape[1] - 1, image.shape[0] - 1]) / 2
    there = np.eye(3)
    there[:2, :2] += gain.T
    there[:2, 2] = np.asarray(by) - gain.T @ middle
    drawn = draw(image.astype(np.float32), Warp.plain(Homography(there)), image.shape[:2])
    return np.clip(np.rint(drawn), 0, np.iinfo(image.dtype).max).astype(image.dtype)
