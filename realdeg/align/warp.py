"""The whole map between two photos: homography and lenses, on any grid over LR or HR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.arraytypes import Array

STEP_PX = 0.5
KNOT_PX = 64.0  # strong lenses are then interpolated to 2e-4 px
MIN_KNOTS = 12


@dataclass(frozen=True, eq=False)
class Warp:
    """hr_from_grid: grid -> LR photo (`inner`), lens displacement there, then the plane (`outer`).

    Composes with homographies from both sides, so crops and pyramid levels of either photo are
    `Homography @ warp @ Homography`.

    Attributes:
        outer: HR pixels from undistorted LR pixels.
        lens: displacement over LR pixels.
        inner: LR pixels from the grid's.
    """

    outer: Homography
    lens: Lens
    inner: Homography

    @classmethod
    def plain(cls, homography: Homography) -> Warp:
        """A homography without distortion."""
        return cls(homography, Lens.none(), Homography.identity())

    def __matmul__(self, other: Homography) -> Warp:
        return replace(self, inner=self.inner @ other)

    def __rmatmul__(self, other: Homography) -> Warp:
        return replace(self, outer=other @ self.outer)

    def __call__(self, points: npt.ArrayLike) -> Array:
        """Map points (..., 2), x before y."""
        lr = self.inner(points)
        return self.outer(lr + self.lens.displacement(lr)) if self.lens.terms else self.outer(lr)

    def on_grid(self, columns: Array, rows: Array) -> Array:
        """(rows, columns, 2) float32 of the map at all crossings of columns (x) and rows (y).

        What a lens adds is smooth: it is taken at some places and between them by cubics. The rest is
        separable.
        """
        (a, b, c), (d, e, f), (g, h, i) = self.inner.matrix.tolist()
        x, y = columns[None, :], rows[:, None]
        if g or h or i != 1:  # the grid is turned out of the picture's plane, which no caller does
            return self(np.stack(np.meshgrid(columns, rows), axis=-1)).astype(np.float32)
        px, py = a * x + (b * y + c), d * x + (e * y + f)
        if self.lens.terms:
            added = _between(columns, rows, lambda points: self.lens.displacement(self.inner(points)))
            px, py = px + added[..., 0], py + added[..., 1]
        (a, b, c), (d, e, f), (g, h, i) = self.outer.matrix.tolist()
        result = np.empty((len(rows), len(columns), 2), np.float32)
        below = 1 / (g * px + h * py + i) if g or h or i != 1 else 1.0
        result[..., 0] = (a * px + b * py + c) * below
        result[..., 1] = (d * px + e * py + f) * below
        return result

    def ahead(self, points: Array) -> Array:
        """(...,) positive where a point lies in front of the camera: elsewhere the map is meaningless."""
        lr = self.inner(points)
        lr = lr + self.lens.displacement(lr)
        return lr @ self.outer.matrix[2, :2] + self.outer.matrix[2, 2]

    def jacobian(self, points: npt.ArrayLike) -> Array:
        """(..., 2, 2) derivative of the map at points (..., 2)."""
        at = np.asarray(points, dtype=np.float64)
        columns = [(self(at + STEP_PX * e) - self(at - STEP_PX * e)) / (2 * STEP_PX) for e in np.eye(2)]
        return np.stack(columns, axis=-1)

    def zoom_at(self, point: tuple[float, float]) -> float:
        """Linear magnification at (x, y): square root of the area ratio."""
        return float(np.sqrt(abs(np.linalg.det(self.jacobian(point)))))

    def rotation_at(self, point: tuple[float, float]) -> float:
        """Rotation at (x, y) in degrees, in (-180, 180]; positive turns x towards y."""
        a = self.jacobian(point)
        return float(np.degrees(np.arctan2(a[1, 0] - a[0, 1], a[0, 0] + a[1, 1])))

    def inverse(self, points: npt.ArrayLike) -> Array:
        """Grid points (..., 2) of HR points, by Newton's method to 1e-6 px."""
        hr = np.asarray(points, dtype=np.float64)
        at = (self.outer @ self.inner).inverse()(hr)
        for _ in range(8):
            step = np.linalg.solve(self.jacobian(at), (hr - self(at))[..., None])[..., 0]
            at = at + step
            if np.abs(step).max(initial=0) < 1e-6:
                break
        return at


def _between(columns: Array, rows: Array, field: Callable[[Array], Array]) -> Array:
    """(rows, columns, 2) of a smooth field, from its values on a coarser grid by cubic Lagrange weights."""
    knots, weights = zip(*(_cubic(places) for places in (columns, rows)), strict=True)
    coarse = field(np.stack(np.meshgrid(*knots), axis=-1))
    return np.stack([weights[1] @ coarse[..., i] @ weights[0].T for i in range(2)], axis=-1)


def _cubic(places: Array) -> tuple[Array, Array]:
    """Knots over ascending places, and the (N, K) weights by which values at the knots are interpolated."""
    low, high = float(places[0]), float(places[-1])
    count = max(MIN_KNOTS, int(np.ceil((high - low) / KNOT_PX)) + 1)
    knots = np.linspace(low, max(high, low + 3.0), count)
    step = knots[1] - knots[0]
    first = np.clip(((places - low) / step).astype(int) - 1, 0, count - 4)
    t = (places - low) / step - first
    weights = np.zeros((len(places), count))
    row = np.arange(len(places))
    weights[row, first] = -(t - 1) * (t - 2) * (t - 3) / 6
    weights[row, first + 1] = t * (t - 2) * (t - 3) / 2
    weights[row, first + 2] = -t * (t - 1) * (t - 3) / 2
    weights[row, first + 3] = t * (t - 1) * (t - 2) / 6
    return knots, weights
