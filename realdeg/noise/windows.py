"""Places of a photo that may show nothing but noise: its calmest windows in each range of brightness.

They are found on cells of 8 x 8 px, quickly; whether they do show nothing but noise is decided later, from
their spectra and those of all other photos (`realdeg.noise.choice`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from realdeg.arraytypes import Array
from realdeg.noise.spectrum import BANDS, covariance, transform, without_shading
from realdeg.pools.level_function import INTENSITY_BIN

CELL = 8  # px
STRIP = 512  # rows at once, so that what is computed of them fits the cache
PER_TONE = 6  # windows of a photo and a range
CLIPPED = 0.01  # share of pixels at black or white; noise is cut off there
CLIPPED_SPARE = 0.1  # in photos that have no better windows
FAINT = 0.12  # variance, 8-bit levels squared: less is rounding, or a camera that has smoothed all away
UNEVEN = 2.5  # most energy of 16 px against the window's mean: edges, specks
BLOCKY = 6.0  # differences across JPEG's block edges against those elsewhere: noise of JPEG photos has 2 to 6
REASONS = ("clipped", "without noise", "uneven", "blocky")


@dataclass(frozen=True, eq=False)
class Windows:
    """Calm windows of a photo.

    Attributes:
        y, x: (n,) first row and column.
        level: (n, 3) mean of each channel, 8-bit levels.
        bands: (n, BANDS, 3, 3) covariance of the channels in each band of frequency, 8-bit levels squared.
        blocks: (n,) how blocky they are, see `blockiness`.
        sound: whether they may become patches; where no place of a photo may, its calmest ones still tell
            how strong its noise is.
        looked_at: places that were judged.
        refused: how many of them each test refused first.
    """

    y: Array
    x: Array
    level: Array
    bands: Array
    blocks: Array
    sound: bool
    looked_at: int
    refused: dict[str, int]


def calm_windows(pixels: Array, size: int) -> Windows:
    """The calmest windows of a photo, not overlapping, `PER_TONE` in each range of brightness.

    Args:
        pixels: (H, W, 3) uint8 or uint16 RGB.
        size: side of windows, px; a multiple of 16.
    """
    side = size // CELL
    refused = dict.fromkeys(REASONS, 0)
    none = np.zeros(0, int)
    nothing = Windows(
        none, none, np.zeros((0, 3)), np.zeros((0, BANDS, 3, 3)), np.zeros(0), False, 0, refused
    )
    if min(pixels.shape[:2]) < size:
        return nothing
    level, fine, clipped = _cells(pixels)
    mean, energy = _boxes(level, side), _boxes(fine, side)
    good = np.ones(mean.shape, bool)

    def keep(reason: str, passes: Array) -> None:
        refused[reason] += int(np.count_nonzero(good & ~passes))
        good[~passes] = False

    cut = _boxes(clipped, side)
    keep("clipped", cut <= CLIPPED)
    keep("without noise", energy > FAINT)
    keep("uneven", _highest(_boxes(fine, 2), side - 1) <= UNEVEN * energy)
    usable = bool(good.any())
    if not usable:
        good = (cut <= CLIPPED_SPARE) & (energy > FAINT)
    rank = np.where(good, energy + _bend(level, side), np.inf)
    places = _calmest(rank, mean, side)
    if not places:
        return replace(nothing, looked_at=good.size)
    unit = np.float32(255 / np.iinfo(pixels.dtype).max)
    at = CELL * np.array(places)
    windows = np.stack([pixels[y : y + size, x : x + size] for y, x in at]) * unit
    levels = np.einsum("nyxc->nc", windows, dtype=np.float64) / size**2
    residuals = without_shading(windows)
    blocks = blockiness(residuals)
    sound = blocks <= BLOCKY
    refused["blocky"] = int(np.count_nonzero(~sound))
    bands = covariance(transform(residuals[sound]))
    return Windows(
        at[sound, 0], at[sound, 1], levels[sound], bands, blocks[sound], usable, good.size, refused
    )


def _cells(pixels: Array) -> tuple[Array, Array, Array]:
    """(r, c) mean and variance of grey in each cell, 8-bit levels, and the share of clipped pixels."""
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    level, fine, clipped = (np.empty((rows, columns), np.float32) for _ in range(3))
    top = int(np.iinfo(pixels.dtype).max)
    near = top // 255  # sharpening and JPEG leave clipped areas a level off the end
    low, high = np.full(3, near + 1.0), np.full(3, top - near - 1.0)
    for first in range(0, rows * CELL, STRIP):
        part = np.ascontiguousarray(pixels[first : min(first + STRIP, rows * CELL), : columns * CELL])
        into, shape = slice(first // CELL, (first + part.shape[0]) // CELL), (columns, part.shape[0] // CELL)
        grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float32)
        if top > 255:
            grey *= np.float32(255 / top)
        level[into] = cv2.resize(grey, shape, interpolation=cv2.INTER_AREA)
        # A pixel's grey less its cell's: large numbers would drown the variance in float32.
        grey -= cv2.resize(level[into], grey.shape[::-1], interpolation=cv2.INTER_NEAREST)
        fine[into] = cv2.resize(cv2.multiply(grey, grey), shape, interpolation=cv2.INTER_AREA)
        outside = cv2.bitwise_not(cv2.inRange(part, low, high))
        clipped[into] = cv2.resize(outside.astype(np.float32), shape, interpolation=cv2.INTER_AREA) / 255
    return level, fine, clipped


def _boxes(values: Array, side: int) -> Array:
    """(r - side + 1, c - side + 1) means over all boxes of `side` x `side` cells."""
    rows, columns = values.shape[0] - side + 1, values.shape[1] - side + 1
    return cv2.boxFilter(values, -1, (side, side), anchor=(0, 0))[:rows, :columns]


def _highest(values: Array, side: int) -> Array:
    """Largest value in all boxes; shapes as `_boxes`."""
    rows, columns = values.shape[0] - side + 1, values.shape[1] - side + 1
    return cv2.dilate(values, np.ones((side, side), np.uint8), anchor=(0, 0))[:rows, :columns]


def _bend(level: Array, side: int) -> Array:
    """Energy of what a window's cells show beyond a plane: their second differences."""
    padded = cv2.copyMakeBorder(level, 1, 1, 1, 1, cv2.BORDER_REFLECT_101)
    across = padded[1:-1, 2:] + padded[1:-1, :-2] - 2 * level
    down = padded[2:, 1:-1] + padded[:-2, 1:-1] - 2 * level
    return _boxes(across * across + down * down, side)


