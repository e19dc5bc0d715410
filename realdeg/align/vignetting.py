"""A gain over the field that varies slowly: what is left of the vignetting of both lenses."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array
from realdeg.imaging.colour import srgb_to_linear

TERMS = 6
CELLS = 24
PRIOR = 0.5  # expected size of a term, natural logarithm of the gain


def fields(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(..., TERMS) low-order fields over [-1, 1] x [-1, 1] without a constant, which the curves hold."""
    x, y = np.broadcast_arrays(x, y)
    r2 = x * x + y * y
    fields = [x, y, x * x - 1 / 3, x * y, y * y - 1 / 3, r2 * r2 - 28 / 45]
    return np.stack(fields, axis=-1)


def fit_gain(curved: Array, target: Array, flat: Array) -> tuple[float, ...]:
    """Coefficients of `fields` for the logarithm of the gain on linear light between two pictures.

    Medians of small cells, so that neither noise nor what moved decides; a weak prior keeps the terms
    small where the cells say nothing.

    Args:
        curved: (h, w, C) float32 in [0, 1], sRGB-encoded, after its tone curves.
        target: the same pixels of the other photo.
        flat: (h, w) bool, pixels without edges.
    """
    usable = flat & (curved.min(-1) > 8 / 255) & (target.min(-1) > 8 / 255)
    usable &= (curved.max(-1) < 245 / 255) & (target.max(-1) < 245 / 255)
    ratio = np.log(srgb_to_linear(target).mean(-1) + 1e-6) - np.log(srgb_to_linear(curved).mean(-1) + 1e-6)
    rows, columns = (max(2, min(CELLS, side // 8)) for side in ratio.shape)
    places, values, weights = [], [], []
    for i, j in product(range(rows), range(columns)):
        top, bottom = i * ratio.shape[0] // rows, (i + 1) * ratio.shape[0] // rows
        left, right = j * ratio.shape[1] // columns, (j + 1) * ratio.shape[1] // columns
        inside = ratio[top:bottom, left:right][usable[top:bottom, left:right]]
        if len(inside) >= 6:
            places.append(((left + right) / ratio.shape[1] - 1, (top + bottom) / ratio.shape[0] - 1))
            values.append(float(np.median(inside)))
            weights.append(np.sqrt(len(inside)))
    if len(values) < 3 * TERMS:
        return (0.0,) * TERMS
    x, y = np.array(places).T
    basis, value = np.column_stack([np.ones(len(x)), fields(x, y)]), np.array(values)
    prior = np.diag([0.0] + [1 / PRIOR] * TERMS)
    weight = np.array(weights)
    robust = np.ones(len(x))
    for _ in range(5):
        w = weight * robust
        spread = 1.4826 * np.median(np.abs(value - np.median(value))) + 1e-4
        a = np.vstack([basis * (w / spread / weight.mean())[:, None], prior])
        b = np.concatenate([value * (w / spread / weight.mean()), np.zeros(TERMS + 1)])
        solution = np.linalg.lstsq(a, b, rcond=None)[0]
        off = np.abs(value - basis @ solution)
        robust = 1 / np.sqrt(1 + (off / (2 * np.median(off) + 1e-6)) ** 2)
    return tuple(float(v) for v in solution[1:])
