"""A robust linear fit to displacements of tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realdeg.align import jackknife
from realdeg.arraytypes import Array

CAUCHY = 3.0
ROUNDS = 30
FEW_TILES = 60
SETTLED_PX = 1e-4


@dataclass(frozen=True, eq=False)
class RobustFit:
    """Solution of a linear model of the tiles' displacements, by Cauchy's weights.

    Attributes:
        solution: (P,) parameters.
        off: (T, 2) displacement that is left of each tile, px.
        distance2: (T,) its square in units of the tile's own noise.
        variance_factor: by how much tiles scatter beyond their own noise (variance ratio, at least 1).
        normals: (T, P, P) share of each tile in the normal matrix.
        rights: (T, P) share of each tile in the right side, from what is left.
        prior: (P, P) inverse covariance expected of the parameters.
    """

    solution: Array
    off: Array
    distance2: Array
    variance_factor: float
    normals: Array
    rights: Array
    prior: Array

    @property
    def normal(self) -> Array:
        """(P, P)."""
        return self.normals.sum(0)

    def loss(self, variance_factor: float) -> float:
        """Negative log likelihood of what is left, up to a constant."""
        return float(0.5 * CAUCHY**2 * np.log1p(self.distance2 / (variance_factor * CAUCHY**2)).sum())

    def evidence(self, variance_factor: float, last: int) -> float:
        """Log evidence of the `last` parameters (Laplace's approximation; MacKay 1992, eq. 5)."""
        if not last:
            return -self.loss(variance_factor)
        prior, terms = self.prior[-last:, -last:], self.solution[-last:]
        posterior = self.normal / variance_factor + self.prior
        # Given the others: the block of the inverse's inverse.
        marginal = np.linalg.inv(np.linalg.pinv(posterior)[-last:, -last:])
        occam = 0.5 * (np.linalg.slogdet(prior)[1] - np.linalg.slogdet(marginal)[1])
        return float(-self.loss(variance_factor) - 0.5 * terms @ prior @ terms + occam)

    def covariance(self, blocks: npt.NDArray[np.int_]) -> Array:
        """(P, P) of the parameters: by the jackknife; where tiles are few, the formal one if larger."""
        formal: Array = np.linalg.pinv(self.normal / self.variance_factor + self.prior)
        found = jackknife.covariance(self.normals, self.rights, self.variance_factor * self.prior, blocks)
        if found is None or (len(blocks) < FEW_TILES and np.trace(found) < np.trace(formal)):
            return formal
        return found


def solve(basis: Array, target: Array, information: Array, prior: Array) -> RobustFit:
    """Iteratively reweighted least squares.

    Args:
        basis: (T, 2, P) derivative of the displacement by the parameters.
        target: (T, 2) displacement, px.
        information: (T, 2, 2) its inverse covariance, px^-2.
        prior: (P, P) inverse covariance expected of the parameters, around zero.
    """
    weight = np.ones(len(target))
    solution, variance_factor = np.zeros(basis.shape[-1]), 1.0
    for round_ in range(ROUNDS):
        weighted = information * weight[:, None, None]
        normals = np.einsum("tip,tij,tjq->tpq", basis, weighted, basis, optimize=True)
        right = np.einsum("tip,tij,tj->p", basis, weighted, target, optimize=True)
        before = solution
        solution = _solved(normals.sum(0) + variance_factor * prior, right)
        off = target - basis @ solution
        distance2 = np.einsum("ti,tij,tj->t", off, information, off, optimize=True)
        # Errors grow beyond what noise predicts; the scale is read off the better half of the tiles.
        variance_factor = max(1.0, float(np.median(distance2)) / 1.386)
        weight = 1 / (1 + distance2 / (variance_factor * CAUCHY**2))
        if round_ and np.abs(basis @ (solution - before)).max() < SETTLED_PX:
            break
    rights = np.einsum("tip,tij,tj->tp", basis, weighted, off, optimize=True)
    return RobustFit(solution, off, distance2, variance_factor, normals, rights, prior)


def _solved(normal: Array, right: Array) -> Array:
    """Solution of the normal equations; the shortest one where the tiles leave a parameter open."""
    try:
        return np.linalg.solve(normal, right)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(normal, right, rcond=None)[0]