def _calmest(rank: Array, mean: Array, side: int) -> list[tuple[int, int]]:
    """Places of lowest rank, `PER_TONE` in each range of brightness, none overlapping another."""
    taken: list[tuple[int, int]] = []
    tone = np.minimum(mean / INTENSITY_BIN, 7).astype(int)
    for number in range(8):
        here = np.where(tone == number, rank, np.inf)
        for row, column in taken:
            here[max(0, row - side + 1) : row + side, max(0, column - side + 1) : column + side] = np.inf
        for _ in range(PER_TONE):
            place = int(here.argmin())
            row, column = divmod(place, here.shape[1])
            if not np.isfinite(here[row, column]):
                break
            taken.append((row, column))
            here[max(0, row - side + 1) : row + side, max(0, column - side + 1) : column + side] = np.inf
    return taken


def blockiness(residuals: Array) -> Array:
    """How much more neighbours differ at each eighth pixel than elsewhere; 1: not at all.

    Wherever the grid of blocks lies: a crop may begin anywhere.

    Args:
        residuals: (n, size, size, 3).

    Returns:
        (n,), of grey, mean over rows and columns.
    """
    grey = residuals @ np.ones(3, np.float32)
    ratios = []
    for axis in (1, 2):
        step = np.diff(grey, axis=axis)
        energy = np.einsum("nij,nij->ni" if axis == 1 else "nij,nij->nj", step, step)
        phases = np.stack([energy[:, phase::CELL].mean(1) for phase in range(CELL)], 1)
        highest = phases.max(1)
        ratios.append(highest / np.maximum((phases.sum(1) - highest) / (CELL - 1), 1e-9))
    return np.mean(ratios, axis=0)
