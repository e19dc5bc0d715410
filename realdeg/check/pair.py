"""What is looked at in one pair, as figures: the columns of an audit, and what `adopt` writes down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array
from realdeg.check import colour, geometry, grid, seams
from realdeg.imaging.depth import to_8bit
from realdeg.metrics.detail import SIDE, resolution
from realdeg.metrics.enlargement import enlargement

Value = float | int | str
DIGITS = 4
ALIKE = 0.8  # correlation of a mirrored pair that is one
UNSURE = 0.85  # correlation below which LR may be mirrored
BETTER = 0.1
SURE, LITTLE = 0.9, 1.2  # confidence of traces, and factors that need the blur to fit
BAND = 1.0, 4.0  # px


@dataclass(frozen=True, eq=False)
class Looked:
    """Figures of a pair, by column.

    Attributes:
        figures: numbers and words; what cannot be told has no column.
        place: where HR lies; None where too little is to be seen.
    """

    figures: Mapping[str, Value]
    place: geometry.Geometry | None


def placed(lr: Array, hr: Array, scale: int, valid: Array | None = None) -> Looked:
    """Registration and grid of a pair.

    Args:
        lr: (h, w, 3) uint8 or uint16.
        hr: (scale*h, scale*w, 3) of the same kind.
        scale: HR size / LR size, 1 or more.
        valid: (h, w), 0 where the pair is not valid.
    """
    found = geometry.look(lr, hr, scale, valid)
    if found is None:
        return Looked({}, None)
    left = found.residual
    told: dict[str, Value] = {
        "residual_lr_px": left.p95,
        "residual_noise_lr_px": left.noise,
        "residual_median_lr_px": left.median,
        "residual_windows": len(left.sd),
        "residual_3x3_lr_px": found.by_place(lr.shape[:2]),
        "residual_sure_px": found.sure_error,
        "softness": found.softness,
        "shift_x_lr_px": found.shift[0],
        "shift_y_lr_px": found.shift[1],
        "shift_sd_lr_px": found.shift_sd,
        "slope_x_lr_px": float(found.linear[0, 0]),
        "slope_y_lr_px": float(found.linear[1, 1]),
        "grid": grid.of_pair(found, scale),
        "beside": found.beside,
    }
    return Looked({name: _short(value) for name, value in told.items()}, found)


def examine(lr: Array, hr: Array, scale: int, valid: Array | None = None) -> Looked:
    """Everything that is looked at in a pair, but other pictures.

    Args:
        lr, hr, scale, valid: as in `placed`.
    """
    if lr.dtype != hr.dtype:
        lr, hr = to_8bit(lr), to_8bit(hr)
    looked = placed(lr, hr, scale, valid)
    told: dict[str, Value] = dict(looked.figures)
    told["texture"] = min(_texture(geometry.grey(lr)), _texture(geometry.reduced(hr, scale)))
    like = told["zncc"] = _correlation(lr, hr, scale, looked)
    if like < UNSURE and (flipped := _flipped(lr, hr, scale)):
        told["flipped"] = flipped
    shift = looked.place.shift if looked.place else (0.0, 0.0)
    if colours := colour.compare(lr, hr, scale, shift):
        told |= {
            "colour_rms": colours.rms,
            "colour_left": colours.left,
            "colour_cast": colours.cast,
            "contrast": colours.contrast,
        }
        for name, value in (
            ("difference", colours.difference),
            ("gain", colours.gain),
            ("offset", colours.offset),
        ):
            told[f"colour_{name}"] = " ".join(f"{one:.3g}" for one in value)
        if colours.saturation is not None:
            told["saturation"] = colours.saturation
        told["colour_words"] = colours.told()
    for side, image in (("lr", lr), ("hr", hr)):
        if (found := seams.blocks(geometry.grey(image))) is not None:
            told |= {f"{side}_blocks": found.strength, f"{side}_block_levels": found.levels}
    if min(lr.shape[:2]) >= SIDE and (resolved := resolution(lr, hr, scale, _bool(valid))):
        # In equal sizes HR's pixels limit nothing, so that the blurs say more.
        blurs = resolved.blur_lr / max(resolved.blur_hr, 1e-3)
        told |= {"detail": resolved.detail if scale > 1 else blurs, "detail_soft": resolved.soft}
        if factor := _enlarged(hr, resolved.blur_hr * scale):
            told["enlarged"] = factor
    elif factor := _enlarged(hr, 0.0):
        told["enlarged"] = factor
    return Looked({name: _short(value) for name, value in told.items()}, looked.place)


def _enlarged(hr: Array, blur: float) -> float:
    """By how much HR was enlarged, by its traces; 0 where they are weak, or HR is sharper than that."""
    traces = enlargement(hr)
    if traces is None:
        return 0.0
    # A blur that is measured against a noisy LR may be too small. Registration enlarges by 1.15 at most.
    sure = traces.confidence > SURE and traces.factor > LITTLE
    return traces.factor if sure or traces.fits(blur) else 0.0


def _bool(valid: Array | None) -> npt.NDArray[np.bool_] | None:
    return None if valid is None else valid > 0


def _short(value: Value) -> Value:
    return round(float(value), DIGITS) if isinstance(value, float) else value


def _texture(grey: Array) -> float:
    """Standard deviation of what is neither fine as noise nor slow as light, 8-bit levels."""
    fine, slow = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in BAND)
    return float((fine - slow).std())


def _correlation(lr: Array, hr: Array, scale: int, looked: Looked) -> float:
    """Of LR and reduced HR where they show the same; a far shift is taken away."""
    if looked.place:
        return looked.place.residual.zncc
    return geometry.correlation(geometry.grey(lr), geometry.reduced(hr, scale))


def _flipped(lr: Array, hr: Array, scale: int) -> str:
    """How LR is mirrored or turned against HR, in words; "" where no such thing makes them alike."""
    small, seen = geometry.grey(lr), geometry.reduced(hr, scale)
    ways = {"left to right": small[:, ::-1], "upside down": small[::-1], "by half a turn": small[::-1, ::-1]}
    found = {way: geometry.correlation(np.ascontiguousarray(one), seen) for way, one in ways.items()}
    best = max(found, key=lambda way: found[way])
    if geometry.correlation(small, seen) < -ALIKE:
        return "to its negative"
    return best if found[best] > max(ALIKE, geometry.correlation(small, seen) + BETTER) else ""
