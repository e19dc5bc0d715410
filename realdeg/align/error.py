"""The accuracy that is stated of a map: what the scatter of the tiles says about its parameters."""

from __future__ import annotations

import numpy as np

from realdeg.align.crop import Box
from realdeg.align.fit import Fit
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array
from realdeg.seeds import stream

GRID = 12
DRAWS = 400
SYSTEMATIC_PX = 0.001  # interpolation, and what differs between lenses beyond the model


def predicted_p95(fit: Fit, warp: Warp, field: Box) -> float:
    """Expected 95th percentile of the map's error over a 12 x 12 grid of the field, LR px.

    The median over draws of the map's parameters from their predicted distribution; where `warp` is not
    the fitted map, their difference is an error as well.

    Args:
        fit: the fit.
        warp: hr_from_lr that is used.
        field: LR box.
    """
    points = grid(field)
    basis = fit.basis(points)
    values, vectors = np.linalg.eigh(fit.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    normal = stream(0, "registration", "predicted error").standard_normal((DRAWS, len(values)))
    off = np.einsum("tip,pq,dq->dti", basis, root, normal)
    if warp is not fit.warp:
        off = off + (warp.inverse(fit.warp(points)) - points)
    p95 = np.percentile(np.hypot(off[..., 0], off[..., 1]), 95, axis=1)
    return float(np.hypot(np.median(p95), SYSTEMATIC_PX))


def grid(field: Box) -> Array:
    """(144, 2) LR points over a field, its corner pixels included."""
    x = np.linspace(field.x, field.x + field.width - 1, GRID)
    y = np.linspace(field.y, field.y + field.height - 1, GRID)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def bending(warp: Warp, field: Box) -> float:
    """Largest displacement over a field that no affine map explains, LR px."""
    points = grid(field)
    lr = points + warp.lens.displacement(points)
    affine = np.column_stack([points, np.ones(len(points))])
    left = lr - affine @ np.linalg.lstsq(affine, lr, rcond=None)[0]
    return float(np.hypot(*left.T).max())
