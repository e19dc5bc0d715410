"""The consistency enforcing module (CEM) as VSpSR publishes it, to compare with the exact projection.

CEM (Bahat & Michaeli, Explorable Super Resolution, CVPR 2020) adds to an image what its reduction lacks:
x + H' (H H')^-1 (y - H x). Its H is OpenCV's cubic (a = -0.75), so that data which MATLAB's cubic (a = -0.5)
has reduced are met to 42 to 52 dB only; `realdeg.imaging.consistency.project` meets them exactly.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy import sparse

from realdeg.arraytypes import Array
from realdeg.imaging.border import mirrored
from realdeg.imaging.resample import cubic

A = -0.75  # of OpenCV's cubic
PADDING = 36  # samples added to the filter H H' before it is inverted by an FFT
CUT = 1e-6  # share of the inverse's sum that may be cut off on a side


def cem(image: Array, lr: Array, scale: int, floor: float = 0.1) -> Array:
    """An image whose reduction by CEM's H is LR, but for 3 LR px along the border.

    Args:
        image: (s h, s w, C) float, white is 1; beyond [0, 1] is allowed.
        lr: (h, w, C) float.
        scale: s.
        floor: spectral magnitudes of H H' below it are raised to it; 0.1 in VSpSR, 0.01 in CEM's own code.

    Returns:
        (s h, s w, C) float32, not clamped: CEM does not know black and white.

    Raises:
        ValueError: the image is not s times LR, or there is no pixel.
    """
    height, width = lr.shape[:2]
    if image.ndim != 3 or image.shape != (height * scale, width * scale, *lr.shape[2:]):
        raise ValueError(f"an image of shape {image.shape} is not {scale} times LR of shape {lr.shape}")
    if 0 in image.shape:
        raise ValueError(f"an image of shape {image.shape} has no pixel")
    (rows, rows_back), (columns, columns_back) = (_axis(n * scale, scale) for n in (height, width))
    result = np.asarray(image, np.float32)
    lacks = np.asarray(lr, np.float32) - _both(rows, columns, result)
    filtered = cv2.filter2D(lacks, cv2.CV_32F, inverse(scale, floor), borderType=cv2.BORDER_REPLICATE)
    return result + _both(rows_back, columns_back, filtered.reshape(lacks.shape))


def taps(scale: int) -> npt.NDArray[np.float64]:
    """(4 s + 1,) weights of H along one axis, sum 1; what lies beyond the cubic is 0.

    LR pixel i looks at HR pixels s i + p - 2 s to s i + p + 2 s, where p = s - floor(s / 2) - 1.
    """
    offset = np.arange(-2 * scale, 2 * scale + 1)
    centre = (scale - 1) / 2 - _phase(scale)  # of an LR pixel, from the HR pixel at the phase
    return cubic((offset - centre) / scale, A) / scale


@lru_cache(maxsize=8)
def inverse(scale: int, floor: float = 0.1) -> npt.NDArray[np.float64]:
    """(H H')^-1 as a filter of LR images, square and symmetric; 27 x 27 at x4 and x8.

    Args:
        scale: s.
        floor: see `cem`.
    """
    axis = scale * np.correlate(taps(scale), taps(scale), "full")
    axis = axis[(len(axis) // 2) % scale :: scale]
    spectrum = np.fft.fft2(np.pad(np.outer(axis, axis), PADDING // 2))
    whole = np.real(np.fft.ifft2(1 / (spectrum * np.maximum(1, floor / np.abs(spectrum)))))
    top, left = np.unravel_index(whole.argmax(), whole.shape)
    reach = min(top, left, whole.shape[0] - 1 - top, whole.shape[1] - 1 - left)
    whole = whole[top - reach : top + reach + 1, left - reach : left + reach + 1]
    beyond = np.abs(np.cumsum(whole.sum(1)))[:reach] / whole.sum()  # the sum of the first rows
    cut = int(np.argmax(beyond > CUT)) if (beyond > CUT).any() else 0
    return whole[cut : len(whole) - cut, cut : len(whole) - cut].copy()


def _phase(scale: int) -> int:
    return scale - scale // 2 - 1


@lru_cache(maxsize=16)
def _axis(size: int, scale: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """H (size / s, size) and H' (size, size / s) of one axis; filters replicate what they filter.

    So H' is not quite the transpose: it replicates an image that has zeros between its pixels.
    """
    weights = taps(scale)
    offset = np.arange(len(weights)) - len(weights) // 2
    columns = mirrored(np.arange(size)[:, None] + offset, size, "replicate").ravel()
    rows = np.repeat(np.arange(size), len(weights))
    down, up = (
        sparse.csr_matrix((np.tile(one, size), (rows, columns)), shape=(size, size))
        for one in (weights, scale * weights[::-1])
    )
    phase = _phase(scale)
    return down[phase::scale].astype(np.float32), up.tocsc()[:, phase::scale].tocsr().astype(np.float32)


def _both(rows: sparse.csr_matrix, columns: sparse.csr_matrix, image: Array) -> Array:
    tall = (rows @ image.reshape(len(image), -1)).reshape(rows.shape[0], *image.shape[1:])
    turned = np.ascontiguousarray(tall.swapaxes(0, 1))
    wide = (columns @ turned.reshape(len(turned), -1)).reshape(columns.shape[0], *turned.shape[1:])
    return np.ascontiguousarray(wide.swapaxes(0, 1))
