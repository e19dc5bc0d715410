"""Noise laws on images in [0, 1]: Gaussian, Poisson, both, speckle; in colour, grey or correlated.

A noise field is a function of a 128-bit Philox key and its size. Philox's bits are fixed for ever, what
NumPy makes of them is not, so the laws are drawn from the bits here: 16 bits a sample through the inverse
of the distribution. The same key gives the same field on any machine, in NumPy and in torch.

The formulas take the module that computes (`xp`: numpy or torch), so there is one of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Image
from realdeg.imaging.depth import to_8bit

Channels = Literal["colour", "grey", "correlated"]
CHANNELS: tuple[Channels, ...] = get_args(Channels)
LUMA = (0.299, 0.587, 0.114)  # BT.601, full range: the grey that grey Poisson noise is counted on
LEVELS = 65536
FEW = 4.0  # photons up to which the Poisson law is inverted by summing its probabilities
AT_ONCE = 1 << 15  # samples of a Poisson field that are computed together: they fit the cache


def bits(key: int, count: int) -> npt.NDArray[np.uint16]:
    """`count` uniform 16-bit numbers of a Philox4x64-10 stream (Salmon et al., SC 2011).

    Args:
        key: 128 bits; the counter starts at 0.
        count: how many.
    """
    raw = np.random.Philox(key=key).random_raw(-(-count // 4))
    return raw.astype("<u8", copy=False).view("<u2")[:count]


@lru_cache(maxsize=1)
def normal_table() -> npt.NDArray[np.float32]:
    """(65536,) quantiles of the standard normal law at (i + 1/2) / 65536; its variance is 0.99998."""
    from scipy.special import ndtri

    table: npt.NDArray[np.float32] = ndtri((np.arange(LEVELS) + 0.5) / LEVELS).astype(np.float32)
    table.setflags(write=False)
    return table


def normal(key: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Standard normal field of a key, float32."""
    drawn = np.take(normal_table(), bits(key, int(np.prod(shape))), mode="clip")
    return drawn.reshape(shape)


def field(key: int, shape: tuple[int, ...], channels: Channels) -> npt.NDArray[np.uint16]:
    """Bits of a field: (h, w, 3), or (h, w, 1) where all channels share their noise."""
    size = (*shape[:2], 1 if channels == "grey" else 3)
    return bits(key, int(np.prod(size))).reshape(size)


def gaussian(
    image: Image,
    key: int,
    sigma_8bit: float,
    channels: Channels = "colour",
    covariance: Sequence[float] = (),
    *,
    speckle: bool = False,
) -> Image:
    """Add normal noise; as speckle, noise times image.

    Args:
        image: (H, W, 3) float32.
        key: of the field.
        sigma_8bit: standard deviation, 8-bit levels.
        channels: own noise for each channel, the same for all, or correlated.
        covariance: 9 numbers, row by row, 8-bit levels squared, for correlated noise in place of sigma.
        speckle: multiply the noise with the image (KAIR's speckle).
    """
    z = np.take(normal_table(), field(key, image.shape, channels), mode="clip")
    if channels == "correlated":
        z = cv2.transform(z, mixing(covariance) / 255)
    else:
        z *= np.float32(sigma_8bit / 255)
    if speckle:
        z = z * image
    return image + z


def mixing(covariance: Sequence[float]) -> npt.NDArray[np.float64]:
    """(3, 3) matrix A with A A' = covariance; symmetric, and also where the covariance is singular."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, float).reshape(3, 3))
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def poisson(
    image: Image, key: int, photons: float, channels: Channels = "colour", amount: float = 1.0
) -> Image:
    """Photon noise: x + amount (Poisson(photons x) / photons - x); variance amount^2 x / photons.

    Args:
        image: (H, W, 3) float32; what is below 0 gives no photons.
        key: of the field.
        photons: counted at white.
        channels: "colour", or "grey": counted on the luma, the same for all channels.
        amount: factor on the noise (BasicSR's `scale`).
    """
    signal = luma(image)[..., None] if channels == "grey" else image
    drawn = field(key, image.shape, channels).reshape(-1)
    flat = np.ascontiguousarray(signal).reshape(-1)
    noise = np.empty(flat.shape, np.float32)
    table = normal_table()
    for start in range(0, flat.size, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        mean = np.maximum(flat[part], 0) * np.float32(photons)
        counts = poisson_counts(mean, np.take(table, drawn[part], mode="clip"), drawn[part], np)
        noise[part] = (counts - mean) * np.float32(amount / photons)
    return image + noise.reshape(signal.shape)


def poisson_counts(mean: Any, z: Any, drawn: Any, xp: Any) -> Any:
    """Poisson quantiles: counts with these means, at the quantiles that 16 bits name.

    Above 4 photons by the asymptotic expansion of the inverse distribution function in normal quantiles
    (Giles, "Algorithm 955: Approximation of the Inverse Poisson Cumulative Distribution Function", ACM TOMS
    2016, the terms to 1 / mean), which misses the exact quantile in at most 16 of 10,000 draws, by one
    photon; below by summing the probabilities.

    In float32 a sum's last bit turns one draw in 100,000, of a hundred photons; in float64 none.

    Args:
        mean: float32 or float64, >= 0.
        z: normal quantiles of `drawn`, float32.
        drawn: 16 bits each, any integer type.
        xp: numpy or torch.

    Returns:
        Counts, of the type of `mean`.
    """
    root = xp.sqrt(mean.clip(FEW))
    inverse = 1 / root
    w = z + 0 * root
    w2 = w * w
    # mean + root w + (2 + w2) / 6 - w (2 + w2) / 72 / root + (w2^2 / 270 + 7 w2 / 810 - 8 / 405) / root^2
    many = w2 * (1 / 270)
    many += 7 / 810
    many *= w2
    many -= 8 / 405
    many *= inverse
    w2 += 2
    many -= w2 * w * (1 / 72)
    many *= inverse
    w2 *= 1 / 6
    many += w2
    root *= w
    many += root
    many += mean
    xp.floor(many, out=many)
    many = many.clip(0)  # below 8 photons the expansion ends below none
    few = mean <= FEW
    if bool(few.any()):
        low = xp.asarray(mean[few], dtype=xp.float64)
        u = (drawn[few] + (0.5 + 0 * low)) / LEVELS
        probability = xp.exp(-low)
        total, counts = probability + 0, 0 * low
        for k in range(1, 40):
            more = total < u
            if not bool(more.any()):
                break
            counts += more
            probability *= low / k
            total += probability
        many[few] = xp.asarray(counts, dtype=many.dtype)
    return many


def luma(image: Image) -> Image:
    """(H, W) float32 BT.601 luma of an (H, W, 3) float32 image.

    By OpenCV, pixel by pixel: a matrix product may round differently with another number of threads.
    """
    return cv2.transform(image, np.array([LUMA]))


def distinct_levels(image: Image) -> int:
    """BasicSR's number of photons at white: 2^ceil(log2(distinct 8-bit levels in the image)).

    For grey noise it is counted on the luma. No physical model: the fewer levels, the noisier the picture.
    """
    levels = to_8bit(image)
    count = int(np.count_nonzero(cv2.calcHist([levels.reshape(-1, 1)], [0], None, [256], [0, 256])))
    return int(2 ** int(np.ceil(np.log2(count))))
