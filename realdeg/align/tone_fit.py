"""Which correction of colours two registered photos ask for, and how sure that is.

A correction is applied to ground truth, so it must be asked for by evidence. Six models, from nothing to a
colour matrix with curves, are fitted to all pixels of both photos at one sharpness, each with priors towards
the identity. Each predicts every block of the field from the others (leave-one-block-out); the plainest that
predicts no worse than the best comes first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import lsq_linear

from realdeg.align.seen import HIGH, Mask
from realdeg.align.tone import LEVELS, Tone
from realdeg.align.vignetting import TERMS, fields
from realdeg.arraytypes import Array, Image
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

SAMPLES = 6_000
KNOTS = 11
STEPS = 8192  # of the table of their integrals
SLOPES = (0.5, 2.0)  # of a curve, after the gain
SHOULDER = 0.2  # slope of highlights that LR's exposure would cut off
BLOCKS_A_SIDE = 8
MEASURED = 0.002, 0.998  # quantiles between which a curve counts as measured
MARGIN = 1 / 512  # of white, that a measured curve leaves to what is brighter
WHITE_SHARE = 0.001  # of the field, that is white in both photos
ROUNDS = 4
CAUCHY = 2.0
FLOOR = 0.5 / 255  # what a level is off for reasons that are no tone
EDGE_PX = 0.15  # of a slope: what sharpness and registration may leave at edges
CORRELATED = 50.0  # neighbours that err alike, px: blur, sharpening and moved things are no white noise
# Standard deviations expected: of the logarithm of a gain, an encoded offset, the mixing of channels, a
# slope, and the logarithm of a gain over the field.
PRIOR_GAIN, PRIOR_OFFSET, PRIOR_MIXING, PRIOR_SLOPE, PRIOR_FIELD = 0.4, 0.02, 0.1, 0.15, 0.2


@dataclass(frozen=True)
class Model:
    """What a correction may do. Each has a gain per channel, but for "none"."""

    name: str
    gain: bool = True
    offset: bool = False
    matrix: bool = False
    curve: bool = False

    @property
    def complexity(self) -> int:
        """Order from the plainest to the richest."""
        return self.gain + self.offset + 2 * self.matrix + 4 * self.curve


MODELS = (
    Model("none", gain=False),
    Model("gain"),
    Model("gain and offset", offset=True),
    Model("matrix", matrix=True),
    Model("curve", offset=True, curve=True),
    Model("curve and matrix", offset=True, matrix=True, curve=True),
)
"""From the plainest to the richest."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Pixels of both photos at one sharpness.

    Attributes:
        light: (N, C) linear light of the image that is corrected.
        target: (N, C) sRGB-encoded values of the other.
        weight: (N, C) what a pixel counts: 0 where a channel is clipped, little on edges.
        place: (N, 2) x and y in [-1, 1] over the field.
        block: (N,) number of the pixel's block, in rising order.
        stride: px between samples.
        at: (N,) index of each pixel among all.
        white: (C,) channels that are at white in both photos on some part of the field.
    """

    light: Array
    target: Array
    weight: Array
    place: Array
    block: npt.NDArray[np.int_]
    stride: int
    at: npt.NDArray[np.int_]
    white: npt.NDArray[np.bool_]

    def with_target(self, target: Image) -> Samples:
        """The same pixels with other values of the target, (h, w, C)."""
        return replace(self, target=target.reshape(-1, target.shape[-1])[self.at].astype(np.float64))

    @classmethod
    def of(cls, source: Image, target: Image, clipped: Mask, doubt: Image) -> Samples:
        """Every n-th pixel of two pictures.

        Args:
            source, target: (h, w, C) float32 in [0, 1], sRGB-encoded, on one grid at one sharpness.
            clipped: (h, w, C) channels that are clipped in one of them.
            doubt: (h, w, C) by how much `source` may be off because it is not known how light was summed.
        """
        height, width = source.shape[:2]
        stride = max(1, int(np.ceil(np.sqrt(height * width / SAMPLES))))
        slope2 = np.zeros((height, width), np.float32)
        for image in (source, target):
            grey = image.mean(-1)
            x, y = (cv2.Sobel(grey, cv2.CV_32F, *d, scale=1 / 8) for d in ((1, 0), (0, 1)))
            slope2 += 0.5 * (x * x + y * y)
        expected2 = (2 * FLOOR) ** 2 + EDGE_PX**2 * slope2[..., None] + doubt**2
        weight = (2 * FLOOR) ** 2 / expected2 * ~clipped
        rows, columns = (
            some.ravel() for some in np.mgrid[stride // 2 : height : stride, stride // 2 : width : stride]
        )
        block = rows * BLOCKS_A_SIDE // height * BLOCKS_A_SIDE + columns * BLOCKS_A_SIDE // width
        order = np.argsort(block, kind="stable")
        rows, columns, block = rows[order], columns[order], block[order]
        place = np.stack([(columns + 0.5) / width * 2 - 1, (rows + 0.5) / height * 2 - 1], -1)
        values = (image[rows, columns].astype(np.float64) for image in (source, target, weight))
        light, there, counts = values
        light = srgb_to_linear(light).astype(np.float64)
        white = ((source > HIGH) & (target > HIGH)).mean((0, 1)) > WHITE_SHARE
        return cls(light, there, counts, place, block, stride, rows * width + columns, white)

    @cached_property
    def fields(self) -> Array:
        """(N, TERMS) of `vignetting.fields`."""
        return fields(self.place[:, 0], self.place[:, 1])


@dataclass(frozen=True, eq=False)
class Fitted:
    """One model fitted to the samples.

    Attributes:
        model: which.
        field: whether it has a gain over the field.
        tone: the correction.
        left: (N, C) target - corrected source, of the whole fit.
        left_out: (N, C) the same, each block predicted from the others.
    """

    model: Model
    field: bool
    tone: Tone
    left: Array
    left_out: Array

    @property
    def complexity(self) -> int:
        """Order from the plainest to the richest; a gain over the field weighs as much as a matrix."""
        return self.model.complexity + 2 * self.field


@dataclass(frozen=True)
class _Layout:
    """Where a model's parameters lie in the vector of all."""

    model: Model
    field: bool
    channels: int

    @cached_property
    def priors(self) -> Array:
        """(P,) standard deviation expected of each parameter."""
        each = (
            self.channels * [PRIOR_GAIN] * self.model.gain
            + self.channels * [PRIOR_OFFSET] * self.model.offset
        )
        each += self.channels * (self.channels - 1) * [PRIOR_MIXING] * self.model.matrix
        each += self.channels * KNOTS * [PRIOR_SLOPE] * self.model.curve + TERMS * [PRIOR_FIELD] * self.field
        return np.array(each, np.float64)

    def named(self, p: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Log gains (C,), offsets (C,), mixing (C, C) of rows that sum to 0, slopes - 1 (C, KNOTS), field."""
        c, at = self.channels, 0
        gain, offset, slopes = np.zeros(c), np.zeros(c), np.zeros((c, KNOTS))
        mixing, field = np.zeros((c, c)), np.zeros(TERMS)
        if self.model.gain:
            gain, at = p[:c], c
        if self.model.offset:
            offset, at = p[at : at + c], at + c
        if self.model.matrix:
            mixing[~np.eye(c, dtype=bool)] = p[at : at + c * (c - 1)]
            mixing -= np.diag(mixing.sum(1))
            at += c * (c - 1)
        if self.model.curve:
            slopes, at = p[at : at + c * KNOTS].reshape(c, KNOTS), at + c * KNOTS
        if self.field:
            field = p[at:]
        return gain, offset, mixing, slopes, field

    def columns(self, channel: int) -> npt.NDArray[np.int_]:
        """Of the parameters that move a channel, in the order of `_derivative`."""
        c, at, found = self.channels, 0, []
        for there, wide in ((self.model.gain, 1), (self.model.offset, 1), (self.model.matrix, c - 1)):
            if there:
                found += list(range(at + channel * wide, at + (channel + 1) * wide))
                at += c * wide
        if self.model.curve:
            found += list(range(at + channel * KNOTS, at + (channel + 1) * KNOTS))
            at += c * KNOTS
        if self.field:
            found += list(range(at, at + TERMS))
        return np.array(found, int)

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """(P,), (P,) of the parameters: slopes stay within `SLOPES`."""
        count, field = len(self.priors), TERMS * self.field
        low, high = np.full(count, -np.inf), np.full(count, np.inf)
        if self.model.curve:
            at = slice(count - field - self.channels * KNOTS, count - field)
            low[at], high[at] = SLOPES[0] - 1, SLOPES[1] - 1
        return low, high


def fit(samples: Samples, model: Model, field: bool) -> Fitted:
    """Fit one model.

    Args:
        samples: of both photos.
        model: what the correction may do.
        field: fit a gain over the field as well.
    """
    layout = _Layout(model, field, samples.light.shape[1])
    end = _solved(samples, layout)
    tone = _tone(samples, layout, end.p) if len(end.p) else Tone.none(layout.channels)
    return Fitted(model, field, tone, end.left, _left_out(samples, layout, end))


def even_curves(samples: Samples) -> Tone:
    """Curves alone, fitted together with a gain over the field that is then left out."""
    layout = _Layout(Model("curve", offset=True, curve=True), True, samples.light.shape[1])
    return _tone(samples, layout, _solved(samples, layout).p, even=True)


@dataclass(frozen=True, eq=False)
class _End:
    """Where Gauss-Newton ended: parameters, residuals, derivatives and weights, and the normal matrix."""

    p: Array
    left: Array
    derivatives: list[Array]
    weight: Array
    normal: Array


def _solved(samples: Samples, layout: _Layout) -> _End:
    """Gauss-Newton with Cauchy weights, priors and bounds."""
    prior = np.diag(1 / layout.priors**2)
    p, normal, weight = np.zeros(len(layout.priors)), prior, samples.weight
    left, derivatives = _forward(samples, layout, p)
    share = min(1.0, samples.stride**2 / CORRELATED)
    for _ in range(ROUNDS if len(p) else 0):
        weight = share * _robust(samples, left, scale_of(samples, left))
        normal, right = prior.copy(), -prior @ p
        for c, derivative in enumerate(derivatives):
            at = layout.columns(c)
            weighted = derivative * weight[:, c, None]
            normal[np.ix_(at, at)] += weighted.T @ derivative
            right[at] += weighted.T @ left[:, c]
        p = p + _bounded(normal, right, *(bound - p for bound in layout.bounds))
        left, derivatives = _forward(samples, layout, p)
    return _End(p, left, derivatives, weight, normal)


def scale_of(samples: Samples, left: Array) -> float:
    """Robust standard deviation of what is left, where the picture is flat."""
    counts = samples.weight > 0
    off = np.abs(left[counts]) * np.sqrt(samples.weight[counts])
    return max(FLOOR, 1.4826 * float(np.median(off))) if len(off) else FLOOR


def _robust(samples: Samples, left: Array, scale: float) -> Array:
    """(N, C) weights of the residuals over their variance."""
    return samples.weight / scale**2 / (1 + samples.weight * (left / (CAUCHY * scale)) ** 2)


def _forward(samples: Samples, layout: _Layout, p: Array) -> tuple[Array, list[Array]]:
    """(N, C) what the correction leaves, and for each channel (N, .) its derivative by `columns`."""
    gain, offset, mixing, slopes, field = layout.named(p)
    model, channels = layout.model, layout.channels
    factor = np.exp(gain) * np.exp(samples.fields @ field)[:, None] if layout.field else np.exp(gain)[None]
    light = samples.light + samples.light @ mixing.T
    lit = np.maximum(light * factor, 1e-5)
    encoded = np.asarray(linear_to_srgb(lit), np.float64)
    slope_of_encoding = np.where(lit <= 0.0031308, 12.92, 1.055 / 2.4 * lit ** (1 / 2.4 - 1))
    left = np.empty_like(lit)
    derivatives = []
    for c in range(channels):
        v = encoded[:, c]
        ramps = _ramps(v)
        left[:, c] = samples.target[:, c] - (v + offset[c] + ramps @ slopes[c])
        bend = 1 + _hats(v) @ slopes[c] if model.curve else 1.0
        by_light = bend * slope_of_encoding[:, c]
        parts = []
        if model.gain:
            parts.append((by_light * lit[:, c])[:, None])
        if model.offset:
            parts.append(np.ones((len(v), 1)))
        if model.matrix:
            others = np.arange(channels) != c
            mixed = samples.light[:, others] - samples.light[:, c, None]
            parts.append((by_light * np.broadcast_to(factor, lit.shape)[:, c])[:, None] * mixed)
        if model.curve:
            parts.append(ramps)
        if layout.field:
            parts.append((by_light * lit[:, c])[:, None] * samples.fields)
        derivatives.append(np.concatenate(parts, axis=1) if parts else np.empty((len(v), 0)))
    return left, derivatives


def _left_out(samples: Samples, layout: _Layout, end: _End) -> Array:
    """(N, C) residuals of each block under the fit to all other blocks, to first order."""
    if not len(end.p):
        return end.left
    _, starts = np.unique(samples.block, return_index=True)
    rows = [slice(*ends) for ends in pairwise([*starts.tolist(), len(samples.block)])]
    size = len(end.p)
    normals, rights = np.zeros((len(rows), size, size)), np.zeros((len(rows), size))
    for c, derivative in enumerate(end.derivatives):
        at = layout.columns(c)
        weighted = derivative * end.weight[:, c, None]
        for b, some in enumerate(rows):
            normals[b][np.ix_(at, at)] += weighted[some].T @ derivative[some]
            rights[b][at] += weighted[some].T @ end.left[some, c]
    moved = -np.linalg.solve(end.normal - normals, rights[..., None])[..., 0]
    result = end.left.copy()
    for c, derivative in enumerate(end.derivatives):
        by = moved[:, layout.columns(c)]
        for b, some in enumerate(rows):
            result[some, c] -= derivative[some] @ by[b]
    return result


def _bounded(normal: Array, right: Array, low: Array, high: Array) -> Array:
    """Solution of the normal equations within bounds."""
    free: Array = np.linalg.solve(normal, right)
    if ((free >= low) & (free <= high)).all():
        return free
    root = np.linalg.cholesky(normal)
    found = lsq_linear(root.T, np.linalg.solve(root, right), (low - 1e-9, high + 1e-9), method="bvls")
    return np.clip(found.x, low, high)


def _tone(samples: Samples, layout: _Layout, p: Array, *, even: bool = False) -> Tone:
    """The correction that the parameters make; `even` leaves the gain over the field out.

    Where nothing was measured the curves go straight on, and cut nothing off.
    """
    gain, offset, mixing, slopes, field = layout.named(p)
    matrix = np.exp(gain)[:, None] * (np.eye(layout.channels) + mixing)
    terms = np.zeros(TERMS) if even else field
    alone = not layout.model.matrix and not terms.any()  # curves alone: one table look-up a value
    corners = np.linspace(-1, 1, 9)
    most = float(np.exp((fields(corners[None], corners[:, None]) @ terms).max()))
    top = 1.0 if alone else float(linear_to_srgb(np.maximum(matrix, 0).sum(1).max() * most))
    v = _seen_values(samples, layout, p)
    levels = np.linspace(0, top, LEVELS)
    curves = []
    for c in range(layout.channels):
        lit = srgb_to_linear(levels) * np.float32(matrix[c, c])
        start = np.asarray(linear_to_srgb(lit), np.float64) if alone else levels
        curve = start + offset[c] + _ramps(start) @ slopes[c]
        counts = samples.weight[:, c] > 0
        low, high = np.quantile(v[counts, c], MEASURED) if counts.any() else (0.0, start[-1])
        white = bool(samples.white[c])
        curves.append(_straight(start, curve, low, high) if even else _ended(start, curve, low, high, white))
    table = np.stack(curves).astype(np.float32)
    return Tone(table, None if alone else matrix, tuple(float(t) for t in terms), top)


def _ended(start: Array, curve: Array, low: float, high: float, white: bool) -> Array:
    """A curve (LEVELS,) over `start`, measured from `low` to `high`, that beyond goes straight on.

    Where that would cut off blacks or whites, or where both photos are white (`white`), it goes straight to
    black or white instead.
    """
    first, last = _ends(start, low, high)
    curve = np.maximum(curve, SLOPES[0] * start)  # an offset cuts off no black that was measured
    while last > first and curve[last] >= 1 - MARGIN:
        last -= 1
    ended = curve.copy()
    # The slope at an end is known badly; half of what its surroundings say is taken.
    reach = max(1, (last - first) // 5)
    low_slope = _half((curve[first + reach] - curve[first]) / (start[first + reach] - start[first]))
    high_slope = _half((curve[last] - curve[last - reach]) / (start[last] - start[last - reach]))
    if curve[first] < low_slope * start[first]:
        low_slope = curve[first] / start[first]
    ended[:first] = curve[first] + low_slope * (start[:first] - start[first])
    straight = curve[last] + high_slope * (start[last:] - start[last])
    if white or straight[-1] > 1:
        # A shoulder: on to where what is left reaches white with a fifth of the slope, or at once.
        to_white = 1 - SHOULDER * (start[-1] - start[last:])
        if curve[last] >= to_white[0]:
            rise = (1 - curve[last]) / (start[-1] - start[last])
            straight = curve[last] + rise * (start[last:] - start[last])
        elif straight[-1] > 1:
            straight = np.minimum(straight, to_white)
        else:
            rise = min((1 - curve[last]) / (start[-1] - start[last]), SLOPES[1])
            straight = curve[last] + rise * (start[last:] - start[last])
    ended[last:] = straight
    return np.clip(ended, 0, 1)


def _half(slope: float) -> float:
    """Half-way from a slope to one, within bounds."""
    return float(np.clip(1 + 0.5 * (slope - 1), *SLOPES))


def _ends(start: Array, low: float, high: float) -> tuple[int, int]:
    """Indices of what was measured, with something to either side."""
    first = int(np.clip(np.searchsorted(start, low), 1, len(start) - 2))
    return first, int(np.clip(np.searchsorted(start, high), first, len(start) - 2))


def _straight(start: Array, curve: Array, low: float, high: float) -> Array:
    """A curve (LEVELS,) over `start` that beyond what was measured goes straight on, to look by."""
    first, last = _ends(start, low, high)
    slope = np.gradient(curve, start)
    straight = curve.copy()
    straight[:first] = curve[first] + slope[first] * (start[:first] - start[first])
    straight[last:] = curve[last] + slope[last] * (start[last:] - start[last])
    return np.clip(straight, 0, 1)


def _seen_values(samples: Samples, layout: _Layout, p: Array) -> Array:
    """(N, C) encoded values that enter the curves."""
    gain, _, mixing, _, field = layout.named(p)
    light = (samples.light + samples.light @ mixing.T) * np.exp(gain)
    if layout.field:
        light = light * np.exp(samples.fields @ field)[:, None]
    return np.asarray(linear_to_srgb(np.maximum(light, 0)), np.float64)


def _hats(v: Array) -> Array:
    """(N, KNOTS) weight of each knot's slope at encoded values."""
    at = np.clip(v, 0, 1) * (KNOTS - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(KNOTS)))


