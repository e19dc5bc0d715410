"""Truth: geometry worked out by hand, and brute force over all rectangles."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from realdeg.align.crop import Box, _largest_rectangle, _of_any_shape, common_field
from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.align.warp import Warp


def test_a_perfect_zoom_shares_the_whole_photo():
    assert common_field((50, 60), (100, 120), Warp.plain(Homography.zoom(2))) == Box(0, 0, 60, 50)


def test_a_tele_photo_shares_its_own_field():
    """HR of 100 x 80 at zoom 4 covers 25 x 20 LR px, from (30, 10) on."""
    hr_from_lr = Homography.zoom(4) @ Homography.translation(-30, -10)
    assert common_field((80, 100), (80, 100), Warp.plain(hr_from_lr)) == Box(30, 10, 25, 20)


@pytest.mark.parametrize("turn", [0.0, 1.0, 20.0, 45.0, 90.0])
def test_every_pixel_of_the_field_lies_in_hr(turn):
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    middle = Homography.translation(150, 100) @ Homography(rotation) @ Homography.translation(-60, -40)
    field = common_field((300, 300), (200, 300), Warp.plain(middle), margin=3)
    assert field.width > 60
    assert field.height > 60
    mapped = middle(field.corners + np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]))
    assert (mapped >= 2.5 - 1e-9).all()
    assert (mapped <= np.array([296.5, 196.5]) + 1e-9).all()


def test_photos_that_do_not_overlap_share_nothing():
    assert common_field((50, 50), (50, 50), Warp.plain(Homography.translation(200, 0))) is None


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


@given(st.data())
@settings(max_examples=200)
def test_rows_of_one_run_give_the_rectangle_of_the_search_over_any_cells(data):
    rows, columns = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))
    ends = st.tuples(st.integers(0, columns), st.integers(0, columns))
    filled = np.array(
        [[a <= c < b for c in range(columns)] for a, b in (data.draw(ends) for _ in range(rows))]
    )
    xs, ys = (
        np.cumsum([0, *data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))])
        for n in (columns, rows)
    )
    assert _largest_rectangle(filled, xs, ys) == _of_any_shape(filled, xs, ys)


@pytest.mark.parametrize("radial", [-4.0, 4.0])
def test_a_bent_frame_holds_the_field_along_its_whole_border(radial):
    lens = Lens((99.5, 74.5), 125.0, (99.5, 74.5), 60.0, {"radial_lr": radial})
    warp = Warp(Homography.zoom(2) @ Homography.translation(-50, -40), lens, Homography.identity())
    field = common_field((150, 200), (140, 200), warp, margin=2)
    assert field.width > 70
    along = np.linspace(0, 1, 200)[:, None]
    outer = field.corners + 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    border = np.concatenate([a + along * (b - a) for a, b in zip(outer, np.roll(outer, -1, 0), strict=True)])
    hr = warp(border)
    assert (hr >= 1.5 - 1e-2).all()
    assert (hr <= np.array([197.5, 137.5]) + 1e-2).all()
    # A row more on any side would not fit.
    for x, y, w, h in ((-1, 0, 1, 0), (0, -1, 0, 1), (0, 0, 1, 0), (0, 0, 0, 1)):
        more = Box(field.x + x, field.y + y, field.width + w, field.height + h)
        hr = warp(more.corners + 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]))
        assert (hr < 1.5).any() or (hr > np.array([197.5, 137.5])).any()


def test_what_lies_behind_the_camera_is_not_seen():
    """Beyond x = 100 this map turns round; positions there may still fall into HR."""
    behind = Warp.plain(Homography(np.array([[1.0, 0, 0], [0, 1, 0], [-0.01, 0, 1]])))
    field = common_field((100, 300), (4000, 4000), behind)
    assert field.x + field.width <= 101


def test_a_box_cuts_counts_and_shrinks():
    image, box = np.arange(60).reshape(6, 10), Box(2, 1, 5, 3)
    assert_array_equal(image[box.slices], image[1:4, 2:7])
    assert box.centre == (4, 2)
    assert box.corners.tolist() == [[2, 1], [6, 1], [6, 3], [2, 3]]
    assert box.inset(1) == Box(3, 2, 3, 1)


@pytest.mark.parametrize("turn", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("size_hw", [(3001, 4007), (1203, 901)])
def test_the_field_reaches_to_the_last_pixel_whatever_the_cells(turn, size_hw):
    """Of a large photo a cell has many pixels."""
    angle, (height, width) = np.radians(turn), size_hw
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    middle = (
        Homography.translation(1000.3, 700.8)
        @ Homography(2 * rotation)
        @ Homography.translation(-511.4, -388.7)
    )
    warp, hr_hw = Warp.plain(middle), (1501, 2003)
    field = common_field(size_hw, hr_hw, warp, cells=64)

    def holds(box):
        corners = box.corners + 0.5 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        hr = middle(corners)
        fits = box.x >= 0 and box.y >= 0 and box.x + box.width <= width and box.y + box.height <= height
        return fits and (hr >= -0.5 - 1e-6).all() and (hr <= np.array(hr_hw[::-1]) - 0.5 + 1e-6).all()

    assert holds(field)
    x, y, w, h = field.x, field.y, field.width, field.height
    larger = [Box(x - 1, y, w + 1, h), Box(x, y - 1, w, h + 1), Box(x, y, w + 1, h), Box(x, y, w, h + 1)]
    assert not any(holds(box) for box in larger)
