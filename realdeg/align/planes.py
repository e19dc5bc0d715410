"""Two motions in one picture: a step of depth against the smooth bend of a lens.

A quadratic field follows half of a step of half a pixel, and looks like a lens that does so. Both are
asked: the best smooth map, and a plainer map of most tiles with a second group that lies elsewhere by one
shift. Where the step explains the tiles better, the map is that of the larger group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.agreement import contradicting
from realdeg.align.fit import Fit, fit
from realdeg.align.lens import MODELS
from realdeg.align.robust import CAUCHY
from realdeg.align.tiles import Tiles
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array

PLAIN = tuple(name for name in MODELS if "quadratic" not in name)
MIDDLE = "two radial"
ROUNDS = 10
MIN_SHARE = 0.02  # of the tiles, for a second motion
MIN_TILES = 6
BORDER = 1.5  # log odds a pair of neighbours must bring to lie in different groups
PARAMETERS = 12.0  # log odds: the price of a second motion
MIN_STEP_PX = 0.08
MIN_ODDS = 15.0  # good pairs were seen to reach 2, steps of 0.3 px on a third of the field have 75 and more


@dataclass(frozen=True, eq=False)
class Split:
    """Two groups of tiles.

    Attributes:
        fit: the map of the larger group.
        other: (T,) tiles of the smaller group.
        step: (2,) by how much they lie elsewhere, LR px.
        odds: log odds of the step against the best smooth map.
    """

    fit: Fit
    other: npt.NDArray[np.bool_]
    step: Array
    odds: float


def two_motions(tiles: Tiles, warp: Warp, corner: tuple[float, float], smooth: Fit) -> Split | None:
    """Look for a second motion.

    Args:
        tiles: displacements under `warp`, on a grid over LR.
        warp: hr_from_lr.
        corner: LR position of the grid's first pixel.
        smooth: the fit of all tiles.

    Returns:
        The better explained split, or None where one smooth map is as good.
    """
    use = tiles.usable
    if use.sum() < 4 * MIN_TILES or not _in_doubt(smooth, tiles):
        return None
    plain = fit(tiles, warp, corner, models=PLAIN)
    if plain is None:
        return None
    best: Split | None = None
    points = tiles.centre + np.array(corner)
    left = _left(plain, tiles, warp, points)
    for start in _starts(_smoothed(left, plain.information, tiles.grid_hw), use):
        found = _settled(tiles, warp, corner, points, start, smooth)
        if found is not None and (best is None or found.odds > best.odds):
            best = found
    return best if best is not None and best.odds > MIN_ODDS else None


def dominant(split: Split, tiles: Tiles, warp: Warp, corner: tuple[float, float]) -> Fit:
    """The fit of the larger group to displacements seen anew; what it leaves is stated of all tiles."""
    use = tiles.usable
    most = replace(tiles, information=np.where((use & ~split.other)[:, None, None], tiles.information, 0))
    found = fit(most, warp, corner, models=PLAIN) or split.fit
    off = _left(found, tiles, warp, tiles.centre + np.array(corner))
    everywhere = fit(tiles, warp, corner, models=PLAIN[:1])
    information = found.information if everywhere is None else everywhere.information
    return replace(found, residual_shift=np.where(use[:, None], off, np.nan), information=information)


def _in_doubt(smooth: Fit, tiles: Tiles) -> bool:
    """Whether the smooth map is a bend, or leaves neighbours off together."""
    if smooth.model not in PLAIN:
        return True
    off = contradicting(tiles.grid_hw, smooth.residual_shift, smooth.information, MIN_STEP_PX)
    return bool(off.sum() >= MIN_TILES)


def _settled(
    tiles: Tiles,
    warp: Warp,
    corner: tuple[float, float],
    points: Array,
    other: npt.NDArray[np.bool_],
    smooth: Fit,
) -> Split | None:
    """Maps and groups in turn, until the groups stay as they are."""
    use, grid_hw = tiles.usable, tiles.grid_hw
    found: Fit | None = None
    for _ in range(ROUNDS):
        if other[use].sum() * 2 > use.sum():
            other = use & ~other
        if other.sum() < max(MIN_TILES, MIN_SHARE * use.sum()):
            return None
        most = replace(tiles, information=np.where((use & ~other)[:, None, None], tiles.information, 0))
        found = fit(most, warp, corner, models=(MIDDLE,))
        if found is None:
            return None
        off = _left(found, tiles, warp, points)
        information = smooth.information
        factor = found.variance_factor
        step = _mean(off[other], information[other])
        one, two = (_cost(d, information, factor) for d in (off, off - step))
        gain = cv2.boxFilter(
            np.where(use, one - two, 0).reshape(grid_hw),
            -1,
            (3, 3),
            normalize=False,
            borderType=cv2.BORDER_CONSTANT,
        ).ravel()
        now = use & (gain > 0)
        if (now == other).all():
            break
        other = now
    if found is None or other.sum() < max(MIN_TILES, MIN_SHARE * use.sum()) or np.hypot(*step) < MIN_STEP_PX:
        return None
    cost = float(np.where(other, two, one)[use].sum())
    rivals = _cost(smooth.residual_shift, smooth.information, factor)
    odds = float(rivals[use].sum()) - cost - BORDER * _borders(other, use, grid_hw) - PARAMETERS
    return Split(found, other, step, odds)


def _left(found: Fit, tiles: Tiles, warp: Warp, points: Array) -> Array:
    """(T, 2) what a map leaves of the tiles' displacements, which were seen under another one."""
    moved = np.linalg.solve(warp.jacobian(points), (found.warp(points) - warp(points))[..., None])[..., 0]
    result: Array = tiles.shift - moved
    return result


def _cost(off: Array, information: Array, factor: float) -> Array:
    """(T,) negative log likelihood."""
    distance2 = np.einsum("ti,tij,tj->t", np.nan_to_num(off), information, np.nan_to_num(off))
    return np.asarray(0.5 * CAUCHY**2 * np.log1p(distance2 / (factor * CAUCHY**2)))


def _mean(off: Array, information: Array) -> Array:
    return np.linalg.solve(information.sum(0), np.einsum("tij,tj->i", information, off))


def _smoothed(off: Array, information: Array, grid_hw: tuple[int, int]) -> Array:
    """(T, 2) mean over 3 x 3 tiles, weighted by how much is known of each."""
    weight = np.trace(information, axis1=1, axis2=2)
    fields = [weight, *(weight * np.nan_to_num(off[:, i]) for i in range(2))]
    total, x, y = (
        cv2.boxFilter(f.reshape(grid_hw), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT).ravel()
        for f in fields
    )
    return np.stack([x, y], -1) / np.maximum(total, 1e-12)[:, None]


def _starts(off: Array, use: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
    """Groups to begin with: along the direction of most scatter, at some of its quantiles."""
    known = off[use]
    centred = known - np.median(known, axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, 1]
    along = (off - np.median(known, axis=0)) @ axis
    return [
        use & side
        for q in (0.1, 0.33, 0.5)
        for side in (along < np.quantile(along[use], q), along > np.quantile(along[use], 1 - q))
    ]


def _borders(other: npt.NDArray[np.bool_], use: npt.NDArray[np.bool_], grid_hw: tuple[int, int]) -> int:
    """How many pairs of neighbours lie in different groups."""
    group, known = other.reshape(grid_hw), use.reshape(grid_hw)
    down = (group[1:] != group[:-1]) & known[1:] & known[:-1]
    right = (group[:, 1:] != group[:, :-1]) & known[:, 1:] & known[:, :-1]
    return int(down.sum() + right.sum())
