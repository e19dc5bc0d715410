"""The shape of a blur kernel: how wide it is at half of its peak, along its longer axis and across."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from realdeg.arraytypes import Kernel

ORDER = 5  # of the spline: a cubic one is 4 % off at sigma 1 between pixels
FINE = 32  # samples a pixel
TAIL = 0.05  # of the peak: weights below say more of noise than of direction


@dataclass(frozen=True)
class KernelShape:
    """Full widths at half maximum and direction.

    Attributes:
        long: FWHM along the axis in which the kernel is widest, px.
        short: FWHM across, px.
        angle: of the long axis against x, degrees in [0, 180), towards y (clockwise on the screen). It
            means little where both widths are nearly equal.
    """

    long: float
    short: float
    angle: float


def kernel_shape(kernel: Kernel) -> KernelShape:
    """Measure a kernel between its pixels, by spline.

    The axes are those of the second moments of what stands out above a twentieth of the peak. Widths are
    taken through the centre of mass, or through the peak where that misses the kernel. A sampled Gaussian of
    sigma 1 px or more is measured to 4 %, from 1.5 px on to 1 %; one pixel alone counts as about 1.2 px wide.

    Args:
        kernel: (h, w), its largest weight positive.
    """
    padded = np.pad(np.asarray(kernel, np.float64), 2)
    spline = ndimage.spline_filter(padded, order=ORDER, mode="constant")
    core = np.maximum(padded - TAIL * padded.max(), 0.0)
    places = np.indices(core.shape).reshape(2, -1)
    weights = core.ravel() / core.sum()
    middle = places @ weights
    away = places - middle[:, None]
    _, axes = np.linalg.eigh((away * weights) @ away.T)
    peak, place = _peak(padded, spline)
    widths = [
        _width(spline, peak / 2, middle, axes[:, i]) or _width(spline, peak / 2, place, axes[:, i])
        for i in (1, 0)
    ]
    down, right = axes[:, 1] if widths[0] >= widths[1] else axes[:, 0]
    return KernelShape(max(widths), min(widths), float(np.degrees(np.arctan2(down, right)) % 180))


def _peak(kernel: Kernel, spline: Kernel) -> tuple[float, Kernel]:
    """The spline's maximum and its place (y, x): that of an even kernel lies between its pixels."""
    row, column = np.unravel_index(int(np.argmax(kernel)), kernel.shape)
    step = np.linspace(-1, 1, FINE + 1)
    places = np.stack(np.meshgrid(row + step, column + step, indexing="ij")).reshape(2, -1)
    found = ndimage.map_coordinates(spline, places, order=ORDER, prefilter=False)
    best = int(np.argmax(found))
    return float(found[best]), places[:, best]


def _width(spline: Kernel, half: float, middle: Kernel, axis: Kernel) -> float:
    """From the outermost `half` on one side of the middle to that on the other (rings have holes), or 0."""
    reach = np.arange(0, np.hypot(*spline.shape), 1 / FINE)
    total = 0.0
    for sign in (1, -1):
        places = middle[:, None] + sign * axis[:, None] * reach
        profile = ndimage.map_coordinates(spline, places, order=ORDER, prefilter=False)
        above = np.flatnonzero(profile >= half)
        if len(above):
            last = int(above[-1])  # not the end: there the padding is 0
            total += reach[last] + (profile[last] - half) / (profile[last] - profile[last + 1]) / FINE
    return float(total)
