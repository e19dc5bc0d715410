"""The whole map between two photos: homography and lenses, on any grid over LR or HR."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.arraytypes import Array

STEP_PX = 0.5


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
