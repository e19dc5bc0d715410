"""The map that the tiles agree on: robust fits of homography and lens, and the choice among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from realdeg.align import jackknife
from realdeg.align.asymmetry import Asymmetry
from realdeg.align.homography import Homography
from realdeg.align.lens import MODELS
from realdeg.align.robust import RobustFit, solve
from realdeg.align.tiles import Tiles
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array

INFLATION = 1.15  # of predicted standard deviations: what tuning pairs with known truth asked for
FLOOR_PX = 0.015  # what a tile may be off for reasons that its noise does not show
MAX_STEP_PX = 1.5
PERSPECTIVE_SD = 0.05  # prior of the two perspective terms, in displacement per half diagonal
AT_LEAST = "two radial"  # lenses that a homography seems to explain are given so much doubt


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted map and what the tiles say about it.

    Attributes:
        warp: hr_from_lr, on the LR photo's pixels.
        model: key of `MODELS`.
        residual_shift: (T, 2) displacement that the map leaves of each tile, LR px; NaN without texture.
        information: (T, 2, 2) inverse covariance of a tile's displacement from the common map, px^-2.
        variance_factor: by how much tiles scatter beyond their own noise (variance ratio, at least 1).
        parameters: of the plane's motion.
        conservative_model: key of `MODELS` whose parameters the stated error allows for: `model` or
            a richer one.
        centre, radius: by which LR points are normalised.
        asymmetry: of the two blurs, which the map allows for.
        candidate, blocks: the fit of `conservative_model`, and the block of each of its tiles.
    """

    warp: Warp
    model: str
    residual_shift: Array
    information: Array
    variance_factor: float
    parameters: int
    conservative_model: str
    centre: tuple[float, float]
    radius: float
    candidate: _Candidate
    blocks: npt.NDArray[np.int_]
    asymmetry: Asymmetry

    def with_asymmetry(self, found: Asymmetry) -> Fit:
        """The map by the centroids of both blurs."""
        return replace(self, warp=found.corrected(self.warp), asymmetry=found)

    @cached_property
    def covariance(self) -> Array:
        """(P, P) of the parameters of `conservative_model`, px^2."""
        return INFLATION**2 * self.candidate.found.covariance(self.blocks)

    def basis(self, points: Array) -> Array:
        """(N, 2, P) derivative of the map's displacement by the parameters at LR points, LR px."""
        return _design(
            self.warp, points, np.array(self.centre), self.radius, self.parameters, self.conservative_model
        )

    def sd(self, points: Array) -> Array:
        """(N,) predicted standard deviation of the map at LR points, both components together, LR px."""
        basis = self.basis(points)
        spread = np.einsum("tip,pq,tiq->t", basis, self.covariance, basis) + np.trace(
            self.asymmetry.covariance
        )
        return np.sqrt(np.maximum(spread, 0))


def fit(
    tiles: Tiles,
    warp: Warp,
    corner: tuple[float, float],
    *,
    parameters: int = 8,
    models: tuple[str, ...] = ("homography",),
    step: float = 1.0,
) -> Fit | None:
    """Robust fit of the map to the tiles' displacements.

    Args:
        tiles: displacements, from `tile_shifts`, on a grid over LR.
        warp: hr_from_lr under which they were measured.
        corner: LR position of the grid's first pixel.
        parameters: of the plane's motion: 4 (similarity), 6 (affine) or 8 (homography).
        models: keys of `MODELS` to choose from, the plainest first.
        step: LR px per grid px.

    Returns:
        The map of the model with the largest evidence, or None where fewer usable tiles than parameters
        are there.
    """
    use = tiles.usable
    if 2 * use.sum() < max(parameters, 4):
        return None
    points = step * tiles.centre + np.array(corner) + (step - 1) / 2
    shift = step * np.clip(tiles.shift, -MAX_STEP_PX, MAX_STEP_PX)
    information = tiles.information / step**2
    covariance = np.linalg.inv(information[use]) + (FLOOR_PX * step) ** 2 * np.eye(2)
    weight = np.linalg.inv(covariance)
    low, high = points.min(0), points.max(0)
    centre, radius = (low + high) / 2, float(np.hypot(*(high - low))) / 2
    target = _target(warp, points[use], shift[use])
    choices = [m for m in models if parameters + len(MODELS[m]) <= use.sum()] or [models[0]]
    candidates = [_solve(warp, points[use], target, weight, centre, radius, parameters, m) for m in choices]
    # One yardstick for all: the scatter that even the richest model leaves.
    variance_factor = candidates[-1].found.variance_factor
    best = max(range(len(candidates)), key=lambda i: candidates[i].evidence(variance_factor))
    chosen = candidates[best]
    conservative_model = max(best, choices.index(AT_LEAST)) if AT_LEAST in choices else best
    blocks = jackknife.blocks_of(tiles.grid_hw, np.flatnonzero(use))
    off = np.full(points.shape, np.nan)
    off[use] = chosen.found.off
    full = np.zeros_like(information)
    full[use] = weight
    return Fit(
        chosen.warp,
        choices[best],
        off,
        full,
        chosen.found.variance_factor,
        parameters,
        choices[conservative_model],
        (float(centre[0]), float(centre[1])),
        radius,
        candidates[conservative_model],
        blocks,
        Asymmetry.none(),
    )


