"""Sub-pixel displacements on all textured pixels: one Gauss-Newton step for each tile.

Each tile gives its own displacement with a 2x2 information matrix, after its gain and offset have been
projected out, so exposure and vignetting cannot pull on geometry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array, Image

TILES_A_SIDE = 16
TILE_PX = (12, 96)
MAX_SD_PX = 0.5
TEXTURED = 8.0  # variance of a texture that noise cannot make, in units of the noise's
UNLIKE = 0.5  # correlation below which two textures are different ones


@dataclass(frozen=True)
class Tiles:
    """Displacements seen by the tiles of one image pair.

    Attributes:
        grid_hw: rows and columns of tiles; T = rows * columns.
        centre: (T, 2) tile centres (x, y), px of the box that was compared.
        shift: (T, 2) displacement u with moving(x + u) = fixed(x), px.
        information: (T, 2, 2) inverse covariance of `shift`, px^-2.
        unlike: (T,) tiles in which one picture has texture well above noise and the other shows something
            else: what moved too far to be followed.
    """

    grid_hw: tuple[int, int]
    centre: Array
    shift: Array
    information: Array
    unlike: npt.NDArray[np.bool_]

    @property
    def side(self) -> int:
        """Side of a tile, px: the first one's centre is in its middle."""
        return int(2 * self.centre[0, 0] + 1)

    @property
    def usable(self) -> npt.NDArray[Any]:
        """Tiles with enough texture to fix both components to `MAX_SD_PX`."""
        return weakest(self.information) > 1 / MAX_SD_PX**2

    def moved(self, by: Array) -> Tiles:
        """The same tiles with `by` (T, 2) px added to their displacements."""
        return replace(self, shift=self.shift + by)


def tile_shifts(fixed: Image, moving: Image, usable: Image) -> Tiles:
    """Displacement of each tile by one Gauss-Newton step.

    Args:
        fixed: (h, w) float32, sRGB-encoded grey without its slow part; LR.
        moving: (h, w) float32, HR drawn on LR's grid at LR's sharpness, likewise.
        usable: (h, w) float32, 0 for pixels that do not count.
    """
    tile = tile_side(fixed.shape[:2])
    rows, columns = fixed.shape[0] // tile, fixed.shape[1] // tile
    cut = np.s_[: rows * tile, : columns * tile]
    gx = cv2.Scharr(moving, cv2.CV_32F, 1, 0, scale=1 / 32)[cut]
    gy = cv2.Scharr(moving, cv2.CV_32F, 0, 1, scale=1 / 32)[cut]
    weight = usable[cut]
    fields = {"f": fixed[cut], "m": moving[cut], "x": gx, "y": gy}

    def total(image: npt.NDArray[Any]) -> Array:
        """(T,) sums over the tiles; OpenCV's area means are exact for whole factors, and fast."""
        mean = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
        return mean.astype(np.float64).ravel() * tile**2

    n = np.maximum(total(weight), 1.0)
    weighted = {name: field * weight for name, field in fields.items()}
    mean = {name: total(field) / n for name, field in weighted.items()}
    pairs = ["mm", "mf", "mx", "my", "ff", "fx", "fy", "xx", "xy", "yy"]
    c = {p: total(weighted[p[0]] * fields[p[1]]) - n * mean[p[0]] * mean[p[1]] for p in pairs}

    energy = np.maximum(c["mm"], 1e-9 * n)
    gain = np.clip(c["mf"] / energy, 0.2, 5.0)

    def beside(a: str, b: str) -> Array:
        """Covariance of two fields after the moving image's own share is projected out."""
        key = a + b if a + b in c else b + a
        first, second = (c["m" + name] for name in (a, b))
        return c[key] - first * second / energy

    normal = np.stack(
        [beside("x", "x"), beside("x", "y"), beside("x", "y"), beside("y", "y")], axis=-1
    ).reshape(-1, 2, 2)
    normal *= (gain**2)[:, None, None]
    right = np.stack([beside("f", "x"), beside("f", "y")], axis=-1) * gain[:, None]
    damped = normal + 1e-7 * n[:, None, None] * np.eye(2)
    shift = np.linalg.solve(damped, right[..., None])[..., 0]
    residual = np.maximum(beside("f", "f") - (shift * right).sum(-1), 0) / np.maximum(n - 4, 1)
    variance = residual + (0.5 / 255) ** 2
    information = normal / variance[:, None, None]
    information[n < 0.3 * tile * tile] = 0
    likeness = c["mf"] / np.sqrt(np.maximum(c["mm"] * c["ff"], 1e-12 * n**2))
    seen = (weakest(information) > 1 / MAX_SD_PX**2) & (n >= 0.3 * tile * tile)
    noise = float(np.median(residual[seen])) if seen.any() else np.inf
    textured = np.maximum(c["mm"], c["ff"]) / n > TEXTURED * (noise + (0.5 / 255) ** 2)
    unlike = textured & (likeness < UNLIKE) & (n >= 0.3 * tile * tile)
    y, x = np.mgrid[:rows, :columns]
    centre = np.stack([x.ravel(), y.ravel()], axis=-1) * tile + (tile - 1) / 2
    return Tiles((rows, columns), centre.astype(np.float64), shift, information, unlike)


def tile_side(size_hw: tuple[int, ...]) -> int:
    """Side of the tiles for an image of this size, px."""
    return int(np.clip(min(size_hw[:2]) // TILES_A_SIDE, *TILE_PX))


def weakest(information: Array) -> Array:
    """(T,) information along the direction that is known least, px^-2."""
    return np.linalg.eigvalsh(information)[:, 0]
