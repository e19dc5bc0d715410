"""A start without features: both photos correlated over all shifts, for some zooms and turns.

For scenes of weak texture, on which SIFT finds too few points. What the correlation likes best is believed
only if the tiles of `votes` agree, each for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import fft

from realdeg.align.coarse import reduced
from realdeg.align.crop import Box
from realdeg.align.homography import Homography
from realdeg.align.votes import Votes, detail, votes
from realdeg.arraytypes import Array

SIDE = 112  # px of the smaller photo's view, on the grid that is searched
LARGEST = 320  # px of LR on that grid
FINEST_PIXELS = 300_000  # of LR on the last grid
ZOOMS = (1.0, 0.96, 1.04, 0.92, 1.08)  # of the expected one
TURNS = (0.0, -3.0, 3.0, -6.0, 6.0)  # degrees
OVERLAP = 0.4  # of the smaller photo's view, for a shift to count
PEAKS = 3  # of the correlation, that tiles are asked about


@dataclass(frozen=True)
class Correlated:
    """A start that correlation found.

    Attributes:
        hr_from_lr: similarity.
        votes: what the tiles say of it.
    """

    hr_from_lr: Homography
    votes: Votes


@dataclass(frozen=True, eq=False)
class _Grid:
    """Both photos on grids of one scale: `detail`s, and where they lie in the photos."""

    lr: Array
    hr: Array
    lr_from_small: Homography
    hr_from_small: Homography

    @classmethod
    def of(cls, lr: Array, hr: Array, zoom: float, ratio: float) -> _Grid:
        small_lr, lr_from_small = reduced(lr, ratio)
        small_hr, hr_from_small = reduced(hr, zoom * lr_from_small.zoom_at((0, 0)))
        return cls(detail(small_lr), detail(small_hr), lr_from_small, hr_from_small)

    def votes(self, hr_from_lr: Homography) -> Correlated:
        """The map after what the tiles say of it."""
        small = self.hr_from_small.inverse() @ hr_from_lr @ self.lr_from_small
        found = votes(self.lr, self.hr, small)
        better = self.hr_from_small @ small @ found.moved @ self.lr_from_small.inverse()
        return Correlated(better if found.agreeing else hr_from_lr, found)


def correlate(lr: Array, hr: Array, zoom: float) -> Correlated | None:
    """Similarity between two photos of a known zoom, give or take 8 %, turned by up to 6 degrees.

    Args:
        lr: (h, w) uint8 luma of the LR photo.
        hr: (H, W) uint8 luma of the HR photo.
        zoom: expected HR px per LR px.

    Returns:
        The start, if its tiles leave no doubt; else None.
    """
    view = min(min(lr.shape), min(hr.shape) / zoom)
    if view < 24:
        return None
    ratio = max(1.0, view / SIDE, max(lr.shape) / LARGEST)
    grid = _Grid.of(lr, hr, zoom, ratio)
    best: Correlated | None = None
    for peak in _peaks(grid):
        found = grid.votes(peak)
        found = grid.votes(found.hr_from_lr)
        if best is None or found.votes.agreeing > best.votes.agreeing:
            best = found
    if best is None or not best.votes.certain:
        return None
    finest = max(1.0, float(np.sqrt(lr.size / FINEST_PIXELS)))
    while ratio > 1.01 * finest:
        ratio = max(ratio / 2, finest)
        best = _Grid.of(lr, hr, zoom, ratio).votes(best.hr_from_lr)
        if not best.votes.certain:
            return None
    return best


def bettered(lr: Array, hr: Array, hr_from_lr: Homography, field: Box) -> Correlated:
    """A start that was found in another way, asked of the tiles of the field and bettered by them.

    Args:
        lr: (h, w) uint8 luma of the LR photo.
        hr: (H, W) uint8 luma of the HR photo.
        hr_from_lr: similarity.
        field: LR box that both photos fill.
    """
    corner = Homography.translation(field.x, field.y)
    part = np.ascontiguousarray(lr[field.slices])
    ratio = max(1.0, float(np.sqrt(part.size / FINEST_PIXELS)))
    found = _Grid.of(part, hr, hr_from_lr.zoom_at(field.centre), ratio).votes(hr_from_lr @ corner)
    return Correlated(found.hr_from_lr @ corner.inverse(), found.votes)


def _peaks(grid: _Grid) -> list[Homography]:
    """The most likely maps hr_from_lr, best first."""
    found: list[tuple[float, Homography]] = []
    for likeness, small in _scores(grid):
        found.append((likeness, grid.hr_from_small @ small @ grid.lr_from_small.inverse()))
    found.sort(key=lambda one: -one[0])
    return [map_ for _, map_ in found[:PEAKS]]


def _scores(grid: _Grid) -> Iterator[tuple[float, Homography]]:
    """For each zoom and turn the best shift: its likeness, and the map between the grids."""
    lr = grid.lr
    height, width = grid.hr.shape
    reach = int(np.ceil(max(ZOOMS) * np.hypot(height, width)))  # of HR on LR's grid, turned
    canvas = min(reach, int(height / min(ZOOMS)) + 24), min(reach, int(width / min(ZOOMS)) + 24)
    size = [fft.next_fast_len(a + b, real=True) for a, b in zip(lr.shape, canvas, strict=True)]
    one = np.ones_like(lr)
    a, a_energy, a_here = (fft.rfft2(i, size) for i in (lr, lr * lr, one))
    middle_hr = np.array([(width - 1) / 2, (height - 1) / 2])
    middle = np.array([(canvas[1] - 1) / 2, (canvas[0] - 1) / 2])
    for zoom in ZOOMS:
        for turn in TURNS:
            c, s = zoom * np.cos(np.radians(turn)), zoom * np.sin(np.radians(turn))
            hr_from_canvas = np.array([[c, -s, 0.0], [s, c, 0.0]])
            hr_from_canvas[:, 2] = middle_hr - hr_from_canvas[:, :2] @ middle
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            there = cv2.warpAffine(np.ones_like(grid.hr), hr_from_canvas, canvas[::-1], flags=flags)
            seen = cv2.warpAffine(grid.hr, hr_from_canvas, canvas[::-1], flags=flags)
            b, b_energy, b_here = (fft.rfft2(i, size).conj() for i in (seen, seen * seen, there))
            cross, energy_a, energy_b, overlap = (
                fft.irfft2(i, size) for i in (a * b, a_energy * b_here, a_here * b_energy, a_here * b_here)
            )
            enough = overlap > OVERLAP * min(lr.size, float(there.sum()))
            energy = np.sqrt(np.maximum(energy_a, 1) * np.maximum(energy_b, 1))
            # Of unlike pictures the likeness scatters by one over the root of the pixels compared.
            likeness = np.where(enough, cross / energy * np.sqrt(np.maximum(overlap, 0)), -1)
            y, x = np.unravel_index(int(likeness.argmax()), likeness.shape)
            right = float(x if x < lr.shape[1] else x - size[1])
            down = float(y if y < lr.shape[0] else y - size[0])
            place = Homography(np.vstack([hr_from_canvas, [0, 0, 1]]))
            yield float(likeness[y, x]), place @ Homography.translation(-right, -down)