@dataclass(frozen=True, eq=False)
class _Candidate:
    warp: Warp
    found: RobustFit
    lens: int

    def evidence(self, variance_factor: float) -> float:
        """Log evidence up to what all models share."""
        return self.found.evidence(variance_factor, self.lens)


def _solve(
    warp: Warp,
    points: Array,
    target: Array,
    information: Array,
    centre: Array,
    radius: float,
    parameters: int,
    model: str,
) -> _Candidate:
    names = MODELS[model]
    basis = _design(warp, points, centre, radius, parameters, model)
    count = basis.shape[-1]
    prior = np.zeros((count, count))
    if parameters == 8:
        prior[6:8, 6:8] = np.eye(2) / (PERSPECTIVE_SD * radius) ** 2
    for i, name in enumerate(names, start=parameters):
        prior[i, i] = 1 / warp.lens.prior_sd(name) ** 2
    found = solve(basis, target, information, prior)
    plane = _plane(found.solution[:parameters], centre, radius)
    terms = dict(zip(names, found.solution[parameters:].tolist(), strict=True))
    moved = replace(warp, outer=warp.outer @ plane, lens=warp.lens.with_terms(terms))
    return _Candidate(moved, found, len(names))


def _target(warp: Warp, points: Array, shift: Array) -> Array:
    """(T, 2) displacement that lens and plane together must make, from what the tiles still see.

    With hr = outer(p + d(p)) and a tile that sees the map at p + s: p + s + d(p + s) to first order.
    """
    e = 0.5
    d = warp.lens.displacement
    columns = [(d(points + e * axis) - d(points - e * axis)) / (2 * e) for axis in np.eye(2)]
    slope = np.stack(columns, axis=-1)
    return d(points) + shift + np.einsum("tij,tj->ti", slope, shift)


def _design(warp: Warp, points: Array, centre: Array, radius: float, parameters: int, model: str) -> Array:
    """(T, 2, P) derivative of the displacement by the parameters: of the plane first, then of the lens."""
    moved = points + warp.lens.displacement(points)
    basis = _plane_basis((moved - centre) / radius, parameters)
    names = MODELS[model]
    return np.concatenate([basis, warp.lens.basis(points, names)], axis=-1) if names else basis


def _plane_basis(points: Array, parameters: int) -> Array:
    """(T, 2, P) derivative of the displacement by the motion's parameters at normalised points."""
    x, y = points.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    if parameters == 4:
        return np.stack([np.stack([one, zero, x, -y], -1), np.stack([zero, one, y, x], -1)], 1)
    horizontal = np.stack([one, zero, x, y, zero, zero, x * x, x * y], -1)
    vertical = np.stack([zero, one, zero, zero, x, y, x * y, y * y], -1)
    return np.stack([horizontal, vertical], 1)[:, :, :parameters]


def _plane(p: Array, centre: Array, radius: float) -> Homography:
    """The homography whose first-order displacement is `_plane_basis @ p`, in pixels."""
    a = p / radius
    if len(p) == 4:
        matrix = np.array([[1 + a[2], -a[3], a[0]], [a[3], 1 + a[2], a[1]], [0, 0, 1]])
    else:
        a = np.concatenate([a, np.zeros(8 - len(a))])
        matrix = np.array([[1 + a[2], a[3], a[0]], [a[4], 1 + a[5], a[1]], [-a[6], -a[7], 1]])
    to_pixels = np.array([[radius, 0, centre[0]], [0, radius, centre[1]], [0, 0, 1]])
    return Homography(to_pixels @ matrix @ np.linalg.inv(to_pixels))
