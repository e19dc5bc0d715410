"""Sub-pixel registration on all textured pixels: Gauss-Newton over tiles.

Each tile gives its own displacement with a 2x2 information matrix, after its gain and offset have been
projected out, so exposure and vignetting cannot pull on geometry. A robust fit over the tiles then
finds the common motion, and the tiles that disagree with it (parallax, something that moved) show up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.homography import Homography

Array = npt.NDArray[Any]
Image = npt.NDArray[Any]

TILES_A_SIDE = 16
TILE_PX = (12, 96)
CLIPPED = (3 / 255, 246 / 255)
FLOOR_PX = 0.02  # what a tile may be off for reasons that its noise does not show
CAUCHY = 3.0
MAX_STEP_PX = 1.5
MAX_SD_PX = 0.5
COHERENT_PX = 0.25  # a neighbourhood off by more, and surely so, contradicts the motion
COHERENT_CHI2 = 18.0
PERSPECTIVE_SD = 0.05  # prior of the two perspective terms, in displacement per half diagonal


@dataclass(frozen=True)
class Tiles:
    """Displacements seen by the tiles of one image pair.

    Attributes:
        grid_hw: rows and columns of tiles; T = rows * columns.
        centre: (T, 2) tile centres (x, y), px of the box that was compared.
        shift: (T, 2) displacement u with moving(x + u) = fixed(x), px.
        information: (T, 2, 2) inverse covariance of `shift`, px^-2.
    """

    grid_hw: tuple[int, int]
    centre: Array
    shift: Array
    information: Array

    @property
    def usable(self) -> npt.NDArray[Any]:
        """Tiles with enough texture to fix both components to `MAX_SD_PX`."""
        weakest: Array = np.linalg.eigvalsh(self.information)[:, 0]
        return weakest > 1 / MAX_SD_PX**2


@dataclass(frozen=True)
class Motion:
    """The motion that the tiles agree on.

    Attributes:
        map: moving_from_fixed, in px of the compared box.
        sd: predicted standard deviation of `map` over the box, root mean square over tiles, px.
        disagreeing: share of the usable tiles that contradict `map` together with their neighbours.
        usable: number of usable tiles.
        total: number of tiles.
    """

    map: Homography
    sd: float
    disagreeing: float
    usable: int
    total: int


def tile_shifts(fixed: Image, moving: Image) -> Tiles:
    """Displacement of each tile by one Gauss-Newton step.

    Args:
        fixed: (h, w) float32 in [0, 1], sRGB-encoded grey; LR.
        moving: (h, w) float32, HR drawn on LR's grid at LR's sharpness.
    """
    tile = tile_side(fixed.shape[:2])
    rows, columns = fixed.shape[0] // tile, fixed.shape[1] // tile
    cut = np.s_[: rows * tile, : columns * tile]
    gx = cv2.Scharr(moving, cv2.CV_32F, 1, 0, scale=1 / 32)[cut]
    gy = cv2.Scharr(moving, cv2.CV_32F, 0, 1, scale=1 / 32)[cut]
    weight = valid(fixed, moving)[cut]
    fields = {"f": fixed[cut] - 0.5, "m": moving[cut] - 0.5, "x": gx, "y": gy}

    def total(image: npt.NDArray[Any]) -> Array:
        blocks = image.reshape(rows, tile, columns, tile)
        result: Array = blocks.sum((1, 3), dtype=np.float64).ravel()
        return result

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
        result: Array = c[key] - first * second / energy
        return result

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
    y, x = np.mgrid[:rows, :columns]
    centre = np.stack([x.ravel(), y.ravel()], axis=-1) * tile + (tile - 1) / 2
    return Tiles((rows, columns), centre.astype(np.float64), shift, information)


def tile_side(size_hw: tuple[int, ...]) -> int:
    """Side of the tiles for an image of this size, px."""
    return int(np.clip(min(size_hw[:2]) // TILES_A_SIDE, *TILE_PX))


def valid(fixed: Image, moving: Image) -> Image:
    """(h, w) float32 mask, 0 within 2 px of clipped pixels: clipping moves edges."""
    low, high = CLIPPED
    clipped = (fixed < low) | (fixed > high) | (moving < low) | (moving > high)
    spread = cv2.dilate(clipped.astype(np.uint8), np.ones((5, 5), np.uint8))
    result: Image = (1 - spread).astype(np.float32)
    return result


def common_motion(
    tiles: Tiles, size_hw: tuple[int, ...], *, parameters: int = 8, softness: float = 1.0
) -> Motion | None:
    """Robust fit of one plane motion to the tiles' displacements.

    Args:
        tiles: displacements, from `tile_shifts`.
        size_hw: size of the compared box.
        parameters: 2 (shift), 4 (similarity), 6 (affine) or 8 (homography).
        softness: how many px the fixed image resolves at best, 1 for a sharp one: edges of a soft photo
            wander with contrast and noise by a part of their width, and that is no parallax.

    Returns:
        The motion, or None where fewer usable tiles than parameters are there.
    """
    use = tiles.usable
    if 2 * use.sum() < max(parameters, 4):
        return None
    centre = np.array([(size_hw[1] - 1) / 2, (size_hw[0] - 1) / 2])
    radius = float(np.hypot(*centre))
    basis = _basis((tiles.centre[use] - centre) / radius, parameters)
    shift = np.clip(tiles.shift[use], -MAX_STEP_PX, MAX_STEP_PX)
    covariance = np.linalg.inv(tiles.information[use]) + FLOOR_PX**2 * np.eye(2)
    information = np.linalg.inv(covariance)
    prior = np.zeros((parameters, parameters))
    if parameters == 8:
        prior[6:, 6:] = np.eye(2) / (PERSPECTIVE_SD * radius) ** 2
    weight = np.ones(len(shift))
    solution = np.zeros(parameters)
    for round_ in range(30):
        weighted = information * weight[:, None, None]
        normal = np.einsum("tip,tij,tjq->pq", basis, weighted, basis) + prior
        right = np.einsum("tip,tij,tj->p", basis, weighted, shift)
        before = solution
        solution = np.linalg.lstsq(normal, right, rcond=None)[0]
        off = shift - basis @ solution
        distance2 = np.einsum("ti,tij,tj->t", off, information, off)
        # Errors grow beyond what noise predicts; the scale is read off the better half of the tiles.
        scale2 = max(1.0, float(np.median(distance2)) / 1.386)
        weight = 1 / (1 + distance2 / (scale2 * CAUCHY**2))
        if round_ and np.abs(basis @ (solution - before)).max() < 1e-4:
            break
    errors = np.linalg.pinv(normal) * scale2
    spread = np.einsum("tip,pq,tiq->t", basis, errors, basis)
    return Motion(
        _map(solution, centre, radius),
        float(np.sqrt(np.maximum(spread, 0).mean())),
        _disagreeing(tiles, use, off, information, COHERENT_PX * softness),
        int(use.sum()),
        len(tiles.shift),
    )


def _disagreeing(tiles: Tiles, use: npt.NDArray[Any], off: Array, information: Array, limit: float) -> float:
    """Share of tiles whose 3 x 3 neighbourhood is off by more than `limit` px and than noise explains.

    The noise is read off the differences between neighbours: a scene with parallax moves in patches,
    noise does not, however large it is (soft or noisy LR photos).
    """
    rows, columns = tiles.grid_hw
    weight = np.zeros((rows, columns, 2, 2))
    moment = np.zeros((rows, columns, 2))
    field = np.full((rows, columns, 2), np.nan)
    places = np.flatnonzero(use)
    weight.reshape(-1, 2, 2)[places] = information
    moment.reshape(-1, 2)[places] = np.einsum("tij,tj->ti", information, off)
    field.reshape(-1, 2)[places] = off
    covariance = np.full((rows, columns, 2, 2), np.nan)
    covariance.reshape(-1, 2, 2)[places] = np.linalg.inv(information)
    pairs: list[tuple[Any, Any]] = [(np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])]
    distances = []
    for one, other in pairs:
        step, error = field[one] - field[other], covariance[one] + covariance[other]
        known = np.isfinite(step).all(-1)
        distances.append(np.einsum("ti,ti->t", step[known], _solve(error[known], step[known])))
    between = np.concatenate(distances)
    noise2 = max(1.0, float(np.median(between)) / 1.386) if len(between) else 1.0
    around_weight, around_moment = _box_sum(weight), _box_sum(moment)
    mean = _solve(around_weight.reshape(-1, 2, 2)[places], around_moment.reshape(-1, 2)[places])
    certain = np.einsum("ti,tij,tj->t", mean, around_weight.reshape(-1, 2, 2)[places], mean) / noise2
    return float(((np.hypot(*mean.T) > limit) & (certain > COHERENT_CHI2)).mean())


def _solve(matrices: Array, vectors: Array) -> Array:
    result: Array = np.linalg.solve(matrices, vectors[..., None])[..., 0]
    return result


def _box_sum(field: Array) -> Array:
    """Sum over the 3 x 3 neighbourhood of each tile."""
    padded = np.pad(field, [(1, 1), (1, 1)] + [(0, 0)] * (field.ndim - 2))
    rows, columns = field.shape[:2]
    parts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    total: Array = np.sum(parts, axis=0)
    return total


def _basis(points: Array, parameters: int) -> Array:
    """(T, 2, P) derivative of the displacement by the motion's parameters at normalised points."""
    x, y = points.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    if parameters == 4:
        return np.stack([np.stack([one, zero, x, -y], -1), np.stack([zero, one, y, x], -1)], 1)
    horizontal = np.stack([one, zero, x, y, zero, zero, x * x, x * y], -1)
    vertical = np.stack([zero, one, zero, zero, x, y, x * y, y * y], -1)
    result: Array = np.stack([horizontal, vertical], 1)[:, :, :parameters]
    return result


def _map(p: Array, centre: Array, radius: float) -> Homography:
    """The homography whose first-order displacement is `_basis @ p`, in pixels."""
    a = p / radius
    if len(p) == 4:
        matrix = np.array([[1 + a[2], -a[3], a[0]], [a[3], 1 + a[2], a[1]], [0, 0, 1]])
    else:
        a = np.concatenate([a, np.zeros(8 - len(a))])
        matrix = np.array([[1 + a[2], a[3], a[0]], [a[4], 1 + a[5], a[1]], [-a[6], -a[7], 1]])
    to_pixels = np.array([[radius, 0, centre[0]], [0, radius, centre[1]], [0, 0, 1]])
    return Homography(to_pixels @ matrix @ np.linalg.inv(to_pixels))
