"""Truth: pairs that were displaced, or reduced on a known grid, here."""

import cv2
import numpy as np
import pytest

from realdeg.check import geometry, grid
from realdeg.check.moved import drawable, moved


@pytest.mark.parametrize("scale", [2, 4])
def test_the_grid_is_named_with_its_shift(photo, taken, scale):
    hr = photo()
    good = geometry.look(taken(hr, scale), hr, scale)
    assert np.hypot(*good.shift) < 0.02
    assert good.sure_error < 0.05
    assert grid.of_pair(good, scale) == "centre"
    off = geometry.look(taken(hr, scale, top_left=True), hr, scale)
    np.testing.assert_allclose(off.shift, -(scale - 1) / 2 / scale, atol=0.02)
    assert abs(off.shift[0] + (scale - 1) / 2 / scale) < 4 * off.shift_sd
    assert grid.of_pair(off, scale) == "top-left"


def test_a_far_shift_is_found_and_told_in_all_figures(photo, taken):
    hr = photo()
    there = np.roll(hr, (-8, 20), axis=(0, 1))  # content goes right by 20 HR px, and up by 8
    found = geometry.look(taken(hr, 4), there, 4)
    np.testing.assert_allclose(found.shift, (5, -2), atol=0.05)
    assert found.residual.p95 == pytest.approx(np.hypot(5, 2), abs=0.2)
    assert grid.of_pair(found, 4) == ""


def test_align_corners_is_a_slope_and_no_shift(photo):
    hr = photo()
    height, width = (side // 4 for side in hr.shape[:2])
    x, y = (np.linspace(0, 4 * n - 1, n, dtype=np.float32) for n in (width, height))
    lr = cv2.remap(cv2.GaussianBlur(hr, (0, 0), 2), *np.meshgrid(x, y), cv2.INTER_LANCZOS4)
    found = geometry.look(lr, hr, 4)
    assert np.hypot(*found.shift) < 0.03
    np.testing.assert_allclose(np.diag(found.linear), 0.75, atol=0.2)  # held back by the windows
    assert grid.of_pair(found, 4) == "align_corners"


def test_pictures_of_one_size_are_measured_on_what_the_soft_one_shows(photo):
    hr = photo()
    soft = cv2.GaussianBlur(hr, (0, 0), 1.8)
    there = geometry.look(moved(soft, drawable((0.75, -0.5))), hr, 1)
    assert there.softness > 2
    np.testing.assert_allclose(there.shift, (0.75, -0.5), atol=0.03)
    assert grid.of_pair(there, 1) == ""


def test_what_moves_on_its_own_is_no_shift(photo, taken):
    hr = photo()
    torn = hr.copy()
    torn[:, 100:220] = np.roll(hr, 6, axis=1)[:, 100:220]
    found = geometry.look(taken(hr, 4), torn, 4)
    assert 0.15 < found.beside < 0.5
    assert np.hypot(*found.shift) < 0.15
    assert geometry.look(taken(hr, 4), hr, 4).beside == 0


def test_a_blank_wall_tells_nothing():
    wall = np.full((256, 256, 3), 128, np.uint8)
    assert geometry.look(wall[::4, ::4], wall, 4) is None


def at(shift, sd=0.01, count=20, seed=0):
    drawn = np.random.default_rng(seed).normal(shift, sd, (count, 2))
    return drawn, np.full(count, sd), np.zeros((count, 2))


def test_a_set_is_named_by_all_of_its_pairs():
    found = grid.of_set(*at(-0.375), 4)
    assert (found.grid, found.beyond) == ("top-left", True)
    assert "(-1.5" in grid.in_words(found, 4)
    centred = grid.of_set(*at(0.0), 4)
    assert (centred.grid, centred.beyond, grid.in_words(centred, 4)) == ("centre", False, "")
    nowhere = grid.of_set(*at(0.21), 4)
    assert (nowhere.grid, nowhere.beyond) == ("", True)


def test_pairs_that_disagree_are_no_set():
    mixed = [np.concatenate(parts) for parts in zip(at(-0.375, count=10), at(0.3, count=9), strict=True)]
    assert not grid.of_set(*mixed, 4).beyond
    assert grid.of_set(*at(-0.375, count=2), 4) is None


def test_moving_there_and_back_is_exact_to_what_lanczos_keeps(photo):
    """Truth: whole pixels, which interpolation leaves alone; and the way back."""
    hr = cv2.GaussianBlur(photo(), (0, 0), 1)
    np.testing.assert_array_equal(moved(hr, (3.0, -2.0))[10:-10, 10:-10], hr[8:-12, 13:-7])
    back = moved(moved(hr, (1.5, -1.5)), (-1.5, 1.5)).astype(int)
    assert np.abs(back - hr)[10:-10, 10:-10].mean() < 0.4
