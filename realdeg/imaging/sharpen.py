"""Unsharp masking with a threshold, as Real-ESRGAN sharpens its ground truth."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.imaging.border import OPENCV, Border

STRIP = 1 << 16  # values


def unsharp(
    image: npt.NDArray[Any],
    weight: float = 0.5,
    radius: int = 51,
    threshold: float = 10,
    border: Border = "reflect",
) -> npt.NDArray[Any]:
    """Sharpen where the image differs from its blur by more than a threshold.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        weight: of the difference.
        radius: side of the Gaussian, odd, px; its sigma is `window_sigma(radius)`.
        threshold: 8-bit levels.
        border: beyond the image's edge.

    Returns:
        (H, W, 3) float32 in [0, 1].
    """
    sigma, beyond = window_sigma(radius), OPENCV[border]
    smooth = cv2.GaussianBlur(image, (radius, radius), sigma, borderType=beyond)
    mask = np.empty_like(smooth)
    for part in _strips(image):
        apart = cv2.absdiff(image[part], smooth[part])
        cv2.threshold(apart, threshold / 255, 1.0, cv2.THRESH_BINARY, dst=mask[part])
    soft = cv2.GaussianBlur(mask, (radius, radius), sigma, borderType=beyond)
    for part in _strips(image):
        sharp = cv2.addWeighted(image[part], 1 + weight, smooth[part], -weight, 0)
        np.clip(sharp, 0, 1, out=sharp)
        sharp -= image[part]
        sharp *= soft[part]
        np.add(sharp, image[part], out=smooth[part])
    return smooth


def _strips(image: npt.NDArray[Any]) -> list[slice]:
    """Rows that fit the processor's cache together: what is done pixel by pixel is twice as fast there."""
    rows = max(1, STRIP // image[0].size)
    return [slice(start, start + rows) for start in range(0, len(image), rows)]


def window_sigma(side: int) -> float:
    """Standard deviation that OpenCV gives a Gaussian window of this side, px."""
    return 0.3 * ((side - 1) * 0.5 - 1) + 0.8
