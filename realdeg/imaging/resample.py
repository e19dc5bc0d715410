"""Resizing as two small sparse matrices: MATLAB's bicubic to the byte, and the other kernels people use.

The one bicubic of this package: data, baselines and metrics all use it. OpenCV, Pillow and torch differ
from it by 4 to 57 grey levels at borders or everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse

from realdeg.arraytypes import Array
from realdeg.imaging.border import Border, mirrored

Method = Literal["nearest", "bilinear", "bicubic", "lanczos", "area", "matlab_bicubic"]
METHODS: tuple[Method, ...] = get_args(Method)

A = -0.5
BLOCK = 1 << 22  # values per block: bounds the float copies of large images


def cubic(x: npt.NDArray[np.float64], a: float = A) -> npt.NDArray[np.float64]:
    """Cubic convolution (Keys, 1981): a = -0.5 in MATLAB and Pillow, -0.75 in OpenCV and torch."""
    d = np.abs(x)
    inner = (a + 2) * d**3 - (a + 3) * d**2 + 1
    outer = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))


def triangle(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Kernel of linear interpolation."""
    return np.maximum(1 - np.abs(x), 0.0)


def lanczos3(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """sinc(x) sinc(x / 3) for |x| < 3, as in MATLAB's lanczos3 and Pillow's LANCZOS."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


@lru_cache(maxsize=64)
def matrix(n_in: int, n_out: int, factor: float) -> sparse.csr_matrix:
    """(n_out, n_in) MATLAB bicubic resampling of one axis; see `_kernel_matrix`.

    Args:
        n_in: length of the axis.
        n_out: length after resizing, MATLAB: ceil(n_in * factor).
        factor: output px per input px.
    """
    return _kernel_matrix(n_in, n_out, factor, cubic, 2, True, "symmetric")


@lru_cache(maxsize=64)
def method_matrix(
    n_in: int, n_out: int, method: Method, antialias: bool = True, border: Border = "symmetric"
) -> sparse.csr_matrix:
    """(n_out, n_in) resampling of one axis by a named method; both ends of the axis stay where they are.

    Args:
        n_in: length of the axis.
        n_out: length after resizing; output px per input px is n_out / n_in.
        method: "nearest": the pixel under the output pixel's centre, of two the left one; "area": the
            share of each input pixel under the output pixel (OpenCV's INTER_AREA); "bicubic" has a = -0.75
            as in OpenCV and torch, "matlab_bicubic" a = -0.5 and is always antialiased.
        antialias: stretch bilinear, bicubic and lanczos kernels when reducing (Pillow, MATLAB); without,
            they look at 2, 4 or 6 pixels only (OpenCV, torch).
        border: what lies beyond the edge.
    """
    factor = n_out / n_in
    if method == "nearest":
        index = nearest_index(n_in, n_out)
        ones = np.ones(n_out)
        return sparse.csr_matrix((ones, (np.arange(n_out), index)), shape=(n_out, n_in))
    if method == "area":
        edges = np.arange(n_out + 1) * (n_in / n_out)
        first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
        taps = int(np.ceil(1 / factor)) + 1
        index = first[:, None] + np.arange(taps)
        share = np.minimum(index + 1, edges[1:, None]) - np.maximum(index, edges[:-1, None])
        return _csr(np.maximum(share, 0.0), np.minimum(index, n_in - 1), n_out, n_in)
    kernels: dict[str, tuple[Callable[..., Any], int]] = {
        "bilinear": (triangle, 1),
        "bicubic": (partial(cubic, a=-0.75), 2),
        "lanczos": (lanczos3, 3),
        "matlab_bicubic": (cubic, 2),
    }
    kernel, reach = kernels[method]
    return _kernel_matrix(n_in, n_out, factor, kernel, reach, antialias or method == "matlab_bicubic", border)


def nearest_index(n_in: int, n_out: int) -> npt.NDArray[np.int64]:
    """Input pixel under each output pixel's centre; where that is an edge between two, the left one."""
    centre = (np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5
    return np.clip(np.ceil(centre - 0.5 - 1e-9), 0, n_in - 1).astype(np.int64)


def displacement(n_in: int, n_out: int, method: Method) -> float:
    """Mean displacement of an axis's content, input px; 0 but for "nearest", which has no pixel between."""
    if method != "nearest":
        return 0.0
    centre = (np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5
    return float((nearest_index(n_in, n_out) - centre).mean())


def _kernel_matrix(
    n_in: int,
    n_out: int,
    factor: float,
    kernel: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    reach: int,
    antialias: bool,
    border: Border,
) -> sparse.csr_matrix:
    """Output pixel k (from 0) lies at (k + 1/2) / factor - 1/2; rows sum to 1.

    When reducing, an antialiased kernel is stretched by 1 / factor.
    """
    stretch = min(factor, 1.0) if antialias else 1.0
    width = 2 * reach / stretch
    centre = (np.arange(n_out) + 0.5) / factor - 0.5
    taps = int(np.ceil(width)) + 2
    index = np.floor(centre - width / 2).astype(np.int64)[:, None] + np.arange(taps)
    weight = kernel(stretch * (centre[:, None] - index))
    weight /= weight.sum(1, keepdims=True)
    return _csr(weight, mirrored(index, n_in, border), n_out, n_in)


def _csr(weight: Array, index: Array, n_out: int, n_in: int) -> sparse.csr_matrix:
    weight = weight / weight.sum(1, keepdims=True)
    rows = np.repeat(np.arange(n_out), weight.shape[1])
    result = sparse.csr_matrix((weight.ravel(), (rows, index.ravel())), shape=(n_out, n_in))
    result.sum_duplicates()
    result.eliminate_zeros()
    return result


def resize(image: Array, factor: float, size_hw: tuple[int, int] | None = None) -> Array:
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
    return _both(
        image, matrix(image.shape[0], height, float(factor)), matrix(image.shape[1], width, float(factor))
    )


def resize_to(image: Array, size_hw: tuple[int, int]) -> Array:
    """As `resize`, to a size: each axis by its own factor, so that both its ends stay where they are."""
    rows, columns = (matrix(n, m, m / n) for n, m in zip(image.shape[:2], size_hw, strict=True))
    return _both(image, rows, columns)


def resample(
    image: Array,
    size_hw: tuple[int, int],
    method: Method,
    *,
    antialias: bool = True,
    border: Border = "symmetric",
) -> Array:
    """Resize a float image by a named method, fast; parity-tested with `resample_reference`.

    What OpenCV computes from the same definition it computes here: linear interpolation, areas, and its
    own bicubic where the border is replicated.

    Args:
        image: (H, W, C) float32.
        size_hw: of the output; the extents of both images are the same.
        method, antialias, border: see `method_matrix`.

    Returns:
        (h, w, C) float32, not clipped.
    """
    height, width = size_hw
    if (height, width) == image.shape[:2]:
        return image
    if method == "nearest":
        rows, columns = nearest_index(image.shape[0], height), nearest_index(image.shape[1], width)
        return image[rows[:, None], columns]
    reduces = height <= image.shape[0] and width <= image.shape[1]
    if method == "area" and reduces:
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    enlarges = height >= image.shape[0] and width >= image.shape[1]
    if (not antialias or enlarges) and border != "reflect":
        if method == "bilinear":  # one pixel beyond the edge: replicated and mirrored are the same
            return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        if method == "bicubic" and border == "replicate":
            return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return resample_reference(image, size_hw, method, antialias=antialias, border=border)


def resample_reference(
    image: Array,
    size_hw: tuple[int, int],
    method: Method,
    *,
    antialias: bool = True,
    border: Border = "symmetric",
) -> Array:
    """The definition: one matrix for each axis. Arguments as `resample`; float64 stays float64."""
    rows, columns = (
        method_matrix(n_in, n_out, method, antialias, border)
        for n_in, n_out in zip(image.shape[:2], size_hw, strict=True)
    )
    return _both(image, rows, columns)


def _both(image: Array, rows: sparse.csr_matrix, columns: sparse.csr_matrix) -> Array:
    tall = _rows(image, rows)
    wide = _rows(np.ascontiguousarray(tall.swapaxes(0, 1)), columns)
    return np.ascontiguousarray(wide.swapaxes(0, 1))


def _rows(image: Array, weights: sparse.csr_matrix) -> Array:
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
