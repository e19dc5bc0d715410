"""How much more an HR image resolves than its LR image: of the pair, and of each place in it.

Two things are measured, neither of which takes noise for detail. The blur that HR needs to look like LR comes
from the frequencies that both show: log(LR / HR) falls with f^2 by it, and what is not coherent between them
has no say. HR's own blur comes from edges that LR shows as well: blurring them once more takes the less
contrast from them the wider they are already (Zhuo and Sim 2011); noise, which is the same beside them, is
subtracted. Blurs add as variances, so that LR's own is known as well, and detail is the ratio of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from realdeg.arraytypes import Array, Image
from realdeg.imaging.depth import to_8bit

SIDE = 32  # LR px of a tile
MOST_PIXELS = 3e6  # of HR in tiles: larger pairs are sampled
TILES = (16, 256)
RINGS = np.array([0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45])  # edges, cycles per LR px
LOUD = slice(1, 5)  # rings that say how much there is to see
QUIET = 0.05  # of the tiles' loudness: what shows less has less say
MIN_COHERENCE = 0.2
AGAIN = (0.15, 0.35)  # LR px, by which HR is blurred once and once more
FINEST = (0.3, 0.7)  # HR px: less makes no difference to pixels
SHARPEST = 0.4  # HR px, of any photo
GRADIENT = 0.7  # LR px, the blur under which LR's edges are found, free of noise
NOISY = 3.0  # times HR's noise that edges need to have
FLAT = 0.1  # share of LR's pixels that are taken as flat
SHARPEST_LR = 0.4  # LR px: what seems sharper was sharpened, which adds no detail
BEST = 0.75  # quantile of the places: what a scene holds out of focus in both is not HR's fault
LITTLE = 1.25  # times LR's detail: a place with less may be soft,
LIKE_LR = 0.08  # if HR needs to be blurred by no more than this variance to look like LR, LR px^2,
LESS = 0.25  # or by no more than this share of what it needs elsewhere,
APART = 0.1  # and by so much less than where HR is sharp, LR px^2,
ENOUGH = 0.25  # if that is so on this share of the places


@dataclass(frozen=True, eq=False)
class Detail:
    """What HR resolves more than LR.

    Attributes:
        detail: ratio of the finest detail in LR to that in HR, both in units of the scene: the upper
            quartile of the places that show texture. 1: HR shows no more than LR; `scale`, its upper end: as
            much as its pixels can; below 1 LR is the sharper one.
        blur_hr, blur_lr: blur of both, as a Gaussian's standard deviation in LR px, medians over all
            places; includes what pixels average.
        soft: share of the places with texture at which HR shows no more than LR, 0 to 1: it is out of focus
            there, and LR is not. What is out of focus in both does not count.
        is_soft: (rows, columns) bool, these places.
        tiles: (rows, columns) float64, detail by place, over 3 x 3 tiles of 32 LR px; NaN: too little to see.
        x, y: (columns,), (rows,) middles of the tiles, LR px.
    """

    detail: float
    blur_hr: float
    blur_lr: float
    soft: float
    is_soft: npt.NDArray[np.bool_]
    tiles: Array
    x: Array
    y: Array


def resolution(lr: Image, hr: Image, scale: int, valid: npt.NDArray[np.bool_] | None = None) -> Detail | None:
    """Measure a registered pair.

    Args:
        lr: (h, w, 3) RGB, uint8, uint16 or float in [0, 1], h and w at least 32.
        hr: (scale * h, scale * w, 3) alike; pixels of both cover the same field.
        scale: at least 1.
        valid: (h, w) bool, where the pair is valid; None: everywhere.

    Returns:
        None for a smaller LR, or where no place shows enough.

    Raises:
        ValueError: HR is not `scale` times as large as LR.
    """
    height, width = lr.shape[:2]
    if hr.shape[:2] != (scale * height, scale * width):
        raise ValueError(f"HR is {hr.shape[1]}x{hr.shape[0]} px, LR {width}x{height}: not x{scale}")
    if min(height, width) < SIDE:
        return None
    seen, shown = _luma(lr), _luma(hr)
    most = float(np.clip(MOST_PIXELS / (SIDE * scale) ** 2, *TILES))
    rows = _starts(height, max(1.0, np.sqrt(most * height / width)))
    columns = _starts(width, max(1.0, most / len(rows)))
    between = _between(seen, shown, scale, rows, columns)
    edges = _edges(seen, shown, scale, rows, columns)
    if valid is not None:
        inside = cv2.boxFilter(valid.astype(np.float32), -1, (SIDE, SIDE), anchor=(0, 0))
        there = inside[np.ix_(rows, columns)] > 0.5
        between, edges = between * there, edges * there
    blur = _variance_between(_pooled(between))
    own = _own_variance(_pooled(edges), scale)
    known = np.isfinite(blur) & np.isfinite(own)
    if not known.any():
        return None
    own = np.where(known, own, 1.0)
    blur = np.where(known, blur, 0.0)
    whole = np.maximum(blur + own, SHARPEST_LR**2)
    tiles = np.minimum(np.sqrt(whole / own), max(scale, 1))
    little = max(LIKE_LR, LESS * float(np.quantile(blur[known], 0.75)))
    if (sharp := known & (tiles >= LITTLE)).mean() > ENOUGH:
        # An LR that was sharpened looks like HR all over: then what is soft in HR looks softer than LR.
        little = min(little, float(np.median(blur[sharp])) - APART)
    is_soft = known & (tiles < LITTLE) & (blur < little)
    middle = (SIDE - 1) / 2
    return Detail(
        float(np.quantile(tiles[known], BEST)),
        float(np.sqrt(np.median(own[known]))),
        float(np.sqrt(np.median(whole[known]))),
        float(is_soft[known].mean()),
        is_soft,
        np.where(known, tiles, np.nan),
        columns + middle,
        rows + middle,
    )


def _luma(image: Image) -> Array:
    """(H, W) float32, 8-bit levels."""
    return cv2.cvtColor(to_8bit(image), cv2.COLOR_RGB2GRAY).astype(np.float32)


def _starts(length: int, most: float) -> Array:
    """First pixels of tiles along a side: half overlapping, or as many as may be."""
    count = int(max(1, min(most, 2 * length // SIDE - 1)))
    return np.unique(np.linspace(0, length - SIDE, count).round().astype(int))


def _between(lr: Array, hr: Array, scale: int, rows: Array, columns: Array) -> Array:
    """(3, rings, rows, columns): <LR HR*>, |LR|^2 and |HR|^2 by ring; each tile at its own loudness."""
    sums = np.zeros((3, len(RINGS) - 1, len(rows), len(columns)))
    fine, coarse, turn, ring = _transform(scale)
    n = SIDE * scale
    low = np.r_[0 : SIDE // 2, n - SIDE // 2 : n]
    for i, top in enumerate(rows):
        a = np.stack([lr[top : top + SIDE, x : x + SIDE] for x in columns])
        b = np.stack([hr[scale * top : scale * top + n, scale * x : scale * x + n] for x in columns])
        first = fft.rfft2((a - a.mean((1, 2), keepdims=True)) * coarse).reshape(len(columns), -1)
        second = fft.rfft2((b - b.mean((1, 2), keepdims=True)) * fine)[:, low, : SIDE // 2 + 1] * turn
        second = second.reshape(len(columns), -1)
        for k, product in enumerate(((first * second.conj()).real, np.abs(first) ** 2, np.abs(second) ** 2)):
            sums[k, :, i] = ring @ product.T
    loud = sums[2, LOUD].sum(0)
    return sums / np.maximum(loud, QUIET * np.percentile(loud, 90) + 1e-9)


@lru_cache(maxsize=4)
def _transform(scale: int) -> tuple[Array, Array, Array, Array]:
    """Tapers of an HR and an LR tile, what brings HR's spectrum onto LR's grid, and rings (rings, K)."""
    at = (np.arange(SIDE * scale) + 0.5) / scale - 0.5
    along = [0.5 - 0.5 * np.cos(2 * np.pi * (x + 0.5) / SIDE) for x in (at, np.arange(SIDE))]
    fine, coarse = (np.outer(a, a).astype(np.float32) for a in along)
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    # HR's first pixel lies half a pixel of LR less half of its own before LR's.
    turn = np.exp(2j * np.pi * (scale - 1) / (2 * scale) * (fx + fy)) / scale**2
    radius = np.hypot(fx, fy).ravel()
    ring = (radius >= RINGS[:-1, None]) & (radius < RINGS[1:, None])
    return fine, coarse, turn.astype(np.complex64), ring.astype(np.float32)


def _pooled(sums: Array) -> Array:
    """(..., rows, columns) sums over 3 x 3 tiles."""
    flat = sums.reshape(-1, *sums.shape[-2:])
    return np.stack(
        [cv2.boxFilter(p, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT) for p in flat]
    ).reshape(sums.shape)


def _variance_between(sums: Array) -> Array:
    """(rows, columns) variance of the blur from HR to LR, LR px^2; below 0 where LR is sharper; NaN."""
    cross, first, second = sums
    coherence = cross**2 / np.maximum(first * second, 1e-30)
    use = (cross > 0) & (first > 0) & (second > 0) & (coherence > MIN_COHERENCE)
    weight = np.where(use, coherence / (1.02 - coherence), 0.0)
    log = np.log(np.where(use, cross, 1) / np.where(use, second, 1))
    f2 = (0.5 * (RINGS[:-1] + RINGS[1:]))[:, None, None] ** 2
    total = np.maximum(weight.sum(0), 1e-30)
    off = f2 - (weight * f2).sum(0) / total
    spread = (weight * off**2).sum(0)
    slope = (weight * off * log).sum(0) / np.maximum(spread, 1e-30)
    return np.where(use.sum(0) >= 3, -slope / (2 * np.pi**2), np.nan)


def _edges(lr: Array, hr: Array, scale: int, rows: Array, columns: Array) -> Array:
    """(3, rows, columns): HR's squared gradient at LR's edges under both blurs; its noise."""
    height, width = lr.shape
    strong = cv2.blur(_squared_gradient(cv2.GaussianBlur(lr, (0, 0), GRADIENT)), (3, 3))
    inner = strong[2:-2, 2:-2]
    flat = strong <= np.quantile(inner, FLAT)
    weight = np.maximum(strong - np.quantile(inner, 0.5), 0)
    found = []
    for blur in _blurs(scale):
        energy = _squared_gradient(cv2.GaussianBlur(hr, (0, 0), blur))
        energy = cv2.blur(cv2.resize(energy, (width, height), interpolation=cv2.INTER_AREA), (5, 5))
        found += [energy, float(np.median(energy[flat]))]
    first, noise, second, noise_again = found
    planes = (weight * (first - noise), weight * (second - noise_again), weight * noise_again)
    sums = np.stack(
        [cv2.boxFilter(p, -1, (SIDE, SIDE), anchor=(0, 0))[np.ix_(rows, columns)] for p in planes]
    )
    loud = np.maximum(sums[1], 0)
    return sums.astype(np.float64) / np.maximum(loud, QUIET * np.percentile(loud, 90) + 1e-9)


def _blurs(scale: int) -> tuple[float, float]:
    """Both blurs, HR px."""
    first, second = (max(again * scale, finest) for again, finest in zip(AGAIN, FINEST, strict=True))
    return first, second


def _variance(sigma: float) -> float:
    """Of OpenCV's kernel, px^2: much less than sigma^2 where that is small."""
    side = 2 * round(4 * sigma) + 1
    kernel = cv2.getGaussianKernel(side, sigma)[:, 0]
    return float((kernel * (np.arange(side) - side // 2) ** 2).sum())


def _squared_gradient(image: Array) -> Array:
    """(H, W) float32; 0 at the border."""
    found = np.zeros_like(image)
    across = image[1:-1, 2:] - image[1:-1, :-2]
    along = image[2:, 1:-1] - image[:-2, 1:-1]
    found[1:-1, 1:-1] = across * across + along * along
    return found


def _own_variance(sums: Array, scale: int) -> Array:
    """(rows, columns) variance of HR's own blur, LR px^2; NaN where HR shows no edges.

    An edge under a blur of variance v has a squared gradient, summed across it, in proportion to v^-1/2.
    """
    first, second, noise = sums
    # A difference over two pixels blurs by a third of a squared pixel.
    one, other = ((_variance(blur) + 1 / 3) / scale**2 for blur in _blurs(scale))
    known = (second > NOISY * noise) & (second > 0)
    ratio = (first / np.where(known, second, 1)) ** 2
    own = (other - ratio * one) / np.maximum(ratio - 1, 1e-3)
    return np.where(known, np.maximum(own, (SHARPEST / scale) ** 2), np.nan)
