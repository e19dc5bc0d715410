"""Resizing as MATLAB's imresize does it (bicubic, antialiased): two small sparse matrices.

The one bicubic of this package: data, baselines and metrics all use it. OpenCV, Pillow and torch differ
from it by 4 to 57 grey levels at borders or everywhere.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

A = -0.5
BLOCK = 1 << 22  # values per block: bounds the float copies of large images


def cubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -0.5 (Keys, 1981)."""
    d = np.abs(x)
    inner = (A + 2) * d**3 - (A + 3) * d**2 + 1
    outer = A * d**3 - 5 * A * d**2 + 8 * A * d - 4 * A
    result: npt.NDArray[np.float64] = np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))
    return result


@lru_cache(maxsize=64)
def matrix(n_in: int, n_out: int, factor: float) -> sparse.csr_matrix:
    """(n_out, n_in) resampling of one axis.

    Output pixel k (from 0) lies at (k + 1/2) / factor - 1/2. When reducing, the kernel is stretched by
    1 / factor (antialiasing). Beyond the border the image is mirrored, edge pixel repeated; rows sum to 1.

    Args:
        n_in: length of the axis.
        n_out: length after resizing, MATLAB: ceil(n_in * factor).
        factor: output px per input px.
    """
    stretch = min(factor, 1.0)
    width = 4 / stretch
    centre = (np.arange(n_out) + 0.5) / factor - 0.5
    taps = int(np.ceil(width)) + 2
    index = np.floor(centre - width / 2).astype(np.int64)[:, None] + np.arange(taps)
    weight = cubic(stretch * (centre[:, None] - index))
    weight /= weight.sum(1, keepdims=True)
    period = np.mod(index, 2 * n_in)
    index = np.where(period < n_in, period, 2 * n_in - 1 - period)
    rows = np.repeat(np.arange(n_out), taps)
    result = sparse.csr_matrix((weight.ravel(), (rows, index.ravel())), shape=(n_out, n_in))
    result.sum_duplicates()
    result.eliminate_zeros()
    return result


def resize(
    image: npt.NDArray[Any], factor: float, size_hw: tuple[int, int] | None = None
) -> npt.NDArray[Any]:
    """Resize like MATLAB's `imresize(image, factor)` with its default bicubic kernel.

    Args:
        image: (H, W) or (H, W, C); uint8 and uint16 are rounded (half to even) and clipped after each
            pass, rows first, as MATLAB does; float stays float and may overshoot.
        factor: output px per input px, > 0, for both axes.
        size_hw: size of the output; default ceil(factor * size).

    Returns:
        Array of the image's type.

    Raises:
        ValueError: no image, or a factor that is not positive.
    """
    if image.ndim not in (2, 3) or 0 in image.shape or not factor > 0:
        raise ValueError(f"cannot resize an array of shape {image.shape} by {factor}")
    height, width = size_hw or tuple(int(np.ceil(round(n * factor, 9))) for n in image.shape[:2])
    tall = _rows(image, matrix(image.shape[0], height, float(factor)))
    wide = _rows(np.ascontiguousarray(tall.swapaxes(0, 1)), matrix(image.shape[1], width, float(factor)))
    return np.ascontiguousarray(wide.swapaxes(0, 1))


def _rows(image: npt.NDArray[Any], weights: sparse.csr_matrix) -> npt.NDArray[Any]:
    """`weights` applied along the first axis, in blocks of columns."""
    whole = np.issubdtype(image.dtype, np.integer)
    kind = np.float64 if whole or image.dtype == np.float64 else np.float32
    weights = weights.astype(kind, copy=False)
    flat = image.reshape(image.shape[0], -1)
    result = np.empty((weights.shape[0], flat.shape[1]), image.dtype)
    step = max(1, BLOCK // max(image.shape[0], weights.shape[0]))
    for start in range(0, flat.shape[1], step):
        block = weights @ np.ascontiguousarray(flat[:, start : start + step], dtype=kind)
        if whole:
            limits = np.iinfo(image.dtype)
            block = np.clip(np.rint(block), limits.min, limits.max)
        result[:, start : start + step] = block
    return result.reshape(-1, *image.shape[1:])
