"""Noise against brightness: a curve through what patches show, and how far two patches are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from realdeg.arraytypes import Array

KNOTS = np.arange(8.0, 256.0, 16.0)
"""Brightnesses of the level function, 8-bit levels."""
INTENSITY_BIN = 32.0  # 8-bit levels: a range of brightness
STIFF = 2.0  # weight of second differences in the level function against a window's logarithm


def unlike(levels: Array, sigmas: Array, level: Array, sigma: Array) -> tuple[Array, Array]:
    """How far patches are from what is wanted, in tones of brightness: a doubling of a channel counts as one.

    Args:
        levels, sigmas: (n, 3) brightness, 8-bit levels, and standard deviation of the patches.
        level, sigma: (3,) those that are wanted, in the same units.

    Returns:
        (n,) distance, and (n,) the part of it that is strength: octaves of the worst channel. A channel that
        is hardly there, a few pixels a level off, becomes specks when it is scaled up.
    """
    octaves: Array = np.abs(np.log2(sigmas / sigma)).max(1)
    return np.abs(levels - level).mean(1) / INTENSITY_BIN + octaves, octaves


@dataclass(frozen=True, eq=False)
class NoiseLevelFunction:
    """Variance of noise against brightness.

    Attributes:
        variance: (3, K) of R, G, B at `KNOTS`, 8-bit levels squared.
        counts: (3, K) windows that it was read from; 0: drawn on from the nearest.
    """

    variance: Array
    counts: Array

    def told(self) -> dict[str, Any]:
        """As it stands in the header of a pool, JSON values."""
        return {
            "knots": KNOTS.tolist(),
            "variance": np.round(self.variance, 4).tolist(),
            "counts": self.counts.tolist(),
        }

    def __call__(self, level: Array) -> Array:
        """Variance at a brightness of each channel, (..., 3) in 8-bit levels."""
        curves = [np.interp(level[..., c], KNOTS, self.variance[c]) for c in range(3)]
        return np.stack(curves, axis=-1)


def level_function(level: Array, values: Array) -> NoiseLevelFunction:
    """The curve through the variances of windows.

    Args:
        level: (n, 3) brightness of each channel, 8-bit levels; n at least 1.
        values: (n, 3) variances, 8-bit levels squared.
    """
    curves, counts = np.empty((3, len(KNOTS))), np.zeros((3, len(KNOTS)), int)
    second = np.diff(np.eye(len(KNOTS)), 2, axis=0)
    for c in range(3):
        # Each window speaks for the two knots about it; the curve bends as little as they allow.
        place = np.interp(level[:, c], KNOTS, np.arange(len(KNOTS)))
        left = np.minimum(place.astype(int), len(KNOTS) - 2)
        rows = np.zeros((len(place), len(KNOTS)))
        rows[np.arange(len(place)), left] = 1 - (place - left)
        rows[np.arange(len(place)), left + 1] = place - left
        aim = np.log(np.maximum(values[:, c], 1e-4))
        weight = np.ones(len(aim))
        for _ in range(5):  # single windows far above the rest lose their say
            normal = rows.T @ (rows * weight[:, None]) + STIFF * second.T @ second
            normal += 1e-6 * np.eye(len(KNOTS))
            curve = np.linalg.solve(normal, rows.T @ (weight * aim))
            weight = 1 / (1 + ((aim - rows @ curve) / 0.4) ** 2)
        counts[c] = np.bincount(np.rint(place).astype(int), minlength=len(KNOTS))
        known = np.flatnonzero(counts[c])
        curve[: known[0]], curve[known[-1] + 1 :] = curve[known[0]], curve[known[-1]]
        curves[c] = np.exp(curve)
    return NoiseLevelFunction(curves, counts)
