"""Truth: displacements that the tests put in."""

import numpy as np
import pytest

from realdeg.align.agreement import COHERENT_PX, contradicting

GRID = (12, 16)


def tiles(sd=0.05, seed=0):
    """Noise around no displacement, and its inverse covariance."""
    rng = np.random.default_rng(seed)
    off = sd * rng.standard_normal((GRID[0] * GRID[1], 2))
    return off, np.tile(np.eye(2) / sd**2, (len(off), 1, 1))


def patch(rows, columns):
    where = np.zeros(GRID, bool)
    where[rows, columns] = True
    return where.ravel()


@pytest.mark.parametrize("sd", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_parallax(sd, seed):
    assert not contradicting(GRID, *tiles(sd, seed)).any()


@pytest.mark.parametrize("seed", range(3))
def test_nor_is_noise_stronger_than_stated(seed):
    """Soft photos: the tiles scatter by 0.5 px where they claim 0.1."""
    off, information = tiles(0.5, seed)
    assert contradicting(GRID, off, 25 * information).mean() < 0.02


def test_a_patch_that_moved_is_found_and_nothing_else():
    off, information = tiles()
    moved = patch(slice(3, 8), slice(5, 11))
    off[moved] += (0.6, -0.3)
    found = contradicting(GRID, off, information)
    assert found[moved].mean() > 0.9
    core = patch(slice(2, 9), slice(4, 12))  # neighbours of the patch may be drawn in
    assert not found[~core].any()


def test_small_motion_is_let_through_and_the_limit_is_a_choice():
    off, information = tiles(0.02)
    off[patch(slice(3, 8), slice(5, 11))] += (0.7 * COHERENT_PX, 0)
    assert not contradicting(GRID, off, information).any()
    assert contradicting(GRID, off, information, limit=0.5 * COHERENT_PX).any()


def test_a_single_odd_tile_does_not_count():
    off, information = tiles()
    off[5 * 16 + 7] += (1.2, 0)
    assert not contradicting(GRID, off, information).any()


def test_tiles_without_a_say_are_left_out():
    off, information = tiles()
    moved = patch(slice(3, 8), slice(5, 11))
    off[moved] += (0.6, -0.3)
    silent = patch(slice(0, 12), slice(8, 16))
    off[silent], information[silent] = np.nan, 0
    found = contradicting(GRID, off, information)
    assert not found[silent].any()
    assert found[moved & ~silent].any()
    off[:] = np.nan
    assert not contradicting(GRID, off, information).any()
