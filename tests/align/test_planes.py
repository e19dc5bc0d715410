"""Truth: maps and steps that the tests put in, seen by tiles with known noise."""

import numpy as np
import pytest

from realdeg.align.fit import fit
from realdeg.align.homography import Homography
from realdeg.align.lens import MODELS, Lens
from realdeg.align.planes import dominant, two_motions
from realdeg.align.tiles import Tiles
from realdeg.align.warp import Warp

SIDE, ROWS, COLUMNS = 24, 14, 18
CORNER = (10, 6)
LENS = Lens((216.0, 168.0), 270.0, (210.0, 170.0), 190.0, {})
START = Warp(Homography.zoom(2.0), LENS, Homography.identity())
NOISE = 0.04


def tiles_of(displacement, seed, step=(0.0, 0.0), other=None):
    """Tiles that see a displacement field over LR, and a step of it in some of them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ROWS, :COLUMNS]
    centre = np.stack([x.ravel(), y.ravel()], -1) * SIDE + (SIDE - 1) / 2.0
    shift = displacement(centre + CORNER) + NOISE * rng.standard_normal(centre.shape)
    if other is not None:
        shift = shift + other[:, None] * np.array(step)
    information = np.tile(np.eye(2) / NOISE**2, (len(centre), 1, 1))
    return Tiles((ROWS, COLUMNS), centre, shift, information, np.zeros(len(shift), bool))


def lens(**terms):
    return LENS.with_terms(terms).displacement


def columns(first, last):
    """(T,) the tiles of some columns."""
    return np.tile((np.arange(COLUMNS) >= first) & (np.arange(COLUMNS) < last), ROWS)


def smooth(tiles):
    return fit(tiles, START, CORNER, models=tuple(MODELS))


@pytest.mark.parametrize(
    ("size", "other"),
    [(0.3, columns(12, 18)), (0.5, columns(12, 18)), (1.0, columns(0, 6)), (0.4, columns(8, 10))],
)
def test_a_step_is_found_and_the_larger_plane_registered(size, other):
    step = size * np.array([0.6, -0.8])
    tiles = tiles_of(lens(radial_lr=1.5), 3, step, other)
    split = two_motions(tiles, START, CORNER, smooth(tiles))
    assert split is not None
    assert (split.other == other).mean() > 0.97
    # The map of the larger plane is extrapolated to where the other one is.
    assert np.hypot(*(split.step - step)) < 0.12
    points = tiles.centre + CORNER
    found = dominant(split, tiles, START, CORNER)
    off = np.hypot(*(START.inverse(found.warp(points)) - points - lens(radial_lr=1.5)(points)).T)
    assert np.percentile(off[~other], 95) < 0.04
    # The tiles of the other plane are said to be off, not left out.
    assert np.median(np.hypot(*found.residual_shift[other].T)) == pytest.approx(size, abs=0.06)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "field", [lens(), lens(radial_lr=3.0), lens(bend_x=0.8, tilt_x=-0.5), lens(radial_lr=2.0, bend_y=0.6)]
)
def test_a_lens_is_no_step(seed, field):
    tiles = tiles_of(field, seed)
    assert two_motions(tiles, START, CORNER, smooth(tiles)) is None


def test_a_few_tiles_that_are_off_are_no_plane():
    other = np.random.default_rng(0).uniform(size=ROWS * COLUMNS) < 0.08
    tiles = tiles_of(lens(), 1, (0.6, 0.3), other)
    assert two_motions(tiles, START, CORNER, smooth(tiles)) is None
