"""The grid that a pair was made on: the shift each convention leaves, and whether it is the one measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from realdeg.arraytypes import Array
from realdeg.check.geometry import Geometry

TOLERANCE = 0.03  # LR px: what good pairs of others are off by, however sure the measurement is
SIGMAS = 3.0
LEAST_OF_SET = 3  # pairs that speak for a set
MOST_OF_SET = 0.6  # share of its pairs that are where the set is
OF_SET = 0.02  # LR px: what sets of others are off by as a whole


@dataclass(frozen=True)
class Grid:
    """A convention of where LR's pixels lie in HR.

    Attributes:
        name: of the convention.
        shift: of HR's content against LR's along both axes, LR px, were HR taken as on the centre grid.
        slope: what the shift gains from one end of a side to the other.
    """

    name: str
    shift: float
    slope: float = 0.0


def grids(scale: int) -> tuple[Grid, ...]:
    """The conventions in use, of which the centre grid is ours.

    LR's pixel i covers HR's s i to s i + s - 1, so that its centre is s i + (s - 1) / 2. Whoever takes every
    s-th pixel from the first on is off by (s - 1) / 2 HR px; from the last of each block on by as much the
    other way; from the middle one of an even s by half a pixel; and `align_corners` puts the outermost
    pixels' centres over each other, which is off by (s - 1) / 2 at the ends.
    """
    off = (scale - 1) / 2 / scale
    found = [Grid("centre", 0.0)]
    if scale > 1:
        found += [Grid("top-left", -off), Grid("bottom-right", off), Grid("align_corners", 0.0, 2 * off)]
    if scale % 2 == 0 and scale > 2:
        found += [Grid("middle, rounded up", 0.5 / scale), Grid("middle, rounded down", -0.5 / scale)]
    return tuple(found)


@dataclass(frozen=True)
class Placed:
    """The shift of a set of pairs, and the convention that it comes from.

    Attributes:
        shift: (x, y) median over the pairs, LR px.
        sd: its standard deviation.
        pairs: that were measured.
        agreeing: share of them that lie where the set lies.
        grid: name of the convention; "" where the shift is none of them.
        beyond: whether the shift is beyond noise, and common to the set.
    """

    shift: tuple[float, float]
    sd: float
    pairs: int
    agreeing: float
    grid: str
    beyond: bool


def of_pair(found: Geometry, scale: int) -> str:
    """The convention that a pair was made on, by its shift alone; "" where none fits, or several do.

    One that is not the centre is named where the shift agrees with it and is beyond noise.
    """
    room = SIGMAS * found.shift_sd + TOLERANCE * found.softness
    fitting = []
    for grid in grids(scale):
        off = np.abs(np.array(found.shift) - grid.shift).max()
        slopes = np.abs(np.diag(found.linear) - grid.slope).max()
        straight = slopes < max(SIGMAS * found.linear_sd + 2 * TOLERANCE, 0.25 * _largest_slope(scale))
        sure = grid.name == "centre" or room <= max(abs(grid.shift), grid.slope / 2) / 2
        if off <= room and straight and sure:
            fitting.append(grid)
    return fitting[0].name if len(fitting) == 1 else ""


def _largest_slope(scale: int) -> float:
    return (scale - 1) / scale


def of_set(shifts: Array, sds: Array, slopes: Array, scale: int) -> Placed | None:
    """The convention that a set was made on.

    Args:
        shifts: (N, 2) of its pairs, LR px.
        sds: (N,) their standard deviations.
        slopes: (N, 2) what the shift gains along x and y.
        scale: HR size / LR size.

    Returns:
        None of fewer than three pairs.
    """
    if len(shifts) < LEAST_OF_SET:
        return None
    middle, slope = np.median(shifts, axis=0), np.median(slopes, axis=0)
    scatter = 1.4826 * np.median(np.abs(shifts - middle), axis=0).max()
    sd = max(float(1.25 * np.hypot(scatter, np.median(sds)) / np.sqrt(len(shifts))), 0.002)
    room = SIGMAS * np.hypot(sds, scatter) + TOLERANCE
    agreeing = float((np.abs(shifts - middle).max(1) <= room).mean())
    near = SIGMAS * sd + OF_SET
    fitting = [
        grid
        for grid in grids(scale)
        if np.abs(middle - grid.shift).max() <= near
        and np.abs(slope - grid.slope).max() <= max(near, 0.25 * _largest_slope(scale))
    ]
    common = float(scatter) < max(2 * OF_SET, 0.25 * float(np.abs(middle).max()))
    beyond = float(np.abs(middle).max()) > near and agreeing >= MOST_OF_SET and common
    name = fitting[0].name if len(fitting) == 1 else ""
    if name == "align_corners":
        beyond = agreeing >= MOST_OF_SET
    return Placed((float(middle[0]), float(middle[1])), sd, len(shifts), agreeing, name, beyond)


def in_words(placed: Placed, scale: int) -> str:
    """A line about where a set lies; "" where it lies on the centre grid, or not all of it elsewhere."""
    if not placed.beyond:
        return ""
    x, y = (scale * one for one in placed.shift)
    if placed.grid == "align_corners":
        off = (scale - 1) / 2
        return (
            f"the set was reduced with align_corners: at the borders HR is {off:g} HR px off; reduce it "
            "again, or register it"
        )
    where = f"HR's content lies ({x:+.2f}, {y:+.2f}) HR px beside LR's, +- {scale * placed.sd:.2f}"
    named = f"as on a {placed.grid} grid" if placed.grid else "as on no grid that is in use"
    return f"{where}, on {placed.agreeing:.0%} of {placed.pairs} pairs: {named}; `regrid` mends it"


def rows(found: Sequence[Geometry]) -> tuple[Array, Array, Array]:
    """Shifts, their standard deviations and slopes of pairs, as `of_set` takes them."""
    shifts = np.array([one.shift for one in found]).reshape(-1, 2)
    slopes = np.array([np.diag(one.linear) for one in found]).reshape(-1, 2)
    return shifts, np.array([one.shift_sd for one in found]), slopes
