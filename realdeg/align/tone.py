"""The correction that brings one photo to the other's colours: what it is and how it is applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.align.vignetting import TERMS, fields
from realdeg.arraytypes import Array, Image
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

LEVELS = 1024
TABLE = 65536  # steps to which a curve is read: those of 16 bits


@dataclass(frozen=True, eq=False)
class Tone:
    """A colour matrix on linear light, a gain over the field, and a monotone curve per channel.

    Attributes:
        curves: (C, LEVELS) float32; sRGB-encoded values of the target, for encoded values 0..`top` in equal
            steps.
        matrix: (C, C) float64 on linear light, before the curves; None: the curves hold all of it.
        gain: coefficients of `vignetting.fields`: logarithm of the gain on linear light; all 0 = none.
        top: encoded value that matrix and gain make of white at most: whites are bent, not cut off.
    """

    curves: npt.NDArray[Any]
    matrix: Array | None = None
    gain: tuple[float, ...] = (0.0,) * TERMS
    top: float = 1.0

    @classmethod
    def none(cls, channels: int = 3) -> Tone:
        """The tone that changes nothing."""
        return cls(np.tile(np.linspace(0, 1, LEVELS, dtype=np.float32), (channels, 1)))

    @property
    def changes(self) -> bool:
        """Whether anything is changed at all."""
        straight = np.linspace(0, 1, LEVELS, dtype=np.float32)
        return self.matrix is not None or any(self.gain) or bool((self.curves != straight).any())

    def __call__(self, image: Image, rows: slice | None = None, height: int | None = None) -> Image:
        """Apply to float (h, w) or (h, w, C) in [0, 1]; the result is clipped to [0, 1].

        Args:
            image: the whole field, or some of its rows.
            rows: which rows of the field; None: all.
            height: rows of the whole field, where `rows` is given.
        """
        planes = image[..., None] if image.ndim == 2 else image
        if self.matrix is not None or any(self.gain):
            light = srgb_to_linear(planes)
            if self.matrix is not None:
                light = light @ self.matrix.T.astype(np.float32)
            if any(self.gain):
                light = light * self.gain_at(image.shape[:2], rows, height)[..., None]
            planes = np.clip(linear_to_srgb(np.maximum(light, 0)), 0, self.top)
        places = np.rint(planes * np.float32((TABLE - 1) / self.top)).astype(np.uint16)
        fine = np.linspace(0, 1, TABLE)
        done = np.empty(planes.shape, np.float32)
        for i, curve in enumerate(self.curves):
            table = np.interp(fine, np.linspace(0, 1, LEVELS), curve).astype(np.float32)
            np.take(table, places[..., i], out=done[..., i])
        result: Image = np.clip(done, 0, 1)
        return result[..., 0] if image.ndim == 2 else result

    def of_greys(self) -> npt.NDArray[Any]:
        """(C, LEVELS) what greys of 0..1 in equal steps become, encoded, without the gain over the field."""
        greys = np.repeat(np.linspace(0, 1, LEVELS, dtype=np.float32)[:, None], len(self.curves), 1)
        result: npt.NDArray[Any] = replace(self, gain=(0.0,) * TERMS)(greys[None])[0].T
        return result

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

    @property
    def slopes(self) -> tuple[float, float]:
        """Smallest and largest slope of what becomes of greys, on encoded values."""
        steps = np.diff(self.of_greys().astype(np.float64), axis=1) * (LEVELS - 1)
        return float(steps.min()), float(steps.max())
