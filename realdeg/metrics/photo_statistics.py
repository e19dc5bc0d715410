"""What a photo's degradation looks like in numbers, whatever it shows: spectrum, noise, gradients, patches.

Each figure is one in which content cancels as far as it can. Levels are 8-bit, in float32; luma is BT.601's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import dctn

from realdeg.arraytypes import Array
from realdeg.seeds import stream

MIN_SIDE = 64  # px of a photo's shorter side
MOST = 4096  # windows, and patches, of a photo that are looked at: spread over it

WINDOW = 32  # px
FREQUENCIES = np.arange(2, 17) / WINDOW  # cycles/px, middles of the rings
REFERENCE = slice(1, 4)  # rings that say how much content there is: 0.09 to 0.16 cycles/px
QUANTISED = 0.05  # levels^2, about what rounding adds: below it no power tells anything

LEVELS = (0, 32, 64, 96, 128, 160, 192, 256)  # edges of the bins of the noise level function
BLOCK = 8
FLAT = 0.25  # share of blocks of a level that are taken as flat
FEWEST_BLOCKS = 8
CLIPPED = 4  # a block whose mean is so near black or white has lost its noise
CROSS = (
    np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
)  # Immerkaer 1996; keeps white noise's sigma

STEPS = (1, 2, 4)  # px between the two pixels of a gradient
GRADIENTS = (
    *("rms, 1 px over 2 px", "rms, 2 px over 4 px", "mean, 1 px over 2 px", "mean, 2 px over 4 px"),
    *("rms over mean, 1 px", "rms over mean, 2 px", "rms over mean, 4 px"),
)

PATCH = 8
COARSE = 5  # coefficients u + v of a patch's DCT below are content
FEATURES, WIDTH = 128, 16.0  # of the kernel, which is a Gaussian of this width


@dataclass(frozen=True, eq=False)
class PhotoStatistics:
    """Figures of one photo.

    Attributes:
        spectrum: (15,) log2 of the radial power spectrum of luma at `FREQUENCIES`, 0 in the mean of the
            `REFERENCE` rings, so that how much there is to see cancels.
        noise: (2, 7) log2 of the standard deviation (8-bit levels) in the flattest quarter of the blocks of
            each level, at full and half size; NaN where there are too few blocks.
        gradients: (7,) log2 of ratios, named `GRADIENTS`: of gradients over 1, 2 and 4 px, and of their root
            mean square to their mean (about 0.33 for Gaussian noise, more for edges on flat ground).
        patches: (128,) the mean of what a kernel's random features say of 8 x 8 patches.
    """

    spectrum: Array
    noise: Array
    gradients: Array
    patches: Array


def describe(pixels: npt.NDArray[np.float32]) -> PhotoStatistics:
    """Figures of a photo.

    Args:
        pixels: (H, W, 3) float32, RGB in [0, 1].

    Raises:
        ValueError: a side below `MIN_SIDE`.
    """
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise ValueError(f"is {pixels.shape[1]}x{pixels.shape[0]} px, {MIN_SIDE} a side are needed")
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) * np.float32(255)
    return PhotoStatistics(spectrum(luma), noise_levels(luma), gradients(luma), patches(luma))


def spectrum(luma: Array) -> Array:
    """(15,) log2 power by frequency against the reference rings; luma (H, W) in 8-bit levels."""
    windows = _windows(luma, WINDOW, WINDOW // 2)
    taper, ring = _rings()
    power = np.zeros(ring.shape[1])
    for part in np.array_split(windows, -(-len(windows) // 256)):
        found = np.fft.rfft2((part - part.mean((1, 2), keepdims=True)) * taper)
        power += np.square(np.abs(found)).sum(0).ravel()
    by_ring = ring @ power / (len(windows) * WINDOW**2)
    found = np.log2(by_ring + QUANTISED)
    return found - found[REFERENCE].mean()


@lru_cache(maxsize=1)
def _rings() -> tuple[Array, Array]:
    """Hann taper of unit mean square, and (15, coefficients) weights of the rings' means."""
    hann = np.hanning(WINDOW + 2)[1:-1]
    taper = np.outer(hann, hann)
    y, x = np.meshgrid(np.fft.fftfreq(WINDOW), np.fft.rfftfreq(WINDOW), indexing="ij")
    twice = np.where((x > 0) & (x < 0.5), 2, 1)  # of two conjugate coefficients one is there
    away = np.abs(np.hypot(y, x).ravel() - FREQUENCIES[:, None])
    ring = np.where(away <= 0.5 / WINDOW, twice.ravel(), 0)
    return taper / np.sqrt(np.square(taper).mean()), ring / ring.sum(1, keepdims=True)


