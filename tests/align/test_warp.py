"""Truth: composition by hand, homographies, numerical derivatives, and the simulator's two cameras."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.align.warp import Warp
from realdeg.imaging.capture import CameraModel, matching_points

POINTS = np.stack(np.meshgrid(np.linspace(0, 199, 6), np.linspace(0, 149, 5)), -1)
small = st.floats(-1, 1)


def some(a, b, c, d, p, q):
    matrix = np.array([[2 + 0.1 * a, 0.1 * b, 3], [0.1 * c, 2 + 0.1 * d, -2], [1e-4 * p, 1e-4 * q, 1]])
    return Homography(matrix)


def bent(r=3.0, s=-1.0, t=0.5):
    terms = {"radial_lr": r, "radial_hr": s, "tilt_x": t}
    return Lens((99.5, 74.5), 125.0, (95.0, 80.0), 90.0, terms)


WARP = Warp(some(0.3, -0.2, 0.4, 0.1, 0.5, -0.3), bent(), Homography.identity())


@given(small, small, small, small, small, small)
def test_without_a_lens_it_is_the_homography(a, b, c, d, p, q):
    plane, inner = some(a, b, c, d, p, q), Homography.translation(5, 7) @ Homography.zoom(1.5)
    warp = Warp.plain(plane)
    assert_allclose(warp(POINTS), plane(POINTS))
    assert_allclose((warp @ inner)(POINTS), (plane @ inner)(POINTS), atol=1e-9)
    assert_allclose((inner @ warp)(POINTS), (inner @ plane)(POINTS), atol=1e-9)
    assert warp.zoom_at((40, 30)) == pytest.approx(plane.zoom_at((40, 30)), rel=1e-6)
    assert warp.rotation_at((40, 30)) == pytest.approx(plane.rotation_at((40, 30)), abs=1e-5)
    assert_allclose(warp.jacobian((40, 30)), plane.jacobian((40, 30)), atol=1e-6)


def test_the_lens_acts_on_pixels_of_the_lr_photo():
    inner = Homography.translation(11, -4) @ Homography.zoom(0.5)
    warp = Warp(WARP.outer, bent(), inner)
    lr = inner(POINTS)
    assert_allclose(warp(POINTS), WARP.outer(lr + bent().displacement(lr)))


@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(-1, 1), st.floats(-30, 30), st.floats(0.3, 3))
def test_it_composes_with_homographies_from_both_sides(r, s, t, shift, zoom):
    warp = Warp(WARP.outer, bent(r, s, t), Homography.identity())
    before, after = (
        Homography.translation(shift, 2) @ Homography.zoom(zoom),
        some(shift / 30, 0, 0.2, 0, 0, 1),
    )
    whole = after @ warp @ before
    assert isinstance(whole, Warp)
    assert_allclose(whole(POINTS), after(warp(before(POINTS))), atol=1e-7)
    assert_allclose((after @ (warp @ before))(POINTS), ((after @ warp) @ before)(POINTS), atol=1e-9)
    shifted = Homography.translation(7, -3)
    assert_allclose((warp @ before @ shifted)(POINTS), warp(before(shifted(POINTS))), atol=1e-7)
    assert_allclose((warp @ before @ before.inverse())(POINTS), warp(POINTS), atol=1e-7)


@given(st.floats(-4, 4), st.floats(-4, 4), st.floats(-1, 1))
def test_the_inverse_goes_back(r, s, t):
    warp = Warp(WARP.outer, bent(r, s, t), Homography.translation(-3, 8))
    assert_allclose(warp.inverse(warp(POINTS)), POINTS, atol=1e-5)


def test_the_jacobian_is_the_derivative():
    e = 1e-4
    numeric = np.stack([(WARP(POINTS + d) - WARP(POINTS - d)) / (2 * e) for d in e * np.eye(2)], -1)
    assert_allclose(WARP.jacobian(POINTS), numeric, atol=1e-4)
    area = np.sqrt(np.linalg.det(numeric[2, 3]))
    assert WARP.zoom_at(tuple(POINTS[2, 3])) == pytest.approx(area, rel=1e-4)


def test_turn_and_zoom_of_a_similarity():
    c, s = 3 * np.cos(0.1), 3 * np.sin(0.1)
    warp = Warp.plain(Homography(np.array([[c, -s, 7], [s, c, 1], [0, 0, 1]])))
    assert warp.zoom_at((10, 20)) == pytest.approx(3)
    assert warp.rotation_at((10, 20)) == pytest.approx(np.degrees(0.1))


def test_it_is_the_map_between_two_cameras():
    """Two distorting cameras on one scene: LR's lens is exact; HR's inverse is small at 0.3 %."""
    lr, hr = CameraModel((150, 200), distortion=0.02), CameraModel((300, 400), distortion=0.003)
    scene_from_lr, scene_from_hr = Homography.zoom(2), Homography.translation(0.5, 0.7)
    truth = matching_points(POINTS, scene_from_lr.matrix, lr, scene_from_hr.matrix, hr)
    plane = scene_from_hr.inverse() @ scene_from_lr
    radius, middle = float(np.hypot(150, 200)) / 2, plane.inverse()(np.array([199.5, 149.5]))
    radius_hr = float(np.hypot(300, 400)) / 2 / 2
    lens = Lens((99.5, 74.5), radius, tuple(middle), radius_hr, {})
    lens = lens.with_terms({"radial_lr": 0.02 * radius, "radial_hr": -0.003 * radius_hr})
    off = np.hypot(*np.moveaxis(Warp(plane, lens, Homography.identity())(POINTS) - truth, -1, 0))
    assert off.max() < 0.05  # of 0.75 px that HR's lens moves the corners
    without = Warp(plane, lens.with_terms({"radial_lr": 0.02 * radius}), Homography.identity())
    assert np.hypot(*np.moveaxis(without(POINTS) - truth, -1, 0)).max() > 0.5


def test_points_behind_the_camera_are_told():
    warp = Warp.plain(Homography(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]])))
    ahead = warp.ahead(np.array([[0.0, 0], [99, 5], [101, 5], [500, 0]]))
    assert list(ahead > 0) == [True, True, False, False]


@pytest.mark.parametrize("radial", [-0.03, 0.0, 0.03])
@pytest.mark.parametrize(
    ("width", "height", "zoom"),
    [
        (1, 160, 1.0),
        (1, 1, 1.0),
        (5, 300, 0.25),
        (180, 120, 1.0),
        (1600, 300, 1.0),
        (400, 300, 4.0),
        (1700, 90, 0.5),
    ],
)
def test_a_grid_is_mapped_as_its_points_are(width, height, zoom, radial):
    """Within a lens's photo, at the steps and sizes that registration and drawing use."""
    radius = max(80.0, zoom * np.hypot(width, 1200) / 2)
    terms = {"radial_lr": radial * radius, "radial_lr_5": 0.004 * radius, "bend_x": 0.001 * radius}
    middle = zoom * width / 2, zoom * height / 2
    lens = Lens(middle, radius, (middle[0] + 9, middle[1] - 7), radius / 1.3, terms)
    outer = Homography(np.array([[2.02, 0.03, 5], [-0.03, 2.01, 3], [1e-6, 2e-6, 1]]))
    warp = Warp(outer, lens, Homography.translation(3.0, 4.0) @ Homography.zoom(zoom))
    columns, rows = np.arange(width) + 2.0, np.arange(height) + 5.0
    points = np.stack(np.meshgrid(columns, rows), axis=-1)
    assert_allclose(warp.on_grid(columns, rows), warp(points), rtol=0, atol=2e-3)


def test_a_plain_map_of_a_grid_is_exact():
    warp = Warp.plain(Homography(np.array([[2, 0.1, 3], [-0.1, 2, 4], [1e-5, 0, 1]])))
    x, y = np.arange(30.0), np.arange(20.0)
    there = warp.on_grid(x, y)
    assert there.dtype == np.float32
    assert_allclose(there, warp(np.stack(np.meshgrid(x, y), -1)), rtol=0, atol=1e-5)
