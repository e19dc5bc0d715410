"""HR drawn on a grid: resampled once, at exact positions, in blocks of rows.

OpenCV's Lanczos-4 keeps displacements to 0.005 px at every phase and frequency that matters, but rounds
positions to 1/32 px; its bicubic (a = -0.75) does not round and is off by up to 0.05 px at low
frequencies. So Lanczos it is, and what the rounding left out is added to first order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from realdeg.align.warp import Warp
from realdeg.arraytypes import Array

BLOCK_PIXELS = 400_000
REACH = 5  # of the Lanczos kernel, and one more
TABLE = 32  # steps a pixel of OpenCV's interpolation tables


def draw(image: Array, image_from_grid: Warp, size_hw: tuple[int, ...]) -> Array:
    """Resample a float picture onto a pixel grid.

    Args:
        image: (H, W) or (H, W, C) float32.
        image_from_grid: where the grid's pixels lie in the image.
        size_hw: size of the grid (rows, columns).

    Returns:
        float32 on the grid; outside the image its border is mirrored. Positions are rounded to 1/32 px
        (`rounding` says by how much).
    """
    result = np.empty((*size_hw[:2], *image.shape[2:]), np.float32)
    for rows, at in _blocks(image_from_grid, size_hw):
        result[rows] = _sampled(image, at)
    return result


def draw_nearest(mask: Array, image_from_grid: Warp, size_hw: tuple[int, ...]) -> Array:
    """(rows, columns) uint8: the nearest pixel of an (H, W) uint8 mask; 1 outside of it."""
    result = np.ones(size_hw[:2], np.uint8)
    for rows, at in _blocks(image_from_grid, size_hw):
        result[rows] = cv2.remap(
            mask, at[..., 0], at[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1
        )
    return result


def draw_integer(
    image: Array,
    maps: Sequence[Warp],
    size_hw: tuple[int, ...],
    finish: Callable[[Array, slice], Array],
) -> Array:
    """Resample a photo onto a pixel grid at exact positions, finish it in float, and round once.

    Args:
        image: (H, W, 3) uint8 or uint16.
        maps: where the grid's pixels lie in the image: one map, or one for each channel.
        size_hw: size of the grid (rows, columns).
        finish: applied to blocks of rows, (h, w, 3) float32 in [0, 1] and their slice (tone, gain).

    Returns:
        Array of the photo's type on the grid; outside the photo its border is mirrored.
    """
    peak = np.float32(np.iinfo(image.dtype).max)
    result = np.empty((*size_hw[:2], *image.shape[2:]), image.dtype)
    # The gradient is one by grid pixels: the chain rule, at the middle, where it is good for all.
    middle = np.array([(size_hw[1] - 1) / 2, (size_hw[0] - 1) / 2])
    grid_from_image = np.linalg.inv(maps[0].jacobian(middle)).T.astype(np.float32)
    for blocks in zip(*(_blocks(one, size_hw, overlap=1) for one in maps), strict=True):
        rows = blocks[0][0]
        if len(blocks) == 1:
            block = _exactly(image, blocks[0][1], grid_from_image)
        else:
            parts = [_exactly(image[..., c], at, grid_from_image) for c, (_, at) in enumerate(blocks)]
            block = np.stack(parts, axis=-1)
        inner = slice(1 if rows.start else 0, len(block) - (rows.stop < size_hw[0]))
        kept = slice(rows.start + inner.start, rows.start + inner.stop)
        done = finish(np.clip(block[inner] / peak, 0, 1), kept)
        result[kept] = np.rint(done * peak)
    return result


def _exactly(image: Array, at: Array, grid_from_image: Array) -> Array:
    """The image at positions, with what OpenCV's rounding of them left out added to first order."""
    block = _sampled(image, at)
    off = (at - np.round(at * TABLE) / TABLE) @ grid_from_image
    for i, axis in ((0, 1), (1, 0)):
        block += (off[..., i, None] if block.ndim == 3 else off[..., i]) * _slope(block, axis)
    return block


def rounding(image_from_grid: Warp, points: Array) -> Array:
    """(..., 2) by how much OpenCV's rounding moves what is drawn at grid points, grid px."""
    at = image_from_grid(points).astype(np.float32)
    moved = np.round(at * TABLE) / TABLE - at
    return np.linalg.solve(image_from_grid.jacobian(points), moved[..., None])[..., 0]


def _blocks(
    image_from_grid: Warp, size_hw: tuple[int, ...], overlap: int = 0
) -> Iterator[tuple[slice, Array]]:
    """Slices of rows and the positions (rows, width, 2) float32 of their pixels in the image."""
    height, width = size_hw[:2]
    step = max(8, BLOCK_PIXELS // max(width, 1))
    columns = np.arange(width, dtype=np.float64)
    for top in range(0, height, step):
        rows = slice(max(0, top - overlap), min(height, top + step + overlap))
        y = np.arange(rows.start, rows.stop, dtype=np.float64)
        yield rows, image_from_grid.on_grid(columns, y)


def _sampled(image: Array, at: Array) -> Array:
    """float32 of the image at positions; only the part around them is looked at."""
    x, y = np.ascontiguousarray(at[..., 0]), np.ascontiguousarray(at[..., 1])
    left, right, _, _ = cv2.minMaxLoc(x)
    top, bottom, _, _ = cv2.minMaxLoc(y)
    if not np.isfinite(left + right + top + bottom):
        raise ValueError("positions are not finite")
    height, width = image.shape[:2]
    x0, x1 = _range(left, right, width)
    y0, y1 = _range(top, bottom, height)
    part = image[y0:y1, x0:x1]
    return cv2.remap(
        part.astype(np.float32),
        x - np.float32(x0),
        y - np.float32(y0),
        cv2.INTER_LANCZOS4,
        borderMode=cv2.BORDER_REFLECT,
    )


def _range(low: float, high: float, size: int) -> tuple[int, int]:
    start = int(np.clip(np.floor(low) - REACH, 0, max(0, size - 2 * REACH)))
    return start, int(np.clip(np.ceil(high) + REACH + 1, min(size, start + 2 * REACH), size))


def _slope(block: Array, axis: int) -> Array:
    """Derivative along an axis, float32 per grid px, by central differences."""
    kernel = np.array([-0.5, 0, 0.5], np.float32)
    one = np.ones(1, np.float32)
    x, y = (kernel, one) if axis == 1 else (one, kernel)
    return cv2.sepFilter2D(block, cv2.CV_32F, x, y, borderType=cv2.BORDER_REFLECT)
