"""Tone: bring HR to LR's brightness, one curve per channel, measured where the pictures are flat."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from realdeg.align.settings import Brightness

Image = npt.NDArray[Any]

LEVELS = 1024
BINS = 24
MIN_IN_BIN = 30


@dataclass(frozen=True, eq=False)
class Tone:
    """Monotone tone curves, one per channel.

    Attributes:
        curves: (C, LEVELS) float32; values of LR for HR values 0..1 in equal steps.
        residual_8bit: root mean square of LR - curve(HR) on flat areas, 8-bit levels.
    """

    curves: npt.NDArray[Any]
    residual_8bit: float

    @classmethod
    def none(cls, channels: int = 3) -> Tone:
        """The curves that change nothing."""
        return cls(np.tile(np.linspace(0, 1, LEVELS, dtype=np.float32), (channels, 1)), float("nan"))

    def __call__(self, image: Image) -> Image:
        """Apply to float (H, W) or (H, W, C) in [0, 1]; the result is clipped to [0, 1]."""
        planes = image[..., None] if image.ndim == 2 else image
        grid = np.linspace(0, 1, LEVELS)
        done = [np.interp(planes[..., i], grid, curve) for i, curve in enumerate(self.curves)]
        result: Image = np.clip(np.stack(done, -1), 0, 1).astype(np.float32)
        return result[..., 0] if image.ndim == 2 else result

    def apply_integer(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Apply to uint8 or uint16 (H, W, C) through a table, rounding once."""
        peak = int(np.iinfo(image.dtype).max)
        levels = np.linspace(0, 1, peak + 1)
        grid = np.linspace(0, 1, LEVELS)
        result = np.empty_like(image)
        for i, curve in enumerate(self.curves):
            table = np.clip(np.rint(np.interp(levels, grid, curve) * peak), 0, peak).astype(image.dtype)
            result[..., i] = table[image[..., i]]
        return result


def match_brightness(seen: Image, lr: Image, method: Brightness = "curve") -> Tone:
    """Curves that bring HR, drawn on LR's grid, to LR's values.

    Args:
        seen: (h, w) or (h, w, C) float32 in [0, 1], HR on LR's grid and at LR's sharpness.
        lr: the LR photo's pixels of the same shape.
        method: "curve": monotone, through the medians of up to 24 brightness classes; "linear": gain
            and offset by least squares, the D2CRealSR recipe; "none".
    """
    if seen.ndim == 2:
        seen, lr = seen[..., None], lr[..., None]
    flat = _flatness(seen, lr)
    curves, squares, count = [], 0.0, 0
    for channel in range(seen.shape[2]):
        x, y = seen[..., channel][flat], lr[..., channel][flat]
        keep = (x > 2 / 255) & (x < 253 / 255) & (y > 2 / 255) & (y < 253 / 255)
        x, y = x[keep].astype(np.float64), y[keep].astype(np.float64)
        curve = _fit(x, y, method)
        curves.append(curve)
        off = np.interp(x, np.linspace(0, 1, LEVELS), curve) - y
        squares, count = squares + float((off**2).sum()), count + len(off)
    residual = 255 * float(np.sqrt(squares / count)) if count else float("nan")
    return Tone(np.stack(curves).astype(np.float32), residual)


def _flatness(seen: Image, lr: Image) -> npt.NDArray[Any]:
    """The flatter half of the pixels of both pictures; errors of registration do not show there."""
    slope = np.zeros(seen.shape[:2], np.float32)
    for image in (seen, lr):
        grey = image.mean(-1)
        slope += np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return slope <= np.median(slope)


def _fit(x: npt.NDArray[Any], y: npt.NDArray[Any], method: Brightness) -> npt.NDArray[Any]:
    grid = np.linspace(0, 1, LEVELS)
    if method == "none" or len(x) < 4 * MIN_IN_BIN:
        return grid
    line = _line(x, y)
    straight = np.clip(line[0] * grid + line[1], 0, 1)
    if method == "linear":
        return straight
    edges = np.quantile(x, np.linspace(0, 1, BINS + 1))
    edges = edges[np.concatenate([[True], np.diff(edges) > 2 / 255])]
    middle, value = [], []
    for low, high in pairwise(edges):
        inside = (x >= low) & (x < high)
        if inside.sum() >= MIN_IN_BIN:
            middle.append(float(np.median(x[inside])))
            value.append(float(np.median(y[inside])))
    if len(middle) < 5 or line[0] <= 0.1:
        return straight
    knots, values = np.array(middle), np.maximum.accumulate(np.array(value))
    keep = np.concatenate([[True], np.diff(knots) > 1e-4])
    knots, values = knots[keep], values[keep]
    if len(knots) < 4:
        return straight
    curve = np.asarray(PchipInterpolator(knots, values)(np.clip(grid, knots[0], knots[-1])))
    # Beyond the measured range the curve goes on with the slope that it has near its end.
    for end, inner, beyond in (
        (0, 3, np.minimum(grid - knots[0], 0)),
        (-1, -4, np.maximum(grid - knots[-1], 0)),
    ):
        slope = (values[inner] - values[end]) / (knots[inner] - knots[end])
        curve += np.clip(slope, 0.5 * line[0], 2 * line[0]) * beyond
    result: npt.NDArray[Any] = np.clip(curve, 0, 1)
    return result


def _line(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> tuple[float, float]:
    """Gain and offset, three rounds of least squares with outliers left out."""
    keep = np.ones(len(x), bool)
    gain, offset = 1.0, 0.0
    for _ in range(3):
        spread = float(x[keep].std())
        if spread < 2 / 255:
            return 1.0, float((y[keep] - x[keep]).mean())
        gain, offset = np.polyfit(x[keep], y[keep], 1)
        off = np.abs(y - gain * x - offset)
        keep = off <= 3 * 1.4826 * np.median(off) + 1e-3
    return float(gain), float(offset)
