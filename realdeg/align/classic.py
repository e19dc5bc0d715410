"""The D2CRealSR paper's registration as published: two passes of SIFT with a homography (Sec. 4.1).

Kept for comparison and for reproducing its sets; `polish` is several times more exact.
"""

from __future__ import annotations

import cv2
import numpy as np

from realdeg.align.coarse import MIN_INLIERS, matched_points, reduced
from realdeg.align.crop import Box, common_field
from realdeg.align.homography import Homography
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array

REPROJECTION_PX = 2.0
FEW_PIXELS = 120
CENTRAL = 0.6  # share of the field's sides on which brightness is compared


def two_passes(lr: Array, hr: Array, hr_from_lr: Homography) -> Homography:
    """Homography from SIFT matches, brightness of the central area, homography again.

    Args:
        lr: (h, w) uint8 luma of the LR photo.
        hr: (H, W) uint8 luma of the HR photo.
        hr_from_lr: rough map.

    Returns:
        hr_from_lr; the rough one where a pass finds too few matches.
    """
    for _ in range(2):
        field = common_field(lr.shape, hr.shape, Warp.plain(hr_from_lr))
        if field is None or min(field.width, field.height) < 32:
            return hr_from_lr
        zoom = hr_from_lr.zoom_at(field.centre)
        small, hr_from_small = reduced(hr, zoom)
        central = _central(field)
        part = hr_from_small.inverse() @ hr_from_lr @ Homography.translation(central.x, central.y)
        seen = cv2.warpPerspective(
            small, part.matrix, (central.width, central.height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        )
        there = lr[central.slices].astype(np.float32) / 255
        gain, offset = _line(seen.astype(np.float64) / 255, there.astype(np.float64))
        small = np.rint(255 * np.clip(gain * (small / 255) + offset, 0, 1)).astype(np.uint8)
        source, target = matched_points(np.ascontiguousarray(lr[field.slices]), small)
        if len(source) < MIN_INLIERS:
            return hr_from_lr
        matrix, mask = cv2.findHomography(
            source + np.array([field.x, field.y]),
            target,
            cv2.USAC_MAGSAC,
            REPROJECTION_PX,
            maxIters=10_000,
            confidence=0.9999,
        )
        if matrix is None or int(mask.sum()) < MIN_INLIERS:
            return hr_from_lr
        hr_from_lr = hr_from_small @ Homography(matrix)
    return hr_from_lr


def _central(field: Box) -> Box:
    width, height = (max(16, int(CENTRAL * side)) for side in (field.width, field.height))
    return Box(field.x + (field.width - width) // 2, field.y + (field.height - height) // 2, width, height)


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Gain and offset by least squares, three rounds with outliers left out."""
    keep = (x > 2 / 255) & (x < 253 / 255) & (y > 2 / 255) & (y < 253 / 255)
    gain, offset = 1.0, 0.0
    for _ in range(3):
        if keep.sum() < FEW_PIXELS:
            break
        if float(x[keep].std()) < 2 / 255:
            return 1.0, float((y[keep] - x[keep]).mean())
        gain, offset = np.polyfit(x[keep], y[keep], 1)
        off = np.abs(y - gain * x - offset)
        keep = off <= 3 * 1.4826 * np.median(off[keep]) + 1e-3
    return float(gain), float(offset)
