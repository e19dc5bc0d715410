"""Blur kernels: (h, w) float64, sum 1, applied as correlation; where a kernel sits is said in HR pixels.

A kernel that is a formula is sampled at pixel centres around its own centre. With `half`, it is sampled
half a pixel beside them and has one row and column more, so that its centre lies between four pixels:
what a reduction by an even scale needs, where LR pixels sit between HR pixels. Nothing is interpolated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Kernel


def gaussian(
    size: int, sigma_x: float, sigma_y: float | None = None, angle: float = 0.0, *, half: bool = False
) -> Kernel:
    """Gaussian kernel, sampled at pixel centres.

    Args:
        size: side, odd, px.
        sigma_x: standard deviation along the first axis of the ellipse, px.
        sigma_y: along the second; default isotropic.
        angle: of the first axis against x, radians, towards y.
        half: centre between four pixels; the side is then `size` + 1.

    Raises:
        ValueError: an even side or a sigma that is not positive.
    """
    return _normed(np.exp(-0.5 * _distance2(size, sigma_x, sigma_y, angle, half)))


def generalised_gaussian(
    size: int,
    sigma_x: float,
    sigma_y: float | None = None,
    angle: float = 0.0,
    *,
    beta: float,
    half: bool = False,
) -> Kernel:
    """exp(-d^(2 beta) / 2) of the elliptic distance d: beta 1 is the Gaussian, above flat, below peaked.

    Liu et al., "Estimating Generalized Gaussian Blur Kernels for Out-of-Focus Image Deblurring"; as used
    by Real-ESRGAN (Wang et al., ICCVW 2021). Arguments as `gaussian`.
    """
    return _normed(np.exp(-0.5 * _distance2(size, sigma_x, sigma_y, angle, half) ** beta))


def plateau(
    size: int,
    sigma_x: float,
    sigma_y: float | None = None,
    angle: float = 0.0,
    *,
    beta: float,
    half: bool = False,
) -> Kernel:
    """1 / (1 + d^(2 beta)) of the elliptic distance d (Real-ESRGAN's plateau). Arguments as `gaussian`."""
    return _normed(1 / (_distance2(size, sigma_x, sigma_y, angle, half) ** beta + 1))


def sinc(size: int, cutoff: float, *, half: bool = False) -> Kernel:
    """Circular ideal low-pass: w J1(w r) / (2 pi r), cut off at `size`; it rings, as sharpening cameras do.

    Args:
        size: side, odd, px.
        cutoff: angular frequency w, radians a pixel, up to pi.
        half: as in `gaussian`.
    """
    from scipy import special  # a fifth of a second, which only some recipes need

    axis = _axis(size, half)
    radius = np.hypot(*np.meshgrid(axis, axis))
    centre = cutoff**2 / (4 * np.pi)
    safe = np.where(radius > 0, radius, 1.0)
    return _normed(np.where(radius > 0, cutoff * special.j1(cutoff * radius) / (2 * np.pi * safe), centre))


def motion(length: float, angle: float = 0.0, *, half: bool = False) -> Kernel:
    """Linear motion: a segment one pixel thick, weight 1 - distance as in MATLAB's fspecial('motion').

    Args:
        length: of the path, px, at least 1 (no motion).
        angle: of the path against x, radians, towards y.
        half: as in `gaussian`.
    """
    reach = max(0.0, (length - 1) / 2)
    axis = _axis(2 * int(np.ceil(reach)) + 3, half)
    x, y = np.meshgrid(axis, axis)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    beyond = np.maximum(np.abs(along) - reach, 0.0)
    return _normed(np.maximum(1 - np.hypot(beyond, across), 0.0))


def defocus(radius: float, *, half: bool = False) -> Kernel:
    """Disk of confusion: each pixel's share of a uniform disk (MATLAB's fspecial('disk')).

    Args:
        radius: px, > 0.
        half: as in `gaussian`.
    """
    fine = 64  # lines a pixel; chords are exact along x
    axis = _axis(2 * int(np.ceil(radius)) + 1, half)
    lines = (np.arange(fine) + 0.5) / fine - 0.5
    y = axis[:, None] + lines
    chord = np.sqrt(np.maximum(radius**2 - y**2, 0.0))[..., None]
    covered = np.minimum(axis + 0.5, chord) - np.maximum(axis - 0.5, -chord)
    return _normed(np.maximum(covered, 0.0).mean(1))


def trimmed(kernel: Kernel, negligible: float) -> tuple[Kernel, int, int]:
    """The kernel without outer rows and columns that hold no more than a share of its weight.

    Args:
        kernel: (h, w), sum 1.
        negligible: sum of |weights| that may go, all four sides together; on an image in 0..255 the
            result changes by at most 255 times that.

    Returns:
        (kernel, x, y): its part, sum 1 again, and the place of the part's first pixel.
    """
    weight = np.abs(kernel)
    top, left = 0, 0
    bottom, right = kernel.shape
    spent = 0.0
    while bottom - top > 1 or right - left > 1:
        part = weight[top:bottom, left:right]
        sides = [part[0].sum(), part[-1].sum(), part[:, 0].sum(), part[:, -1].sum()]
        if bottom - top == 1:
            sides[0] = sides[1] = np.inf
        if right - left == 1:
            sides[2] = sides[3] = np.inf
        least = int(np.argmin(sides))
        if spent + sides[least] > negligible:
            break
        spent += sides[least]
        top, bottom = top + (least == 0), bottom - (least == 1)
        left, right = left + (least == 2), right - (least == 3)
    part = kernel[top:bottom, left:right]
    return part * (kernel.sum() / part.sum()), left, top


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
    from scipy import ndimage  # likewise

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
    return moved


def in_middle(kernel: Kernel, n: int) -> Kernel:
    """A kernel moved so that its centre of mass is the middle of a grid; what lies outside is cut off.

    Args:
        kernel: (h, w), its sum not 0.
        n: side of the grid, px.

    Returns:
        (n, n), sum 1; whole pixels of the move are exact, the rest is by `shifted`.
    """
    kernel = kernel / kernel.sum()
    for _ in range(3):  # cutting off moves the centre
        x, y = centre_of_mass(kernel)
        # Where its middle pixel or corner comes to lie, and what is left of the way.
        top, left = (round((n - 1) / 2 - at) for at in (y, x))
        dy, dx = (n - 1) / 2 - y - top, (n - 1) / 2 - x - left
        if max(abs(dy), abs(dx)) > 1e-4:
            kernel = shifted(kernel, dx, dy)
            top, left = top - 2, left - 2  # `shifted` adds two pixels on each side
        made = np.zeros((n, n))
        inside = [
            (slice(max(0, first), min(n, first + size)), slice(max(0, -first), min(size, n - first)))
            for first, size in zip((top, left), kernel.shape, strict=True)
        ]
        made[inside[0][0], inside[1][0]] = kernel[inside[0][1], inside[1][1]]
        kernel = made / made.sum()
        if max(abs(c - (n - 1) / 2) for c in centre_of_mass(kernel)) < 1e-3:
            break
    return kernel


def _axis(size: int, half: bool) -> npt.NDArray[np.float64]:
    if size % 2 == 0 or size < 1:
        raise ValueError(f"no kernel of side {size}: an odd number of pixels is meant")
    place: npt.NDArray[np.float64] = (
        np.arange(size + 1, dtype=np.float64) if half else np.arange(size, dtype=np.float64)
    )
    return place - (size / 2 if half else size // 2)


def _distance2(
    size: int, sigma_x: float, sigma_y: float | None, angle: float, half: bool
) -> npt.NDArray[np.float64]:
    """Squared elliptic distance from the centre, in standard deviations."""
    sigma_y = sigma_x if sigma_y is None else sigma_y
    axis = _axis(size, half)
    if sigma_x <= 0 or sigma_y <= 0:
        raise ValueError(f"no kernel of side {size} and sigma {sigma_x}, {sigma_y}")
    x, y = np.meshgrid(axis, axis)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return (along / sigma_x) ** 2 + (across / sigma_y) ** 2


def _normed(kernel: Kernel) -> Kernel:
    return kernel / kernel.sum()
