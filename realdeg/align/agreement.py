"""Which tiles contradict the common map together with their neighbours: parallax, or something moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array

COHERENT_PX = 0.25  # a neighbourhood off by more, and surely so, contradicts the map
COHERENT_CHI2 = 18.0


def contradicting(
    grid_hw: tuple[int, int], off: Array, information: Array, limit: float = COHERENT_PX
) -> npt.NDArray[np.bool_]:
    """(T,) tiles whose 3 x 3 neighbourhood is off by more than `limit` px and than noise explains.

    The noise is read off the differences between neighbours: a scene with parallax moves in patches,
    noise does not, however large it is (soft or noisy LR photos).

    Args:
        grid_hw: rows and columns of tiles; T = rows * columns.
        off: (T, 2) displacement that the common map leaves, px; NaN where a tile has no say.
        information: (T, 2, 2) its inverse covariance.
        limit: px.
    """
    rows, columns = grid_hw
    places = np.flatnonzero(np.isfinite(off).all(-1))
    found = np.zeros(rows * columns, bool)
    if not len(places):
        return found
    weight = np.zeros((rows, columns, 2, 2))
    moment = np.zeros((rows, columns, 2))
    weight.reshape(-1, 2, 2)[places] = information[places]
    moment.reshape(-1, 2)[places] = np.einsum("tij,tj->ti", information[places], off[places])
    field = off.reshape(rows, columns, 2)
    covariance = np.full((rows, columns, 2, 2), np.nan)
    covariance.reshape(-1, 2, 2)[places] = np.linalg.inv(information[places])
    pairs: list[tuple[Any, Any]] = [(np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])]
    distances = []
    for one, other in pairs:
        step, error = field[one] - field[other], covariance[one] + covariance[other]
        known = np.isfinite(step).all(-1)
        distances.append(np.einsum("ti,ti->t", step[known], _solve(error[known], step[known])))
    between = np.concatenate(distances)
    noise2 = max(1.0, float(np.median(between)) / 1.386) if len(between) else 1.0
    around_weight = _box_sum(weight).reshape(-1, 2, 2)[places]
    mean = _solve(around_weight, _box_sum(moment).reshape(-1, 2)[places])
    certain = np.einsum("ti,tij,tj->t", mean, around_weight, mean) / noise2
    found[places] = (np.hypot(*mean.T) > limit) & (certain > COHERENT_CHI2)
    return found


def _solve(matrices: Array, vectors: Array) -> Array:
    return np.linalg.solve(matrices, vectors[..., None])[..., 0]


def _box_sum(field: Array) -> Array:
    """Sum over the 3 x 3 neighbourhood of each tile."""
    padded = np.pad(field, [(1, 1), (1, 1)] + [(0, 0)] * (field.ndim - 2))
    rows, columns = field.shape[:2]
    parts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.sum(parts, axis=0)
