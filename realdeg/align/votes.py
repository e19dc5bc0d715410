"""Small tiles that say, each for itself, whether a rough map is right.

Each tile of LR is looked for in HR, drawn on LR's grid by the map, within a few pixels. Under a right map
nearly all are found where a similarity puts them; under a wrong one, however it was found, only some are.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.homography import Homography
from realdeg.arraytypes import Array

TILE = 16  # px
REACH = 4  # px by which a tile is looked for
AGREE_PX = 1.0
CHANCE = 0.12  # that a tile agrees with a wrong map: 0.04 by its area, and edges are found along themselves
TEXTURE = 0.25  # of the locally normalised picture, standard deviation
SMALL, LARGE = 0.8, 5.0  # px: blur that noise asks for, and what is still detail
FLOOR = 1.5  # 8-bit levels of local contrast that count as texture
MAX_TILES = 400


@dataclass(frozen=True, eq=False)
class Votes:
    """What the tiles say of a map.

    Attributes:
        tiles: tiles with texture.
        agreeing: those that were found where one similarity puts them.
        moved: that similarity, on LR's grid: the map is better after it.
    """

    tiles: int
    agreeing: int
    moved: Homography

    @property
    def certain(self) -> bool:
        """Whether chance can be left out of account: less than one wrong map in a million."""
        return chance(self.agreeing, self.tiles) < 1e-6


def chance(agreeing: int, tiles: int) -> float:
    """Probability that so many tiles agree on some similarity under a wrong map, at most 1.

    Any two tiles agree on one; the others then follow by chance.
    """
    from scipy.stats import binom

    if agreeing < 3:
        return 1.0
    return float(min(1.0, tiles**2 / 2 * binom.sf(agreeing - 3, tiles - 2, CHANCE)))


def detail(grey: Array) -> Array:
    """(h, w) float32: the picture without what varies slowly, at equal local contrast."""
    image = grey.astype(np.float32)
    image = cv2.GaussianBlur(image, (0, 0), SMALL)
    image -= cv2.GaussianBlur(image, (0, 0), LARGE)
    energy = cv2.GaussianBlur(image * image, (0, 0), LARGE)
    normalised: Array = image / np.sqrt(energy + FLOOR**2)
    return normalised


def votes(lr: Array, hr: Array, hr_from_lr: Homography) -> Votes:
    """Ask the tiles.

    Args:
        lr: (h, w) float32 `detail` of the LR photo, or of its reduction.
        hr: (H, W) float32 `detail` of the HR photo at about LR's scale.
        hr_from_lr: map between these.
    """
    size = lr.shape[1], lr.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpPerspective(hr, hr_from_lr.matrix, size, flags=flags)
    full = cv2.warpPerspective(np.ones_like(hr), hr_from_lr.matrix, size, flags=flags) > 0.999
    centres, shifts = _found(lr, seen, full)
    count = len(centres)
    if count < 3:
        return Votes(count, 0, Homography.identity())
    matrix, keep = cv2.estimateAffinePartial2D(
        centres,
        centres + shifts,
        method=cv2.RANSAC,
        ransacReprojThreshold=AGREE_PX,
        maxIters=2000,
        confidence=0.999,
    )
    if matrix is None or not np.isfinite(matrix).all():
        return Votes(count, 0, Homography.identity())
    return Votes(count, int(keep.sum()), Homography(np.vstack([matrix, [0, 0, 1]])))


def _found(lr: Array, seen: Array, full: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """(T, 2) centres of the textured tiles, and (T, 2) where each fits best, px beside them."""
    rows, columns = np.nonzero(full)
    if not len(rows):
        return np.zeros((0, 2)), np.zeros((0, 2))
    top, left = rows.min() + REACH, columns.min() + REACH
    high = min(rows.max() + 1 - REACH, lr.shape[0]) - TILE
    wide = min(columns.max() + 1 - REACH, lr.shape[1]) - TILE
    places = [(y, x) for y in range(top, high + 1, TILE) for x in range(left, wide + 1, TILE)]
    if len(places) > MAX_TILES:
        places = [places[i] for i in np.linspace(0, len(places) - 1, MAX_TILES).astype(int)]
    centres, shifts = [], []
    for y, x in places:
        around = np.s_[y - REACH : y + TILE + REACH, x - REACH : x + TILE + REACH]
        tile = lr[y : y + TILE, x : x + TILE]
        if not full[around].all() or min(tile.std(), seen[around].std()) < TEXTURE:
            continue
        fit = cv2.matchTemplate(seen[around], tile, cv2.TM_CCOEFF_NORMED)
        centres.append((x + (TILE - 1) / 2, y + (TILE - 1) / 2))
        shifts.append(_peak(fit) - REACH)
    return np.array(centres).reshape(-1, 2), np.array(shifts).reshape(-1, 2)


def _peak(fit: Array) -> Array:
    """(x, y) of the largest value, by parabolas through its neighbours."""
    y, x = np.unravel_index(int(fit.argmax()), fit.shape)
    at = [float(x), float(y)]
    for axis, (line, i) in enumerate(((fit[y], x), (fit[:, x], y))):
        if 0 < i < len(line) - 1:
            before, here, after = (float(v) for v in line[i - 1 : i + 2])
            bend = before - 2 * here + after
            at[axis] += 0.5 * (before - after) / bend if bend < -1e-9 else 0.0
    return np.array(at)
