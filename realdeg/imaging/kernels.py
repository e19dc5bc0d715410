"""Blur kernels: (k, k) float64, sum 1, applied as correlation; where a kernel sits is said in HR pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Kernel = npt.NDArray[Any]


def gaussian(size: int, sigma_x: float, sigma_y: float | None = None, angle: float = 0.0) -> Kernel:
    """Gaussian kernel, sampled at pixel centres.

    Args:
        size: side, odd, px.
        sigma_x: standard deviation along the first axis of the ellipse, px.
        sigma_y: along the second; default isotropic.
        angle: of the first axis against x, radians, towards y.

    Raises:
        ValueError: an even side or a sigma that is not positive.
    """
    sigma_y = sigma_x if sigma_y is None else sigma_y
    if size % 2 == 0 or size < 1 or sigma_x <= 0 or sigma_y <= 0:
        raise ValueError(f"no Gaussian of side {size} and sigma {sigma_x}, {sigma_y}")
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    precision = turn @ np.diag([sigma_x**-2.0, sigma_y**-2.0]) @ turn.T
    axis = np.arange(size) - size // 2
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    kernel: Kernel = np.exp(-0.5 * np.einsum("...i,ij,...j->...", points, precision, points))
    return kernel / kernel.sum()


def centre_of_mass(kernel: Kernel) -> tuple[float, float]:
    """(x, y) of the kernel's centre of mass in its own pixels, first pixel at 0."""
    total = kernel.sum()
    x = float((kernel.sum(0) * np.arange(kernel.shape[1])).sum() / total)
    y = float((kernel.sum(1) * np.arange(kernel.shape[0])).sum() / total)
    return x, y


def shifted(kernel: Kernel, dx: float, dy: float) -> Kernel:
    """The kernel moved by a part of a pixel, by cubic spline, sum kept; two pixels larger on each side.

    Args:
        kernel: (h, w).
        dx: to the right, px.
        dy: downwards, px.
    """
    padded = np.pad(kernel, 2)
    target = np.add(centre_of_mass(padded), (dx, dy))
    moved, by = padded, np.zeros(2)
    for _ in range(12):  # the spline rings and is cut off at the border, which pulls the centre back a little
        missing = target - centre_of_mass(moved)
        if np.abs(missing).max() < 1e-7:
            break
        by += missing
        moved = ndimage.shift(padded, by[::-1], order=3, mode="constant")
    moved = moved * (padded.sum() / moved.sum())
    result: Kernel = moved
    return result
