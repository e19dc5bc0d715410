"""Truth: geometry worked out by hand, and brute force over all rectangles."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from realdeg.align.crop import Box, _largest_rectangle, common_field, draw
from realdeg.align.homography import Homography


def test_a_perfect_zoom_shares_the_whole_photo():
    assert common_field((50, 60), (100, 120), Homography.zoom(2)) == Box(0, 0, 60, 50)


def test_a_tele_photo_shares_its_own_field():
    """HR of 100 x 80 at zoom 4 covers 25 x 20 LR px, from (30, 10) on."""
    hr_from_lr = Homography.zoom(4) @ Homography.translation(-30, -10)
    assert common_field((80, 100), (80, 100), hr_from_lr) == Box(30, 10, 25, 20)


@pytest.mark.parametrize("turn", [0.0, 1.0, 20.0, 45.0, 90.0])
def test_every_pixel_of_the_field_lies_in_hr(turn):
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    middle = Homography.translation(150, 100) @ Homography(rotation) @ Homography.translation(-60, -40)
    field = common_field((300, 300), (200, 300), middle @ Homography.zoom(1), margin=3)
    assert field.width > 60
    assert field.height > 60
    mapped = middle(field.corners + np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]))
    assert (mapped >= 2.5 - 1e-9).all()
    assert (mapped <= np.array([296.5, 196.5]) + 1e-9).all()


def test_photos_that_do_not_overlap_share_nothing():
    assert common_field((50, 50), (50, 50), Homography.translation(200, 0)) is None


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=5, max_size=5))
@settings(max_examples=200)
def test_largest_rectangle_is_the_largest(rows):
    filled = np.array(rows)
    xs, ys = np.arange(7), np.arange(6)
    areas = [
        (r - left) * (b - top)
        for left, r in itertools.combinations(range(7), 2)
        for top, b in itertools.combinations(range(6), 2)
        if filled[top:b, left:r].all()
    ]
    found = _largest_rectangle(filled, xs, ys)
    if found is None:
        assert not areas
    else:
        left, top, right, bottom = found
        assert filled[top:bottom, left:right].all()
        assert (right - left) * (bottom - top) == max(areas)


def test_drawing_follows_the_map():
    """Value = position; OpenCV's bicubic (a = -0.75, positions rounded to 1/32) is off by up to 0.06 px."""
    x, y = np.meshgrid(np.arange(80, dtype=np.float32), np.arange(60, dtype=np.float32))
    image_from_grid = Homography.translation(10, 8) @ Homography.zoom(1 / 2)
    drawn = np.stack([draw(axis, image_from_grid, (30, 40)) for axis in (x, y)], -1)
    gx, gy = np.meshgrid(np.arange(40), np.arange(30))
    at = image_from_grid(np.stack([gx, gy], -1))
    assert_allclose(drawn, at, atol=0.07)
