"""Truth: closed forms, OpenCV's perspectiveTransform, numerical derivatives."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from realdeg.align.homography import Homography

POINTS = np.array([[0.0, 0.0], [10.0, 3.0], [-4.0, 7.5], [100.0, 250.0]])
small = st.floats(-0.3, 0.3)


def some(a, b, c, d, p, q, x=3.0, y=-2.0):
    return Homography(np.array([[1 + a, b, x], [c, 1 + d, y], [p * 1e-3, q * 1e-3, 1]]))


@given(small, small, small, small, small, small)
def test_maps_like_opencv_and_back(a, b, c, d, p, q):
    h = some(a, b, c, d, p, q)
    assert_allclose(h(POINTS), cv2.perspectiveTransform(POINTS[None], h.matrix)[0], atol=1e-9)
    assert_allclose(h.inverse()(h(POINTS)), POINTS, atol=1e-7)


@given(small, small, small)
def test_composition_is_one_map_after_the_other(a, b, p):
    first, second = some(a, b, 0.1, -0.1, p, 0), some(b, a, 0, 0.2, 0, p)
    assert_allclose((first @ second)(POINTS), first(second(POINTS)), atol=1e-8)


@pytest.mark.parametrize("s", [2, 3, 4, 8])
def test_zoom_is_on_the_half_pixel_grid(s):
    """The s x s block of HR pixels under LR pixel i has its centre at s i + (s - 1) / 2."""
    i = np.arange(5.0)
    mapped = Homography.zoom(s)(np.stack([i, i], -1))
    assert_allclose(mapped[:, 0], [np.arange(s * k, s * k + s).mean() for k in range(5)])


def test_zoom_and_rotation_at_a_point():
    turn = np.radians(3)
    c, s = 2.5 * np.cos(turn), 2.5 * np.sin(turn)
    h = Homography.translation(5, 6) @ Homography(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))
    assert h.zoom_at((10, 20)) == pytest.approx(2.5)
    assert h.rotation_at((10, 20)) == pytest.approx(3.0)


def test_jacobian_is_the_derivative():
    h, at, e = some(0.1, -0.05, 0.02, 0.2, 0.3, -0.2), np.array([20.0, 30.0]), 1e-5
    numeric = np.stack([(h(at + d) - h(at - d)) / (2 * e) for d in e * np.eye(2)], axis=-1)
    assert_allclose(h.jacobian((20, 30)), numeric, atol=1e-6)


def test_it_cannot_be_changed_or_made_of_nonsense():
    h = Homography.identity()
    with pytest.raises(ValueError, match="read-only"):
        h.matrix[0, 0] = 2
    for matrix in (np.eye(2), np.full((3, 3), np.nan), np.diag([1.0, 1.0, 0.0])):
        with pytest.raises(ValueError, match="3x3"):
            Homography(matrix)
    with pytest.raises(ValueError, match="no inverse"):
        Homography(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])).inverse()
