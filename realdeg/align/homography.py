"""Plane maps between photos, on the half-pixel grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array


@dataclass(frozen=True, eq=False)
class Homography:
    """An immutable projective map of the plane, named `a_from_b`; maps compose as `a_from_b @ b_from_c`.

    Points are (x, y) in pixels with pixel centres on integers, so an ideal zoom by s is
    x -> s (x + 1/2) - 1/2 and not s x (`Homography.zoom`).

    Attributes:
        matrix: (3, 3) float64, scaled so that matrix[2, 2] = 1.
    """

    matrix: Array

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-12:
            raise ValueError("a homography is a finite 3x3 matrix with a non-zero last element")
        matrix /= matrix[2, 2]
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def identity(cls) -> Homography:
        """The map that moves nothing."""
        return cls(np.eye(3))

    @classmethod
    def translation(cls, x: float, y: float) -> Homography:
        """The map (x', y') = (x' + x, y' + y)."""
        return cls(np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64))

    @classmethod
    def zoom(cls, s: float) -> Homography:
        """Pixel grid of an image s times as large: x -> s (x + 1/2) - 1/2."""
        shift = (s - 1) / 2
        return cls(np.array([[s, 0, shift], [0, s, shift], [0, 0, 1]], dtype=np.float64))

    def __matmul__(self, other: Homography) -> Homography:
        if not isinstance(other, Homography):
            return NotImplemented  # `Warp` knows how
        return Homography(self.matrix @ other.matrix)

    def inverse(self) -> Homography:
        """The map back.

        Raises:
            ValueError: the map is singular.
        """
        try:
            return Homography(np.linalg.inv(self.matrix))
        except np.linalg.LinAlgError:
            raise ValueError("this homography has no inverse") from None

    def __call__(self, points: npt.ArrayLike) -> Array:
        """Map points (..., 2), x before y."""
        xy = np.asarray(points, dtype=np.float64)
        x, y = xy[..., 0], xy[..., 1]
        (a, b, c), (d, e, f), (g, h, i) = self.matrix.tolist()
        result = np.empty(xy.shape)
        result[..., 0] = a * x + b * y + c
        result[..., 1] = d * x + e * y + f
        if g or h or i != 1:
            result /= (g * x + h * y + i)[..., None]
        return result

    def jacobian(self, point: tuple[float, float]) -> Array:
        """(2, 2) derivative of the map at (x, y)."""
        x, y, w = self.matrix @ np.array([*point, 1.0])
        rows = self.matrix[:2, :2] * w - np.outer([x, y], self.matrix[2, :2])
        return rows / w**2

    def zoom_at(self, point: tuple[float, float]) -> float:
        """Linear magnification at (x, y): square root of the area ratio."""
        return float(np.sqrt(abs(np.linalg.det(self.jacobian(point)))))

    def rotation_at(self, point: tuple[float, float]) -> float:
        """Rotation at (x, y) in degrees, in (-180, 180]; positive turns x towards y."""
        a = self.jacobian(point)
        return float(np.degrees(np.arctan2(a[1, 0] - a[0, 1], a[0, 0] + a[1, 1])))
