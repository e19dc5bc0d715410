"""The noise of a registered pair: what its kernel, gain and offset leave of LR where LR shows nothing else.

The residual of a pair holds the model's error, too (parallax, fringes, JPEG), which goes with the slopes of
the picture. So noise is read off windows that are flat by the prediction from HR, which does not know LR's
noise: choosing them does not bend its variance. A plane is taken from each window (shading that HR did not
have). What is left of the model's error is seen when many pairs are put together (`camera_law`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from realdeg.arraytypes import Array

BINS = 8  # ranges of brightness, of 32 8-bit levels
FLAT_8BIT = 1.5  # RMS slope of the prediction, levels a LR px, up to which a window is flat
CLIPPED = 4.0  # 8-bit levels: windows that come nearer to black or white do not show all of their noise
PER_PAIR = 12  # patches kept of one pair
TONE_PIXELS = 200  # of a range of brightness, below which its tone is not stated


@dataclass(frozen=True, eq=False)
class PairNoise:
    """Noise and tone of one pair.

    Attributes:
        patches: (n, p, p, 3) float32 residuals, units of [0, 1], without their plane.
        levels: (n, 3) brightness of each, 8-bit levels.
        slopes: (n,) RMS slope of the prediction in each, 8-bit levels a LR px.
        window_levels, window_slopes, window_variances: (m, 3), (m,), (m, 3) likewise of all flat windows;
            variances in 8-bit levels squared.
        tone: (BINS, 3) median of LR less prediction by brightness, 8-bit levels; NaN: none.
    """

    patches: Array
    levels: Array
    slopes: Array
    window_levels: Array
    window_slopes: Array
    window_variances: Array
    tone: Array


def noise_of_pair(lr: Array, predicted: Array, patch: int) -> PairNoise:
    """Noise of a pair.

    Args:
        lr: (h, w, 3) float, RGB in [0, 1].
        predicted: likewise, from HR by kernel, gain and offset; NaN where there is no kernel.
        patch: side of the windows, px.
    """
    residual = np.asarray(lr, np.float64) - predicted
    rows, columns = lr.shape[0] // patch, lr.shape[1] // patch
    slope = _slope(predicted)
    windows = []
    for row in range(rows):
        for column in range(columns):
            at = slice(row * patch, (row + 1) * patch), slice(column * patch, (column + 1) * patch)
            seen = 255 * lr[at]
            flat = float(np.sqrt(slope[at].mean()))
            inside = seen.min() > CLIPPED and seen.max() < 255 - CLIPPED
            if inside and flat <= FLAT_8BIT:  # not where it is NaN
                windows.append((flat, seen.mean((0, 1)), _without_plane(residual[at])))
    slopes = np.array([window[0] for window in windows])
    levels = np.array([window[1] for window in windows]).reshape(-1, 3)
    power = [np.square(255 * window[2]).sum((0, 1)) / (patch * patch - 3) for window in windows]
    kept = _kept(slopes.tolist(), _bin(levels.mean(1)))
    patches = np.array([windows[i][2] for i in kept], np.float32).reshape(-1, patch, patch, 3)
    return PairNoise(
        patches,
        levels[kept],
        slopes[kept],
        levels,
        slopes,
        np.array(power).reshape(-1, 3),
        _tone(residual, predicted),
    )


def _bin(levels: Array) -> Array:
    return np.clip(levels * BINS / 256, 0, BINS - 1).astype(int)


def _kept(slopes: list[float], where: Array) -> Array:
    """The flattest windows, in turns from each range of brightness."""
    order = np.argsort(slopes, kind="stable")
    turn: dict[int, int] = {}
    ranked = []
    for i in order.tolist():
        b = int(where[i])
        turn[b] = turn.get(b, 0) + 1
        ranked.append((turn[b], i))
    return np.array([i for _, i in sorted(ranked, key=lambda one: one[0])[:PER_PAIR]], int)


def _slope(image: Array) -> Array:
    """(h, w) squared slope, 8-bit levels a px, mean of the channels."""
    # A first blur keeps HR's own noise, which the kernel let through, from counting as structure.
    dy, dx = np.gradient(cv2.GaussianBlur(255 * image, (0, 0), 1.0), axis=(0, 1))
    return (dx * dx + dy * dy).mean(2)


def _without_plane(window: Array) -> Array:
    side = window.shape[0]
    axis = np.arange(side) - (side - 1) / 2
    norm = side * float(axis @ axis)
    tilt_y = np.einsum("y,yxc->c", axis, window) / norm
    tilt_x = np.einsum("x,yxc->c", axis, window) / norm
    return window - window.mean((0, 1)) - axis[:, None, None] * tilt_y - axis[:, None] * tilt_x


def _tone(residual: Array, predicted: Array) -> Array:
    # By the prediction's brightness, not LR's: LR's own noise would make its dark pixels look too dark.
    tone = np.full((BINS, 3), np.nan)
    known = np.isfinite(residual)
    for c in range(3):
        use = known[..., c]
        values, where = 255 * residual[..., c][use], _bin(255 * predicted[..., c][use])
        for b in range(BINS):
            if np.count_nonzero(where == b) >= TONE_PIXELS:
                tone[b, c] = np.median(values[where == b])
    return tone
