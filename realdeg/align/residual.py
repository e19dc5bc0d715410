"""How well a finished pair is registered, measured by a method that registration does not use.

Registration minimises tile residuals of HR blurred and drawn on LR's grid. Here the pair as written is
reduced with the MATLAB bicubic operator, and corners are tracked between both by pyramidal
Lucas-Kanade (OpenCV), there and back again; each cell of a grid of up to 12 x 12 votes with its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.imaging.resample import resize

GRID = 12
WINDOW = (31, 31)
CELL_PX = 24
CORNERS_A_CELL = 24
MAX_ROUND_TRIP_PX = 0.1
MIN_CELLS = 6


@dataclass(frozen=True)
class Residual:
    """Displacement left in a pair, LR px.

    Attributes:
        p95: 95th percentile over the grid's cells; what a pair is judged by.
        median: median over the cells.
        mean_x, mean_y: mean displacement of HR against LR: a shift that p95 alone would not show.
        zncc: zero-mean normalised cross-correlation of LR and reduced HR.
        cells: number of cells that had corners to track.
    """

    p95: float
    median: float
    mean_x: float
    mean_y: float
    zncc: float
    cells: int


def measure(lr: npt.NDArray[Any], hr: npt.NDArray[Any], scale: int) -> Residual | None:
    """Residual of a pair.

    Args:
        lr: (h, w, 3) uint8 or uint16.
        hr: (scale*h, scale*w, 3) of the same kind.
        scale: HR size / LR size.

    Returns:
        The figures, or None where fewer than six cells have anything to track.
    """
    small = _grey8(lr)
    reduced = resize(_grey8(hr).astype(np.float32), 1 / scale)
    seen = np.clip(np.rint(reduced), 0, 255).astype(np.uint8)
    a, b = small.astype(np.float64), seen.astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    zncc = float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
    height, width = small.shape
    grid_y, grid_x = (int(np.clip(side // CELL_PX, 4, GRID)) for side in (height, width))
    cells = []
    for row in range(grid_y):
        for column in range(grid_x):
            top, bottom = row * height // grid_y, (row + 1) * height // grid_y
            left, right = column * width // grid_x, (column + 1) * width // grid_x
            found = cv2.goodFeaturesToTrack(small[top:bottom, left:right], CORNERS_A_CELL, 0.05, 3)
            if found is not None:
                cells.append(found.reshape(-1, 2) + np.array([left, top], np.float32))
    if not cells:
        return None
    points = np.concatenate(cells).astype(np.float32).reshape(-1, 1, 2)
    cell_of = np.repeat(np.arange(len(cells)), [len(cell) for cell in cells])
    options: dict[str, Any] = {
        "winSize": WINDOW,
        "maxLevel": 2,
        "criteria": (3, 60, 1e-4),
        "minEigThreshold": 1e-3,
    }
    there, ok_there, _ = cv2.calcOpticalFlowPyrLK(small, seen, points, None, **options)
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(seen, small, there, None, **options)
    round_trip = np.hypot(*(back - points).reshape(-1, 2).T)
    good = ok_there.ravel().astype(bool) & ok_back.ravel().astype(bool) & (round_trip < MAX_ROUND_TRIP_PX)
    moved = (there - points).reshape(-1, 2)
    means = [moved[good & (cell_of == i)].mean(0, dtype=np.float64) for i in np.unique(cell_of[good])]
    if len(means) < MIN_CELLS:
        return None
    shifts = np.array(means)
    size = np.hypot(*shifts.T)
    return Residual(
        float(np.percentile(size, 95)),
        float(np.median(size)),
        float(shifts[:, 0].mean()),
        float(shifts[:, 1].mean()),
        zncc,
        len(means),
    )


def _grey8(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return grey if grey.dtype == np.uint8 else (grey >> 8).astype(np.uint8)