def noise_levels(luma: Array) -> Array:
    """(2, 7) log2 standard deviation at flat places by level, full and half size; luma as in `spectrum`."""
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.stack([_noise_of(plane) for plane in (luma, half)])


def _noise_of(luma: Array) -> Array:
    fine = cv2.filter2D(luma, -1, CROSS)[1:-1, 1:-1]
    level, variance = (_blocks(plane) for plane in (luma[1:-1, 1:-1], np.square(fine)))
    found = np.full(len(LEVELS) - 1, np.nan)
    for i, (low, high) in enumerate(pairwise(LEVELS)):
        inside = (level >= max(low, CLIPPED)) & (level < min(high, 255 - CLIPPED))
        if inside.sum() >= FEWEST_BLOCKS:
            found[i] = 0.5 * np.log2(np.quantile(variance[inside], FLAT) + QUANTISED)
    return found


def _blocks(plane: Array) -> Array:
    rows, columns = (n // BLOCK for n in plane.shape)
    blocks = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return blocks.mean((1, 3)).ravel()


def gradients(luma: Array) -> Array:
    """(7,) log2 of ratios, named `GRADIENTS`; luma (H, W) in 8-bit levels."""
    mean, rms = np.empty(len(STEPS)), np.empty(len(STEPS))
    for i, step in enumerate(STEPS):
        both = [luma[:, step:] - luma[:, :-step], luma[step:] - luma[:-step]]
        count = sum(one.size for one in both)
        mean[i] = sum(np.abs(one).sum(dtype=np.float64) for one in both) / count
        rms[i] = sum(np.square(one).sum(dtype=np.float64) for one in both) / count
    mean, rms = np.log2(mean + QUANTISED), 0.5 * np.log2(rms + QUANTISED)
    return np.concatenate([rms[:-1] - rms[1:], mean[:-1] - mean[1:], rms - mean])


def patches(luma: Array) -> Array:
    """(128,) mean embedding of patches: two photos whose patches are distributed alike have the same.

    Of each 8 x 8 patch the DCT, whitened by the 1/f law of natural images; its fine coefficients are divided
    by the strength of its coarse ones, and the half with least coarse content is left out. The distance
    between means of random Fourier features (Rahimi and Recht, NIPS 2007) is the maximum mean discrepancy
    (Gretton et al., JMLR 2012) under a Gaussian kernel.
    """
    wave = np.arange(PATCH)
    frequency = np.hypot(wave[:, None], wave)
    fine = wave[:, None] + wave >= COARSE
    coarse = ~fine & (frequency > 0)
    found = dctn(_windows(luma, PATCH, PATCH // 2), axes=(1, 2), norm="ortho")
    strength = np.sqrt(np.square(found[:, coarse]).mean(1))
    busy = strength >= np.median(strength)
    white = found[busy][:, fine] * (frequency[fine] / 2) * (PATCH / (strength[busy, None] + 1))
    rng = stream(0, "patches", "features")
    directions = rng.standard_normal((int(fine.sum()), FEATURES)) / (WIDTH * np.sqrt(fine.sum()))
    phases = rng.uniform(0, 2 * np.pi, FEATURES)
    return np.cos(white.astype(np.float64) @ directions + phases).mean(0)


def _windows(luma: Array, side: int, step: int) -> Array:
    """(n, side, side) windows, at most `MOST`, on a grid over the image."""
    inside = (luma.shape[0] - side) * (luma.shape[1] - side)
    step = max(step, int(np.ceil(np.sqrt(inside / MOST))))
    found = sliding_window_view(luma, (side, side))[::step, ::step]
    return found.reshape(-1, side, side)
