"""What a photo tells of its blur: some 600 numbers, from which a small network reads the kernel.

Three kinds. The power spectrum of tiles, averaged in three ways: a blur multiplies it, the scene does not
know directions or scales. The profile across the photo's sharpest straight edges, which is the kernel seen
from the side, phase included. Moments of differences over one, two and four pixels: how far the photo is from
what sharp photos are like at all scales. Then noise, the grid of JPEG, and size, which say how far to trust
them.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from scipy import fft

from realdeg.arraytypes import Array

TILE, STEP = 32, 16  # px
MIN_SIDE = 64  # px: fewer tiles than nine say nothing
ENOUGH = 320 * 256  # px: photos in training were no larger
DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2), (2, -1), (1, -2))  # (x, y)
REACH = 6  # steps of a profile to each side
EDGES = 4000  # that profiles are taken of
STRONG = 0.98  # quantile of differences that edges are above
STRAIGHT = 0.5  # most change along an edge, for what there is across
COUNT = 616  # of all statistics
LEAST = 1e-3  # 8-bit levels squared: under that energies are those of rounding


def grey_of(pixels: Array) -> Array:
    """(H, W) float32 luma, 8-bit levels, of (H, W, 3) uint8 or uint16 RGB."""
    weights = np.array([0.299, 0.587, 0.114]) * (255 / np.iinfo(pixels.dtype).max)
    result: Array = cv2.transform(pixels.astype(np.float32), weights[None].astype(np.float32))
    return result.reshape(pixels.shape[:2])


def statistics(grey: Array) -> Array:
    """All statistics of a photo.

    Args:
        grey: (H, W) float32, 8-bit levels, at least `MIN_SIDE` px a side.

    Returns:
        (n,) float32; all logarithms or ratios.

    Raises:
        ValueError: the photo is too small.
    """
    if min(grey.shape) < MIN_SIDE:
        raise ValueError(f"{grey.shape[1]}x{grey.shape[0]} px; at least {MIN_SIDE} px a side are needed")
    grey = np.ascontiguousarray(grey, np.float32)
    parts = (*spectra(grey), differences(grey), *(profile(grey, d) for d in DIRECTIONS), quality(grey))
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)


@lru_cache(maxsize=1)
def _bands() -> tuple[Array, Array, Array]:
    """Hann window, and which frequencies of a tile are low and high: (32, 32), (32, 17), (32, 17)."""
    line = np.hanning(TILE + 1)[:-1]
    fy, fx = np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]
    radius = np.hypot(fy, fx)
    low = (radius > 0.03) & (radius < 0.14)
    return np.outer(line, line).astype(np.float32), low, radius > 0.4


def spectra(grey: Array) -> tuple[Array, Array, Array, Array]:
    """Power spectra on 16 x 9 frequencies, against low frequencies: of all, of typical, of busy tiles.

    Returns:
        Three (16, 9) logarithms, and (3,): contrast, its spread over tiles, the lowest high frequencies.
    """
    window, low, high = _bands()
    tiles = np.lib.stride_tricks.sliding_window_view(grey, (TILE, TILE))[::STEP, ::STEP]
    tiles = tiles.reshape(-1, TILE, TILE)
    tiles = (tiles - tiles.mean((1, 2), keepdims=True)) * window
    wave = fft.rfft2(tiles)
    power = (wave.real**2 + wave.imag**2) / np.float32((window**2).sum())
    strength = power[:, low].mean(1) + LEAST
    busy = strength >= np.median(strength)
    whole = power.mean(0)
    typical = np.exp(np.log(power[busy] + LEAST).mean(0))
    evenly = (power[busy] / strength[busy, None, None]).mean(0)
    floor = np.quantile(power[:, high].mean(1), 0.1)
    more = np.log([whole[low].mean() + LEAST, strength.std() / strength.mean() + 1e-3, floor + LEAST])
    return _coarse(whole, low), _coarse(typical, low), _coarse(evenly, low), more


def _coarse(power: Array, low: Array) -> Array:
    """Logarithm of every second frequency, its neighbours counting by half, against the low ones."""
    unit = power[low].mean()
    power = (np.roll(power, 1, 0) + 2 * power + np.roll(power, -1, 0)) / 4
    wide = np.concatenate([power[:, 1:2], power, power[:, -2:-1]], axis=1)  # the other half mirrors these
    power = ((wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4)[::2, ::2]
    return np.log(power / max(unit, LEAST) + 1e-7)


def differences(grey: Array) -> Array:
    """(3, 8, 3): mean size, spread and tails of differences in eight directions at three scales."""
    result = np.zeros((3, len(DIRECTIONS), 3))
    for scale in range(3):
        for number, direction in enumerate(DIRECTIONS):
            d = difference(grey, direction)
            size = np.abs(d)
            square = size * size
            first, second = float(size.mean()), float(square.mean())
            fourth = float(np.dot(square.ravel(), square.ravel())) / square.size
            result[scale, number] = (
                np.log(first + 1e-2),
                np.log((second + LEAST) / (first**2 + LEAST)),
                np.log((fourth + LEAST) / (second**2 + LEAST)),
            )
        grey = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    result[:2, :, 0] -= result[2, :, 0].mean()  # against what blur leaves alone
    result[2, :, 0] -= result[2, :, 0].mean()
    return result


def difference(grey: Array, direction: tuple[int, int]) -> Array:
    """I(p + direction) - I(p), where both are inside."""
    x, y = direction
    height, width = grey.shape
    there = grey[max(y, 0) : height + min(y, 0), x:]
    here = grey[max(-y, 0) : height - max(y, 0), : width - x]
    return there - here


def profile(grey: Array, direction: tuple[int, int]) -> Array:
    """Mean profile of differences across strong straight edges, against that at the edge.

    Returns:
        (2 REACH + 1,): REACH values before the edge, REACH behind it, and the logarithm of how many edges.
    """
    d = difference(grey, direction)
    size = np.abs(d)
    x, y = direction
    margin = (REACH + 1) * max(abs(x), abs(y))
    inner = size[margin:-margin, margin:-margin]
    result = np.zeros(2 * REACH + 1)
    if min(inner.shape, default=0) < 1:
        return result
    level = max(float(np.quantile(size[::3, ::3], STRONG)), 1.0)
    rows, columns = np.nonzero(inner >= level)
    rows, columns = rows + margin, columns + margin
    here = size[rows, columns]
    width = size.shape[1]
    flat, at, step = d.ravel(), rows * width + columns, y * width + x
    across = -y, x  # along the edge
    along = across[1] * width + across[0]
    peak = (here >= size.ravel()[at + step]) & (here > size.ravel()[at - step])
    # An edge is straight where the difference changes little along it.
    both = np.abs(flat[at + along] - flat[at]) + np.abs(flat[at - along] - flat[at])
    at = at[peak & (both <= STRAIGHT * here)]
    result[-1] = np.log(1 + len(at))
    if not len(at):
        return result
    at = at[:: -(-len(at) // EDGES)]
    middle = flat[at]
    steps = [j for j in range(-REACH, REACH + 1) if j]
    result[:-1] = [float((flat[at + j * step] / middle).mean()) for j in steps]
    return result


def quality(grey: Array) -> Array:
    """(5,): noise, the grid of JPEG along x and y, clipped share, size."""
    height, width = (n // 2 * 2 for n in grey.shape)
    even, odd = grey[:height:2, :width], grey[1:height:2, :width]
    haar = (even[:, ::2] - even[:, 1::2] - odd[:, ::2] + odd[:, 1::2]) / 2
    noise = float(np.median(np.abs(haar))) / 0.6745
    grids = []
    for direction in ((1, 0), (0, 1)):
        size = np.abs(difference(grey, direction)).mean(0 if direction[0] else 1)
        size = size[: len(size) // 8 * 8].reshape(-1, 8).mean(0)
        grids.append(float(np.log((size.max() + 1e-2) / (np.median(size) + 1e-2))))
    clipped = float(((grey <= 0.5) | (grey >= 254.5)).mean())
    return np.array([np.log(noise + 0.05), *grids, clipped, np.log(min(grey.size, ENOUGH))])