def _integrals() -> Array:
    """(STEPS + 1, KNOTS) integral of `_hats` from 1/2, at values 0..1 in equal steps."""
    at = np.linspace(0, KNOTS - 1, STEPS + 1)
    t = np.clip(at[:, None] - np.arange(KNOTS), -1, 1)
    total = np.where(t < 0, 0.5 * (1 + t) ** 2, 1 - 0.5 * (1 - t) ** 2) / (KNOTS - 1)
    result: Array = total - total[STEPS // 2]
    return result


RAMPS = _integrals()


def _ramps(v: Array) -> Array:
    """(N, KNOTS) integral of `_hats` from 1/2; beyond [0, 1] it goes on as it ended."""
    result: Array = RAMPS[np.rint(np.clip(v, 0, 1) * STEPS).astype(np.int32)]
    result[:, -1] += np.maximum(v - 1, 0)
    result[:, 0] += np.minimum(v, 0)
    return result


def candidates(samples: Samples, models: tuple[Model, ...], vignetting: bool) -> list[Fitted]:
    """All models, and with `vignetting` all but the first again with a gain over the field."""
    usable = [m for m in models if samples.light.shape[1] > 1 or not m.matrix]
    found = [fit(samples, model, False) for model in usable]
    if vignetting:
        found += [fit(samples, model, True) for model in usable if model.gain]
    return found


def ranked(samples: Samples, fitted: list[Fitted]) -> list[Fitted]:
    """The fits that predict left-out blocks no worse than the best does, the plainest first; then the others.

    "No worse": by less than the standard error of the difference over the blocks.
    """
    scale = min(scale_of(samples, one.left_out) for one in fitted)
    losses = []
    for one in fitted:
        loss = np.log1p(samples.weight * (one.left_out / (CAUCHY * scale)) ** 2).sum(1)
        losses.append(np.bincount(samples.block, loss))
    best = min(losses, key=lambda loss: float(loss.sum()))
    excess = [_standard_errors(loss - best) for loss in losses]
    order = sorted(range(len(fitted)), key=lambda i: fitted[i].complexity)
    good = [i for i in order if excess[i] <= 1]
    return [fitted[i] for i in good + sorted(set(order) - set(good), key=lambda i: (excess[i], i))]


def _standard_errors(differences: Array) -> float:
    """Sum of differences over the standard error of the sum."""
    spread = float(np.sqrt(len(differences) * differences.var()))
    total = float(differences.sum())
    return total / spread if spread else 0.0
