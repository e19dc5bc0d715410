"""Random blur kernels of many families, for training and judging an estimator of kernels.

Sizes are drawn in LR px, so that every scale gets the same blurs: what a photo tells of its blur, it tells in
its own pixels. All kernels lie on one grid, their centre of mass in its middle, where LR pixels sit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from realdeg.arraytypes import Array
from realdeg.imaging import kernels
from realdeg.imaging.kernels import in_middle
from realdeg.imaging.resample import cubic
from realdeg.kernels.settings import side

Rng = np.random.Generator

REACH = 8  # side of the grid, LR px
LEAST, MOST = 0.6, 5.0  # variances of DIV2KRK's Gaussians, px at x2
DEVIATION = 0.25  # of its single weights, multiplied in
SHARES = {  # of the families that the estimator is trained on
    "div2krk": 0.28,
    "gaussian": 0.12,
    "generalised": 0.05,
    "plateau": 0.05,
    "disk": 0.06,
    "motion": 0.06,
    "resampling": 0.08,
    "sharpened": 0.1,
    "shake": 0.08,
    "blob": 0.12,
}
UNSEEN = ("box", "ring", "double", "mixture")  # families that it never sees


def grid(scale: int) -> int:
    """Side of the grid that kernels of a scale lie on, HR px."""
    return side(scale, REACH * scale)


def draw(rng: Rng, scale: int, family: str | None = None) -> Array:
    """A random kernel.

    Args:
        rng: its randomness.
        scale: HR size / LR size.
        family: one of `SHARES` or `UNSEEN`; None: drawn as `SHARES` says.

    Returns:
        (n, n) float64, n = `grid`; sum 1, centre of mass in the middle.
    """
    if family is None:
        family = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    return in_middle(FAMILIES[family](rng, scale), grid(scale))


def div2krk(rng: Rng, scale: int, least: float = LEAST, most: float = MOST) -> Array:
    """The kernels of DIV2KRK (Bell-Kligler et al., NeurIPS 2019, Sec. 5): Gaussians with uneven weights.

    At x2 they are 11 x 11 with variances along their axes uniform in [0.6, 5] px, each weight multiplied by
    1 +- 25 %. Kernels of x4 and x8 are those of reducing by 2 again and again. Other scales get the kernels
    of x2 on a finer grid.
    """
    base = 2 if scale in (2, 4, 8) else scale
    unit = base / 2
    n = side(base, round(11 * unit))
    variances = rng.uniform(least, most, 2) * unit**2
    kernel = _gaussian(n, variances, rng.uniform(0, np.pi))
    kernel *= 1 + rng.uniform(-DEVIATION, DEVIATION, kernel.shape)
    kernel = in_middle(kernel, n)
    return kernel if base == scale else again(kernel, scale)


def again(kernel: Array, scale: int) -> Array:
    """The kernel of reducing by 2 until `scale` (a power of 2) is reached, of one for x2."""
    result, factor = kernel, 2
    while factor < scale:
        # One pixel of what has been reduced so far is `factor` px of HR.
        size = factor * (len(kernel) - 1) + len(result)
        whole = np.zeros((size, size))
        for r, row in enumerate(kernel):
            for c, weight in enumerate(row):
                whole[factor * r : factor * r + len(result), factor * c : factor * c + len(result)] += (
                    weight * result
                )
        result, factor = whole, 2 * factor
    return result


def _gaussian(n: int, variances: Array, angle: float) -> Array:
    axis = np.arange(n) - (n - 1) / 2
    x, y = np.meshgrid(axis, axis)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return np.exp(-0.5 * (along**2 / variances[0] + across**2 / variances[1]))


def _size(scale: int) -> tuple[int, bool]:
    """Odd side and `half` of the formulas in realdeg.imaging.kernels that fill the grid."""
    n = grid(scale)
    return (n if n % 2 else n - 1), n % 2 == 0


def _axes(rng: Rng, scale: int, least: float = 0.2, most: float = 1.3) -> tuple[float, float, float]:
    first, second = rng.uniform(least, most, 2) * scale
    if rng.random() < 0.3:
        second = first
    return float(first), float(second), float(rng.uniform(0, np.pi))


def _normal(rng: Rng, scale: int) -> Array:
    size, half = _size(scale)
    return kernels.gaussian(size, *_axes(rng, scale), half=half)


def _generalised(rng: Rng, scale: int) -> Array:
    size, half = _size(scale)
    return kernels.generalised_gaussian(size, *_axes(rng, scale), beta=rng.uniform(0.5, 4), half=half)


def _plateau(rng: Rng, scale: int) -> Array:
    size, half = _size(scale)
    return kernels.plateau(size, *_axes(rng, scale, 0.2, 1.0), beta=rng.uniform(1.2, 3), half=half)


def _disk(rng: Rng, scale: int) -> Array:
    kernel = kernels.defocus(rng.uniform(0.35, 1.8) * scale, half=scale % 2 == 0)
    return _softened(rng, scale, kernel)


def _motion(rng: Rng, scale: int) -> Array:
    kernel = kernels.motion(rng.uniform(0.6, 3.5) * scale, rng.uniform(0, np.pi), half=scale % 2 == 0)
    return _softened(rng, scale, kernel, always=True)


def _softened(rng: Rng, scale: int, kernel: Array, *, always: bool = False) -> Array:
    """The kernel, or two times out of three one blurred by a small Gaussian, as lenses do."""
    if not always and rng.random() < 1 / 3:
        return kernel
    return ndimage.gaussian_filter(np.pad(kernel, 2 * scale), rng.uniform(0.15, 0.7) * scale, mode="constant")


def _resampling(rng: Rng, scale: int) -> Array:
    """What programs reduce by: cubic (a between -1 and 0), Lanczos of 2 or 3 lobes, triangle; softened."""
    n = grid(scale)
    x = (np.arange(n) - (n - 1) / 2) / scale
    kind = rng.random()
    if kind < 0.4:
        line = cubic(x)
    elif kind < 0.8:
        lobes = 2 if kind < 0.6 else 3
        line = np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)
    else:
        line = np.maximum(1 - np.abs(x), 0)
    return _softened(rng, scale, np.outer(line, line))


def _sharpened(rng: Rng, scale: int) -> Array:
    """A lens's Gaussian or disk, and a camera's unsharp mask after it."""
    n = grid(scale)
    if rng.random() < 0.7:
        least, most = 0.35, 1.0
        kernel = _gaussian(n, np.square(rng.uniform(least, most, 2) * scale), rng.uniform(0, np.pi))
    else:
        kernel = in_middle(_softened(rng, scale, kernels.defocus(rng.uniform(0.4, 1.3) * scale)), n)
    kernel /= kernel.sum()
    wider = ndimage.gaussian_filter(kernel, rng.uniform(0.5, 1.5) * scale, mode="constant")
    return kernel + rng.uniform(0.1, 1.2) * (kernel - wider / wider.sum())


def _shake(rng: Rng, scale: int) -> Array:
    """The path of an unsteady hand: a random walk with momentum, seen through a small Gaussian."""
    n, steps = grid(scale), 64
    turn = np.cumsum(rng.normal(0, rng.uniform(0.05, 0.6), steps)) + rng.uniform(0, 2 * np.pi)
    path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)]), axis=1)
    path -= path.mean(axis=1, keepdims=True)
    path *= rng.uniform(0.3, 1.4) * scale / max(float(np.abs(path).max()), 1e-6)
    return _smeared(n, path, np.ones(steps), rng.uniform(0.25, 0.6) * scale)


def _blob(rng: Rng, scale: int) -> Array:
    """Any shape: smooth noise through a power, under a Gaussian."""
    n = grid(scale)
    noise = ndimage.gaussian_filter(rng.standard_normal((n, n)), rng.uniform(0.4, 0.9) * scale)
    noise /= noise.std()
    under = _gaussian(n, np.square(np.array(_axes(rng, scale, 0.45, 1.2)[:2])), rng.uniform(0, np.pi))
    return np.exp(rng.uniform(0.3, 1.8) * noise) * under


def _smeared(n: int, path: Array, weights: Array, sigma: float) -> Array:
    """(n, n) sum of Gaussians at the places of a (2, m) path of (x, y), px from the middle."""
    axis = np.arange(n) - (n - 1) / 2
    across, down = (np.exp(-0.5 * ((axis - at[:, None]) / sigma) ** 2) for at in path)
    return np.einsum("m,mi,mj->ij", weights, down, across)


# Families that are kept from training.


def _box(rng: Rng, scale: int) -> Array:
    """Area averaging: a box of 1 to 2 LR px."""
    width = rng.uniform(1.0, 2.0) * scale
    n = grid(scale)
    axis = np.abs(np.arange(n) - (n - 1) / 2)
    line = np.clip(width / 2 + 0.5 - axis, 0, 1)
    return np.outer(line, line)


def _ring(rng: Rng, scale: int) -> Array:
    """Defocus of a mirror lens: a disk less one of about half its radius."""
    radius = rng.uniform(0.9, 1.7) * scale
    outer = kernels.defocus(radius, half=scale % 2 == 0)
    share = rng.uniform(0.3, 0.55)
    inner = in_middle(kernels.defocus(radius * share, half=scale % 2 == 0), len(outer))
    return np.maximum(outer - share**2 * inner, 0)


def _double(rng: Rng, scale: int) -> Array:
    """Two spots, as of a shake between two rests."""
    apart, angle = rng.uniform(0.8, 2.2) * scale, rng.uniform(0, np.pi)
    path = np.array([[np.cos(angle)], [np.sin(angle)]]) * np.array([-apart / 2, apart / 2])
    return _smeared(grid(scale), path, rng.uniform(0.4, 1.0, 2), rng.uniform(0.35, 0.6) * scale)


def _mixture(rng: Rng, scale: int) -> Array:
    """A narrow and a wide Gaussian, as of a lens with stray light."""
    n = grid(scale)
    first, second = (
        _gaussian(n, np.square(rng.uniform(*r, 2) * scale), rng.uniform(0, np.pi))
        for r in ((0.25, 0.6), (0.7, 1.4))
    )
    share = rng.uniform(0.3, 0.8)
    return share * first / first.sum() + (1 - share) * second / second.sum()


FAMILIES: dict[str, Callable[[Rng, int], Array]] = {
    "div2krk": div2krk,
    "gaussian": _normal,
    "generalised": _generalised,
    "plateau": _plateau,
    "disk": _disk,
    "motion": _motion,
    "resampling": _resampling,
    "sharpened": _sharpened,
    "shake": _shake,
    "blob": _blob,
    "box": _box,
    "ring": _ring,
    "double": _double,
    "mixture": _mixture,
}
