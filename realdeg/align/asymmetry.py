"""A blur that is not symmetric moves fine detail elsewhere than coarse detail.

Coma, motion, and a decentred lens do that: the phase of their blur is not linear in frequency. All detail
together registers the fine one; a pair is registered when the centroids of both blurs lie together, and that
is where the coarse detail lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from realdeg.align import jackknife
from realdeg.align.homography import Homography
from realdeg.align.robust import solve
from realdeg.align.scene import Scene
from realdeg.align.tiles import Tiles
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array

BLUR = 1.2  # px of a sharp picture; at 2 and more slopes of brightness begin to count
SHARP = 0.6  # blur of a sharp LR photo against HR, px
FLOOR_PX = 0.015
MIN_CHI2 = 20.0  # of two components; pairs with symmetric blurs stay below 8
LEFT = 0.3  # of the shift, what the coarse detail may still hide


@dataclass(frozen=True, eq=False)
class Asymmetry:
    """By how much coarse detail lies elsewhere than all of it.

    Attributes:
        shift: (2,) LR px; zero where it is no more than noise.
        covariance: (2, 2) of what the shift leaves.
    """

    shift: Array
    covariance: Array

    @classmethod
    def none(cls) -> Asymmetry:
        """Both blurs are symmetric, or alike."""
        return cls(np.zeros(2), np.zeros((2, 2)))

    def corrected(self, warp: Warp) -> Warp:
        """The map by the centroids of both blurs."""
        return replace(warp, outer=warp.outer @ Homography.translation(*self.shift))


def asymmetry(scene: Scene, warp: Warp, fine: Tiles) -> Asymmetry:
    """Compare the coarse detail of a registered scene with all of it.

    Args:
        scene: at full sharpness, one LR px a grid px.
        warp: hr_from_lr.
        fine: displacements of all detail under this map.
    """
    blur = BLUR * max(1.0, scene.base / SHARP)
    coarse = replace(scene, fixed=cv2.GaussianBlur(scene.fixed, (0, 0), blur), extra=blur).tiles(warp)
    use = coarse.usable & fine.usable
    if use.sum() < jackknife.MIN_BLOCKS:
        return Asymmetry.none()
    spread = np.linalg.inv(coarse.information[use]) + FLOOR_PX**2 * np.eye(2)
    basis = np.tile(np.eye(2), (int(use.sum()), 1, 1))
    off = coarse.shift[use] - fine.shift[use]
    found = solve(basis, off, np.linalg.inv(spread), np.zeros((2, 2)))
    covariance = found.covariance(jackknife.blocks_of(coarse.grid_hw, np.flatnonzero(use)))
    shift = found.solution
    if shift @ np.linalg.solve(covariance, shift) < MIN_CHI2:
        return Asymmetry.none()
    return Asymmetry(shift, covariance + LEFT**2 * np.outer(shift, shift))
