"""Tone: bring one photo to the other's brightness, measured where the pictures are flat.

One monotone curve per channel, and a gain on linear light that varies slowly over the field: what is left
of the vignetting of both lenses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from realdeg.align.settings import Brightness
from realdeg.align.vignetting import TERMS, fields, fit_gain
from realdeg.arraytypes import Image
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

LEVELS = 1024
TABLE = 65536  # steps to which a curve is read: those of 16 bits
BINS = 24
MIN_IN_BIN = 30
MAX_SAMPLES = 120_000
MIN_FOR_QUADRATIC = 400
QUADRATIC_PRIOR = (0, 1e-6, 1e-5, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6)  # towards the identity
GAIN_ROUNDS = 3
WORTHWHILE = 0.0005  # smallest share of the residual that a gain field must take away


@dataclass(frozen=True, eq=False)
class ToneCurve:
    """Monotone tone curves, one per channel, and a gain over the field.

    Attributes:
        curves: (C, LEVELS) float32; values of the target for source values 0..1 in equal steps.
        gain: coefficients of `vignetting.fields`: logarithm of the gain on linear light; all 0 = none.
        residual_8bit: root mean square of target - tone(source) on flat areas, 8-bit levels.
    """

    curves: npt.NDArray[Any]
    residual_8bit: float
    gain: tuple[float, ...] = (0.0,) * TERMS

    @classmethod
    def none(cls, channels: int = 3) -> ToneCurve:
        """The tone that changes nothing."""
        return cls(np.tile(np.linspace(0, 1, LEVELS, dtype=np.float32), (channels, 1)), float("nan"))

    def __call__(self, image: Image, rows: slice | None = None, height: int | None = None) -> Image:
        """Apply to float (h, w) or (h, w, C) in [0, 1]; the result is clipped to [0, 1].

        Args:
            image: the whole field, or some of its rows.
            rows: which rows of the field; None: all.
            height: rows of the whole field, where `rows` is given.
        """
        planes = image[..., None] if image.ndim == 2 else image
        fine = np.linspace(0, 1, TABLE)
        places = np.rint(planes * np.float32(TABLE - 1)).astype(np.uint16)
        done = np.empty(planes.shape, np.float32)
        for i, curve in enumerate(self.curves):
            table = np.interp(fine, np.linspace(0, 1, LEVELS), curve).astype(np.float32)
            np.take(table, places[..., i], out=done[..., i])
        if any(self.gain):
            gain = self.gain_at(image.shape[:2], rows, height)
            done = linear_to_srgb(srgb_to_linear(done) * gain[..., None])
        result: Image = np.clip(done, 0, 1).astype(np.float32)
        return result[..., 0] if image.ndim == 2 else result

    def gain_at(
        self, size_hw: tuple[int, ...], rows: slice | None = None, height: int | None = None
    ) -> npt.NDArray[Any]:
        """(h, w) gain on linear light over the field, or over some of its rows."""
        start, whole = (rows.start, height or size_hw[0]) if rows else (0, size_hw[0])
        y = (np.arange(start, start + size_hw[0]) + 0.5) / whole * 2 - 1
        x = (np.arange(size_hw[1]) + 0.5) / size_hw[1] * 2 - 1
        return np.exp(fields(x[None], y[:, None]) @ np.array(self.gain)).astype(np.float32)

    @property
    def corner_gain(self) -> float:
        """Mean gain at the four corners of the field, relative to its centre."""
        corners = fields(np.array([-1.0, 1, -1, 1]), np.array([-1.0, -1, 1, 1])) @ np.array(self.gain)
        return float(np.exp(corners.mean() - fields(np.zeros(1), np.zeros(1))[0] @ np.array(self.gain)))


def match_brightness(
    source: Image, target: Image, method: Brightness = "curve", *, vignetting: bool = False
) -> ToneCurve:
    """Tone that brings one picture to the values of another, both of one sharpness on one grid.

    Args:
        source: (h, w) or (h, w, C) float32 in [0, 1], sRGB-encoded: HR on LR's grid, say.
        target: the same pixels of the other photo.
        method: "curve": monotone, through the means of up to 24 brightness classes; "linear": gain and
            offset by least squares, the D2CRealSR recipe; "none".
        vignetting: fit a gain over the field as well, common to all channels.
    """
    if source.ndim == 2:
        source, target = source[..., None], target[..., None]
    if method == "none":
        return ToneCurve.none(source.shape[2])
    step = max(1, round(np.sqrt(source.shape[0] * source.shape[1] / MAX_SAMPLES)))
    flat = _flatness(source, target)[::step, ::step]
    source, target = source[::step, ::step], target[::step, ::step]
    tone = _curves(source, target, flat, method)
    if not vignetting:
        return tone
    for _ in range(GAIN_ROUNDS):
        gain = fit_gain(replace(tone, gain=(0.0,) * TERMS)(source), target, flat)
        even = replace(tone, gain=gain).gain_at(source.shape)[..., None]
        flattened = linear_to_srgb(srgb_to_linear(target) / even)
        shaped = replace(_curves(source, flattened, flat, method), gain=gain)
        residual = _residual(shaped, source, target, flat)
        if residual > (1 - WORTHWHILE) * tone.residual_8bit:
            break
        tone = replace(shaped, residual_8bit=residual)
    return tone


def rough_tone(source: Image, target: Image) -> ToneCurve:
    """Quadratic curves per channel, for pictures not yet well registered: three terms cannot be misled.

    Fitted together with a quadratic gain over the field, which is then left out: brightness that varies
    slowly does not hinder registration, but would bend the curves.

    Args:
        source, target: (h, w, C) float32 in [0, 1] on one grid, of about one sharpness.
    """
    flat = _flatness(source, target)
    height, width = flat.shape
    x = np.broadcast_to(np.linspace(-1, 1, width), flat.shape)[flat]
    y = np.broadcast_to(np.linspace(-1, 1, height)[:, None], flat.shape)[flat]
    curves = []
    levels = np.linspace(0, 1, LEVELS)
    for channel in range(source.shape[2]):
        a, b = (image[..., channel][flat].astype(np.float64) for image in (source, target))
        keep = (a > 2 / 255) & (a < 250 / 255) & (b > 2 / 255) & (b < 250 / 255)
        if keep.sum() < MIN_FOR_QUADRATIC or a[keep].std() < 4 / 255:
            curves.append(levels)
            continue
        fields = [a * f for f in (x, y, x * x, x * y, y * y)]
        design = np.stack([np.ones_like(a), a, a * a, *fields], axis=-1)[keep]
        weight = np.ones(len(design))
        for _ in range(4):
            weighted = design * weight[:, None]
            normal = weighted.T @ design + np.diag(QUADRATIC_PRIOR) * weight.sum()
            right = weighted.T @ b[keep] + np.diag(QUADRATIC_PRIOR)[:, 1] * weight.sum()
            solution = np.linalg.solve(normal, right)
            off = np.abs(b[keep] - design @ solution)
            weight = 1 / (1 + (off / (2 * 1.4826 * np.median(off) + 1e-4)) ** 2)
        powers = np.stack([np.ones_like(levels), levels, levels**2], axis=-1)
        # Beyond what was seen the curve goes straight on.
        low, high = np.quantile(a[keep], [0.002, 0.998])
        curve = powers @ solution[:3]
        slope = np.gradient(curve, levels)
        i, j = (int(np.searchsorted(levels, v)) for v in (low, high))
        curve[:i] = curve[i] + slope[i] * (levels[:i] - levels[i])
        curve[j + 1 :] = curve[j] + slope[j] * (levels[j + 1 :] - levels[j])
        curves.append(np.maximum.accumulate(np.clip(curve, 0, 1)))
    return ToneCurve(np.stack(curves).astype(np.float32), float("nan"))


def _curves(source: Image, target: Image, flat: npt.NDArray[Any], method: Brightness) -> ToneCurve:
    curves = []
    for channel in range(source.shape[2]):
        x, y = source[..., channel][flat], target[..., channel][flat]
        keep = (x > 2 / 255) & (x < 253 / 255) & (y > 2 / 255) & (y < 253 / 255)
        curves.append(_fit(x[keep].astype(np.float64), y[keep].astype(np.float64), method))
    tone = ToneCurve(np.stack(curves).astype(np.float32), float("nan"))
    return replace(tone, residual_8bit=_residual(tone, source, target, flat))


def _residual(tone: ToneCurve, source: Image, target: Image, flat: npt.NDArray[Any]) -> float:
    """Root mean square on flat, unclipped pixels, 8-bit levels."""
    seen = tone(source)
    keep = flat[..., None] & (target > 2 / 255) & (target < 253 / 255) & (source > 2 / 255)
    keep &= source < 253 / 255
    off = (seen - target)[keep]
    return 255 * float(np.sqrt((off.astype(np.float64) ** 2).mean())) if len(off) else float("nan")


def _flatness(source: Image, target: Image) -> npt.NDArray[Any]:
    """The flatter half of the pixels of both pictures; errors of registration do not show there."""
    slope = np.zeros(source.shape[:2], np.float32)
    for image in (source, target):
        grey = cv2.GaussianBlur(image.mean(-1), (0, 0), 1.0)
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
    return np.clip(curve, 0, 1)


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
