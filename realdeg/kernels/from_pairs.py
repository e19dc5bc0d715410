"""The blur kernel between the two photos of a registered pair, by regularised least squares.

LR pixel i of channel c is taken as g_c (k * HR)(s i + (s - 1) / 2) + o_c: one kernel, a gain and an offset a
channel. The kernel solves the normal equations of textured pixels with a Tikhonov term on its slopes. Its
weight is the one with which kernels fitted to three quarters of the photo predict the fourth best. The
quarters are made of blocks: what a real pair leaves (parallax, fringes, JPEG) goes together among neighbours,
and generalised cross-validation, which takes it for white noise, would fit it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import linalg

from realdeg.arraytypes import Array
from realdeg.kernels.settings import side
from realdeg.refusal import Refusal

MAX_PIXELS = 30_000  # LR px that are used; more cost time and bring little
MIN_PIXELS = 400
CLIPPED_8BIT = 1.5  # nearer than that to black or white a photo no longer says how much light there was
CLIPPED_SHARE = 0.02  # of the HR pixels under a kernel
FLAT_8BIT = 1.0  # RMS slope per HR px of the pixels used, below which a pair is flat
MIN_EXPLAINED = 0.5
BLOCK = 16  # LR px, of the blocks that predict each other
ROUNDS = 20  # kernel and gains in turns
WEIGHTS = np.logspace(-12, 1, 66)  # Tikhonov weights that are tried, in units of the normal equations' mean


@dataclass(frozen=True, eq=False)
class PairKernel:
    """A kernel and how well it is known; sd: standard deviation.

    Attributes:
        kernel: (n, n) float64, sum 1, applied as correlation; its middle is the LR pixel's place.
        sd: (n, n) of each weight.
        centre: (x, y) of mass, HR px from the LR pixel's place: what is left of misregistration.
        centre_sd: of it, HR px.
        width: (x, y) standard deviations, HR px, of a Gaussian whose core is as wide. (Second moments of the
            whole are worth nothing: cameras sharpen, and far weights of 1e-4 count like the core.)
        width_sd: of them, HR px.
        gain: (3,) LR over HR, RGB.
        offset_8bit: (3,) LR minus gain times HR, 8-bit levels.
        residual_8bit: RMS of what the model leaves of LR, 8-bit levels.
        explained: share of LR's variance that it takes.
        weight: Tikhonov weight, in units of the mean of the normal equations' diagonal.
        freedom: effective number of free weights.
        pixels: LR px used.
    """

    kernel: Array
    sd: Array
    centre: tuple[float, float]
    centre_sd: tuple[float, float]
    width: tuple[float, float]
    width_sd: tuple[float, float]
    gain: tuple[float, ...]
    offset_8bit: tuple[float, ...]
    residual_8bit: float
    explained: float
    weight: float
    freedom: float
    pixels: int

    @property
    def confidence(self) -> float:
        """1 for a kernel without error, 1/2 where the error is as large as the kernel."""
        return float(1 / (1 + np.square(self.sd).sum() / np.square(self.kernel).sum()))


def kernel_of_pair(
    lr: Array,
    hr: Array,
    scale: int,
    size: int | None = None,
    *,
    part: tuple[slice, slice] = (slice(None), slice(None)),
    max_pixels: int = MAX_PIXELS,
) -> PairKernel | Refusal:
    """Kernel of a registered pair.

    Args:
        lr: (h, w, 3) float, RGB in [0, 1].
        hr: (s h, s w, 3), likewise; LR pixel i shows HR position s i + (s - 1) / 2.
        scale: s.
        size: side of the kernel, HR px; see `kernel_settings.side`.
        part: rows and columns of LR whose kernel is meant.
        max_pixels: LR px that are used; the most textured ones are.

    Raises:
        ValueError: HR is not s times as large as LR.
    """
    if hr.shape != (lr.shape[0] * scale, lr.shape[1] * scale, 3):
        raise ValueError(f"HR of shape {hr.shape} is not {scale} times LR of shape {lr.shape}")
    if min(hr.shape[:2]) < 2:  # no slopes
        return Refusal(f"is {lr.shape[1]}x{lr.shape[0]} px", "use larger photos")
    n = side(scale, size)
    rows, columns, slope_8bit = _textured(lr, hr, scale, n, part, max_pixels)
    if len(rows) < MIN_PIXELS:
        problem = f"has {len(rows)} pixels that are neither clipped nor at the border"
        return Refusal(f"{problem}, {MIN_PIXELS} are needed", "use larger photos or fewer cells")
    if slope_8bit < FLAT_8BIT:
        problem = f"is flat: slopes of {slope_8bit:.2f} levels a HR pixel, {FLAT_8BIT:.1f} are needed"
        return Refusal(problem, "use another")
    windows = np.lib.stride_tricks.sliding_window_view(hr, (n, n), axis=(0, 1))
    first = (scale - 1) // 2 - (n - 1) // 2
    seen = windows[rows * scale + first, columns * scale + first]  # (m, 3, n, n)
    seen = np.ascontiguousarray(seen.reshape(len(rows), 3, n * n), np.float64)
    return _solve(seen, lr[rows, columns].astype(np.float64), rows, columns, n)


def _textured(
    lr: Array, hr: Array, scale: int, n: int, part: tuple[slice, slice], most: int
) -> tuple[Array, Array, float]:
    """(rows, columns, RMS slope in 8-bit levels) of LR pixels to use: whole windows, unclipped, textured.

    Texture is judged by HR, the regressor, so that the choice does not bend the result.
    """
    luma = np.ascontiguousarray(hr.mean(2, dtype=np.float32)) * 255
    dy, dx = np.gradient(luma)
    near, low, high = (max(3, n // 2) | 1), CLIPPED_8BIT / 255, 1 - CLIPPED_8BIT / 255
    slope = cv2.blur(dx * dx + dy * dy, (near, near))
    clipped = cv2.blur(((hr < low) | (hr > high)).any(2).astype(np.float32), (near, near))
    first = (scale - 1) // 2
    slope, clipped = slope[first::scale, first::scale], clipped[first::scale, first::scale]
    usable = (clipped <= CLIPPED_SHARE) & ~((lr < low) | (lr > high)).any(2)
    reach = -(-n // (2 * scale)) + 1
    inside = np.zeros(lr.shape[:2], bool)
    inside[part] = True
    inside[:reach] = inside[-reach:] = False
    inside[:, :reach] = inside[:, -reach:] = False
    at = np.flatnonzero(usable & inside)
    at = np.sort(at[np.argsort(-slope.ravel()[at], kind="stable")[:most]])
    rms = float(np.sqrt(slope.ravel()[at].mean())) if len(at) else 0.0
    return at // lr.shape[1], at % lr.shape[1], rms


def _solve(seen: Array, lr: Array, rows: Array, columns: Array, n: int) -> PairKernel | Refusal:
    """Fit of (m, 3) LR values by (m, 3, n^2) HR windows."""
    m = len(lr)
    means, level = seen.mean(0), lr.mean(0)  # offsets are taken out by centring
    seen -= means
    target = lr - level
    fold = rows // BLOCK % 2 * 2 + columns // BLOCK % 2
    normal, right = np.zeros((4, 3, n * n, n * n)), np.zeros((4, 3, n * n))
    for f in range(4):
        for c in range(3):
            part = seen[fold == f, c]
            normal[f, c], right[f, c] = part.T @ part, target[fold == f, c] @ part
    penalty = _slopes(n)
    gain = np.ones(3)
    kernel = np.zeros(n * n)
    for _ in range(2):  # the weight follows the gains
        weight = _weight(np.tensordot(normal, gain**2, (1, 0)), np.tensordot(right, gain, (1, 0)), penalty)
        for _ in range(ROUNDS):
            lhs = np.tensordot(gain**2, normal.sum(0), 1)
            kernel = linalg.solve(
                lhs + weight * np.trace(lhs) / n**2 * penalty, gain @ right.sum(0), assume_a="pos"
            )
            power = np.einsum("i,cij,j->c", kernel, normal.sum(0), kernel)
            before = gain
            gain = np.maximum(right.sum(0) @ kernel, 1e-9) / np.maximum(power, 1e-12)
            gain *= kernel.sum()  # the kernel's sum is 1, so the gains bear the rest
            if np.abs(gain - before).max() < 1e-6:
                break
    size = kernel.sum()
    if not size > 0:
        return Refusal("HR does not explain LR: the kernel's sum is not positive")
    gain, kernel = gain * size, kernel / size
    offset = level - gain * (means @ kernel)
    residual = target - gain * (seen @ kernel)
    explained = 1 - float(np.square(residual).sum() / np.square(target).sum())
    if explained < MIN_EXPLAINED:
        return Refusal(f"HR explains {explained:.0%} of LR only", "register the pair first")
    lhs = np.tensordot(gain**2, normal.sum(0), 1)
    bond = weight * np.trace(lhs) / n**2 * penalty
    inverse = linalg.inv(lhs + bond)
    freedom = float((inverse * lhs).sum())
    variance = np.square(residual).sum() / max(1.0, 3 * m - freedom - 6) * _together(residual, rows, columns)
    # A sum of 1 is not an estimate: what is known of the weights is what is known of their shares.
    shares = np.eye(n * n) - np.outer(kernel, np.ones(n * n))
    spread = shares @ inverse @ shares.T * variance
    axis = np.arange(n) - (n - 1) / 2
    places = [np.tile(axis, n), np.repeat(axis, n)]
    centre = [float(place @ kernel) for place in places]
    offsets = [place - c for place, c in zip(places, centre, strict=True)]
    sharper = kernel + inverse @ (
        bond @ kernel
    )  # the Tikhonov term widens kernels; to first order, this does not
    widths = [_width(sharper, offset, offsets, n / 8) for offset in offsets]
    return PairKernel(
        kernel.reshape(n, n),
        np.sqrt(np.maximum(np.diag(spread), 0)).reshape(n, n),
        (centre[0], centre[1]),
        (_sd(places[0], spread), _sd(places[1], spread)),
        (widths[0][0], widths[1][0]),
        (_sd(widths[0][1], spread), _sd(widths[1][1], spread)),
        tuple(gain.tolist()),
        tuple((255 * offset).tolist()),
        float(255 * np.sqrt(np.square(residual).mean())),
        explained,
        weight,
        freedom,
        m,
    )


def _width(kernel: Array, offset: Array, offsets: list[Array], reach: float) -> tuple[float, Array]:
    """Standard deviation of a Gaussian like the kernel's core along an axis; its derivative by the weights.

    Args:
        kernel: (n^2,).
        offset: (n^2,) distance from the centre along the axis, px.
        offsets: likewise along x and y.
        reach: standard deviation of the window that the core is seen through, px.
    """
    window = np.exp(-(offsets[0] ** 2 + offsets[1] ** 2) / (2 * reach**2))
    total = max(float(window @ kernel), 1e-6)
    moment = float((window * offset**2) @ kernel) / total
    moment = min(max(moment, 1e-3), 0.98 * reach**2)
    width = (1 / moment - 1 / reach**2) ** -0.5  # the window narrows a Gaussian
    slope: Array = width**3 / (2 * moment**2) * window * (offset**2 - moment) / total
    return width, slope


def _slopes(n: int) -> Array:
    """(n^2, n^2) quadratic form: the sum of squared differences of neighbours, with 0 around the kernel."""
    line = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    return np.kron(line, np.eye(n)) + np.kron(np.eye(n), line)


def _weight(normal: Array, right: Array, penalty: Array) -> float:
    """Tikhonov weight with which kernels of three folds predict the fourth best.

    Args:
        normal, right: (folds, n^2, n^2) and (folds, n^2) normal equations.
        penalty: positive definite quadratic form.
    """
    left = np.zeros(len(WEIGHTS))
    for f in range(len(normal)):
        lhs, rhs = normal.sum(0) - normal[f], right.sum(0) - right[f]
        unit = max(float(np.trace(lhs)) / len(lhs), 1e-12)
        values, vectors = linalg.eigh(lhs / unit, penalty)
        kernels = vectors @ ((vectors.T @ rhs / unit)[:, None] / (np.maximum(values, 0)[:, None] + WEIGHTS))
        left += np.einsum("iw,ij,jw->w", kernels, normal[f], kernels, optimize=True) - 2 * right[f] @ kernels
    return float(WEIGHTS[int(np.argmin(left))])


def _together(residual: Array, rows: Array, columns: Array) -> float:
    """By how much residuals that go together, over channels and neighbours, enlarge variances; 1 or more."""
    power = np.square(residual).sum()
    over_channels = np.square(residual.sum(1)).sum() / power
    mean = residual.mean(1)
    field: Array = np.zeros((int(rows[-1]) + 1, int(columns.max()) + 1))
    known = np.zeros(field.shape, bool)
    field[rows, columns], known[rows, columns] = mean, True
    neighbours = 0.0
    for here, there in ((known, field), (known.T, field.T)):
        both = here[1:] & here[:-1]
        if both.any():
            neighbours += float((there[1:] * there[:-1])[both].mean()) / float(np.square(mean).mean())
    return float(max(1.0, over_channels) * max(1.0, 1 + 2 * neighbours))


def _sd(form: Array, spread: Array) -> float:
    """Standard deviation of a linear form of the weights."""
    return math.sqrt(max(float(form @ spread @ form), 0.0))
