"""The accuracy that is stated of a map: what the scatter of the tiles says about its parameters."""

from __future__ import annotations

import numpy as np

from realdeg.align.crop import Box
from realdeg.align.fit import Fit
from realdeg.align.lateral import Lateral
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
    return _typical_p95(_draws(fit, warp, grid(field)))


def channel_p95(fit: Fit, warp: Warp, field: Box, lateral: Lateral) -> tuple[float, ...]:
    """Expected 95th percentile of the error of red, green and blue, LR px.

    The map's error, that of the channel's own terms, and what is known of them but was not drawn.

    Args:
        fit, warp, field: as above.
        lateral: where the channels lie.

    Returns:
        Three figures; those of the common map where lateral colour could not be measured.
    """
    points = grid(field)
    common = _draws(fit, warp, points)
    if lateral.channels is None:
        return (_typical_p95(common),) * 3
    basis = lateral.basis(points)
    stated = []
    for number, channel in enumerate(lateral.channels):
        normal = stream(0, "registration", f"predicted error of channel {number}")
        own = _drawn(basis, channel.covariance, normal.standard_normal((DRAWS, len(channel.covariance))))
        stated.append(_typical_p95(common + own - lateral.left(number, points)))
    return tuple(stated)


def _draws(fit: Fit, warp: Warp, points: Array) -> Array:
    """(DRAWS, N, 2) what the map's error may be at LR points, LR px."""
    normal = stream(0, "registration", "predicted error").standard_normal((DRAWS, len(fit.covariance)))
    off = _drawn(fit.basis(points), fit.covariance, normal)
    more = stream(0, "registration", "predicted error by asymmetry").standard_normal((DRAWS, 2))
    off = off + _drawn(np.eye(2)[None], fit.asymmetry.covariance, more)
    return off + (warp.inverse(fit.warp(points)) - points) if warp is not fit.warp else off


def _drawn(basis: Array, covariance: Array, normal: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    result: Array = np.einsum("tip,pq,dq->dti", basis, root, normal, optimize=True)
    return result


def _typical_p95(off: Array) -> float:
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
