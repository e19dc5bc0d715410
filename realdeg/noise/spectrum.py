"""How noise is spread over frequency and channels, on the coefficients of a cosine transform.

Windows are seen through bands of frequency, half an octave wide, and in each the covariance of the channels:
that is what tells noise from content, what patches are mended with at their lowest frequencies, and what
noise is made from where a photo shows none undisturbed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from realdeg.arraytypes import Array
from realdeg.imaging.noise import normal

EDGES = np.array([1, 1.9, 2.9, 4.1, 5.7, 8, 11.3, 16, 22.6, 32, 45.2, 64, 91]) / 128
"""Of the bands, cycles/px. A window of 64 px has 3, 5, 8... coefficients in the first ones."""
BANDS = len(EDGES) - 1
LOWEST = 3  # bands below are those of shading; what a photo shows there is not taken for noise
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
GREY = np.full(3, 1 / np.sqrt(3))


@lru_cache(maxsize=4)
def band_of(size: int) -> Array:
    """(size, size) band of each coefficient of a window; -1: the mean."""
    axis = np.arange(size) / (2 * size)
    radius = np.hypot(axis[:, None], axis)
    band = np.clip(np.searchsorted(EDGES, radius, side="right") - 1, 0, BANDS - 1)
    band[0, 0] = -1
    band.setflags(write=False)
    return band


@lru_cache(maxsize=4)
def coefficients(size: int) -> Array:
    """(BANDS,) how many coefficients of a window lie in each band; 0 for low ones of small windows."""
    return np.bincount(band_of(size).ravel() + 1, minlength=BANDS + 1)[1:]


@lru_cache(maxsize=4)
def _membership(size: int) -> Array:
    one = band_of(size).reshape(-1, 1) == np.arange(BANDS)
    return (one / np.maximum(one.sum(0), 1)).astype(np.float32)


@lru_cache(maxsize=4)
def _surfaces(size: int) -> Array:
    """(size * size, 6) orthonormal surfaces of second degree."""
    y, x = np.mgrid[:size, :size] / (size - 1) * 2 - 1
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1).reshape(-1, 6)
    return np.linalg.qr(terms)[0].astype(np.float32)


def without_shading(windows: Array) -> Array:
    """Windows less the surface of second degree that fits each channel best.

    Args:
        windows: (n, size, size, 3).

    Returns:
        (n, size, size, 3) float32.
    """
    n, size = windows.shape[:2]
    flat = windows.reshape(n, size * size, windows.shape[3]).astype(np.float32)
    basis = _surfaces(size)
    return (flat - basis @ (basis.T @ flat)).reshape(windows.shape)


def transform(residuals: Array) -> Array:
    """(n, 3, size, size) coefficients of (n, size, size, 3) residuals, orthonormal."""
    from scipy import fft  # not every recipe has noise

    return fft.dctn(np.moveaxis(residuals, -1, 1), axes=(2, 3), norm="ortho")


def back(coefficients: Array) -> Array:
    """(n, size, size, 3) of what `transform` gives."""
    from scipy import fft

    return np.moveaxis(fft.idctn(coefficients, axes=(2, 3), norm="ortho"), 1, -1)


def covariance(spectrum: Array) -> Array:
    """Covariance of the channels in each band.

    Args:
        spectrum: (n, 3, size, size) coefficients.

    Returns:
        (n, BANDS, 3, 3): mean product of two channels' coefficients; white noise has its covariance in each.
    """
    n, size = spectrum.shape[0], spectrum.shape[-1]
    flat = spectrum.reshape(n, 3, size * size)
    products = np.stack([flat[:, i] * flat[:, j] for i, j in PAIRS], 1) @ _membership(size)
    result = np.empty((n, BANDS, 3, 3), np.float64)
    for number, (i, j) in enumerate(PAIRS):
        result[:, :, i, j] = result[:, :, j, i] = products[:, number]
    return result


def luma(bands: Array) -> Array:
    """Energy along grey, of (..., 3, 3) covariances."""
    return np.einsum("...ij,i,j->...", bands, GREY, GREY)


def chroma(bands: Array) -> Array:
    """Mean energy across grey, of (..., 3, 3) covariances."""
    return np.maximum((np.trace(bands, axis1=-2, axis2=-1) - luma(bands)) / 2, 0)


def variance(bands: Array, size: int) -> Array:
    """(..., 3) variance of the channels of a window, of (..., BANDS, 3, 3) covariances."""
    share = coefficients(size) / coefficients(size).sum()
    return np.einsum("...bcc,b->...c", bands, share)


def extrapolate_bands(bands: Array) -> Array:
    """Covariances whose bands below `LOWEST` are those of the two above: noise is level where it ends.

    Args:
        bands: (..., BANDS, 3, 3).
    """
    result = bands.copy()
    result[..., :LOWEST, :, :] = bands[..., LOWEST : LOWEST + 2, :, :].mean(axis=-3, keepdims=True)
    return result


def replace_low_bands(residual: Array, key: int) -> Array:
    """A residual whose lowest frequencies are made: as strong as the noise just above them.

    Args:
        residual: (size, size, 3), without shading.
        key: of the numbers that are drawn.

    Returns:
        (size, size, 3) float32 of mean 0.
    """
    size = residual.shape[0]
    spectrum = transform(residual[None])
    bands = extrapolate_bands(covariance(spectrum))[0]
    low = band_of(size) < LOWEST
    made = normal(key, (int(low.sum()), 3)) @ _root(bands[0]).T
    spectrum[0, :, low] = made
    spectrum[0, :, 0, 0] = 0
    return back(spectrum)[0].astype(np.float32)


def synthesise(bands: Array, key: int, size: int) -> Array:
    """Normal noise of a given spectrum.

    Args:
        bands: (BANDS, 3, 3) covariance of the channels in each band.
        key: of the numbers that are drawn.
        size: px.

    Returns:
        (size, size, 3) float32 of mean 0.
    """
    white = normal(key, (size, size, 3))
    smooth = _between(bands, size)
    spectrum = np.einsum("yxij,yxj->iyx", smooth, white)[None].astype(np.float32)
    spectrum[0, :, 0, 0] = 0
    return back(spectrum)[0]


def _root(covariance: Array) -> Array:
    """A symmetric square root."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def _between(bands: Array, size: int) -> Array:
    """(size, size, 3, 3) roots of the covariance of each coefficient, between bands by its frequency."""
    roots = _root(bands)
    axis = np.arange(size) / (2 * size)
    radius = np.log(np.maximum(np.hypot(axis[:, None], axis), EDGES[0]))
    centres = np.log(np.sqrt(EDGES[:-1] * EDGES[1:]))
    place = np.interp(radius, centres, np.arange(BANDS))
    lower = np.minimum(place.astype(int), BANDS - 2)
    share = (place - lower)[..., None, None]
    return (1 - share) * roots[lower] + share * roots[lower + 1]
