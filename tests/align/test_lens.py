"""Truth: closed forms, the simulator's own lens, and numerical derivatives."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from realdeg.align.lens import MODELS, PRIORS, Lens
from realdeg.imaging.capture import CameraModel

CENTRE, RADIUS, CENTRE_HR, RADIUS_HR = (100.0, 80.0), 128.0, (110.0, 70.0), 90.0
LENS = Lens(CENTRE, RADIUS, CENTRE_HR, RADIUS_HR, {})
POINTS = np.random.default_rng(0).uniform(0, 200, (40, 2))
x, y = ((POINTS - CENTRE) / RADIUS).T
vx, vy = ((POINTS - CENTRE_HR) / RADIUS_HR).T
CLOSED = {
    "radial_lr": (x * (x**2 + y**2), y * (x**2 + y**2)),
    "radial_lr_5": (x * (x**2 + y**2) ** 2, y * (x**2 + y**2) ** 2),
    "radial_hr": (vx * (vx**2 + vy**2), vy * (vx**2 + vy**2)),
    "bend_x": (y**2, 0 * x),
    "bend_y": (0 * x, x**2),
    "tilt_x": (x**2, -x * y),
    "tilt_y": (-x * y, y**2),
}


@pytest.mark.parametrize("name", list(PRIORS))
def test_each_term_is_the_polynomial_it_is_called(name):
    expected = np.stack(CLOSED[name], -1)
    assert_allclose(LENS.with_terms({name: 3.0}).displacement(POINTS), 3 * expected, atol=1e-12)
    assert_allclose(LENS.basis(POINTS, (name,))[..., 0], expected, atol=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=7, max_size=7))
def test_the_displacement_is_linear_in_its_terms(values):
    terms = dict(zip(PRIORS, values, strict=True))
    expected = LENS.basis(POINTS, tuple(PRIORS)) @ np.array(values)
    assert_allclose(LENS.with_terms(terms).displacement(POINTS), expected, atol=1e-9)


def test_radial_terms_turn_with_the_picture():
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    lens = LENS.with_terms({"radial_lr": 2.0, "radial_lr_5": -1.0})
    turned = (POINTS - CENTRE) @ turn.T + CENTRE
    assert_allclose(lens.displacement(turned), lens.displacement(POINTS) @ turn.T, atol=1e-12)
    assert_allclose(lens.displacement(np.array([CENTRE])), 0)


def test_quadratics_are_what_a_homography_cannot_make():
    """All six quadratics of x and y are spanned by the four and the two of perspective, and no five do."""
    unit = np.random.default_rng(1).uniform(-1, 1, (60, 2))
    one = Lens((0, 0), 1.0, (0, 0), 1.0, {})
    basis = one.basis(unit, ("bend_x", "bend_y", "tilt_x", "tilt_y"))
    a, b = unit.T
    perspective = np.stack([np.stack([a * a, a * b], -1), np.stack([a * b, b * b], -1)], -1)
    spanned = np.concatenate([basis, perspective], -1).reshape(120, 6)
    assert np.linalg.matrix_rank(spanned) == 6
    for i, f in enumerate((a * a, a * b, b * b)):
        for axis in (0, 1):
            wanted = np.zeros((60, 2))
            wanted[:, axis] = f
            left = wanted.ravel() - spanned @ np.linalg.lstsq(spanned, wanted.ravel(), rcond=None)[0]
            assert np.abs(left).max() < 1e-12, (i, axis)


def test_radial_lr_is_the_simulators_distortion():
    camera = CameraModel((161, 201), distortion=0.03)
    lens = Lens((100.0, 80.0), float(np.hypot(161, 201)) / 2, (0, 0), 1.0, {})
    lens = lens.with_terms({"radial_lr": 0.03 * lens.radius})
    assert_allclose(POINTS + lens.displacement(POINTS), camera.ideal(POINTS), atol=1e-9)


def test_models_grow_from_the_plainest_to_all_terms():
    sizes = [len(terms) for terms in MODELS.values()]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0
    assert set(tuple(MODELS.values())[-1]) == set(PRIORS)
    nested = list(MODELS.values())
    assert all(set(a) <= set(b) for a, b in itertools.pairwise(nested))


def test_priors_are_in_half_diagonals_of_the_terms_own_photo():
    assert LENS.prior_sd("radial_lr") == pytest.approx(PRIORS["radial_lr"] * RADIUS)
    assert LENS.prior_sd("radial_hr") == pytest.approx(PRIORS["radial_hr"] * RADIUS_HR)


def test_no_lens_moves_nothing():
    assert (Lens.none().displacement(POINTS) == 0).all()
    assert (LENS.displacement(POINTS) == 0).all()
