"""Truth: fits with known covariance, and brute force over draws."""

from dataclasses import replace

import numpy as np
import pytest

from realdeg.align.asymmetry import Asymmetry
from realdeg.align.crop import Box
from realdeg.align.error import GRID, SYSTEMATIC_PX, bending, grid, predicted_p95
from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.align.warp import Warp

FIELD = Box(20, 30, 200, 150)


@pytest.fixture(scope="module")
def found(registered):
    return registered("coffee.png", 2)[-1]


class Shift:
    """A fit whose only uncertainty is a common shift of known standard deviation a component."""

    def __init__(self, sd, warp):
        self.covariance, self.warp = sd**2 * np.eye(2), warp
        self.asymmetry = Asymmetry.none()

    def basis(self, points):
        return np.tile(np.eye(2), (len(points), 1, 1))


PLAIN = Warp.plain(Homography.zoom(2))


@pytest.mark.parametrize("sd", [0.02, 0.1])
def test_a_common_shift_gives_the_median_of_its_length(sd):
    """Every point is off alike, so the p95 is the shift's length: Rayleigh, median sd sqrt(2 ln 2)."""
    expected = np.hypot(sd * np.sqrt(2 * np.log(2)), SYSTEMATIC_PX)
    assert predicted_p95(Shift(sd, PLAIN), PLAIN, FIELD) == pytest.approx(expected, rel=0.1)


def test_a_certain_map_is_still_off_by_what_no_model_knows():
    assert predicted_p95(Shift(0.0, PLAIN), PLAIN, FIELD) == pytest.approx(SYSTEMATIC_PX)


def test_another_map_than_the_fitted_is_off_by_the_difference():
    other = Homography.translation(0.6, 0) @ PLAIN  # 0.6 HR px are 0.3 LR px
    assert predicted_p95(Shift(0.001, PLAIN), other, FIELD) == pytest.approx(0.3, rel=0.02)


def test_it_is_the_same_at_every_call(found):
    one, two = (predicted_p95(found.fit, found.hr_from_lr, found.field) for _ in range(2))
    assert one == two == found.error


def test_it_is_the_median_over_draws_of_the_parameters(found):
    fit, rng = found.fit, np.random.default_rng(1)
    draws = rng.multivariate_normal(np.zeros(len(fit.covariance)), fit.covariance, 2000)
    off = np.einsum("tip,dp->dti", fit.basis(grid(found.field)), draws)
    p95 = np.percentile(np.hypot(*np.moveaxis(off, -1, 0)), 95, axis=1)
    assert found.error == pytest.approx(np.hypot(np.median(p95), SYSTEMATIC_PX), rel=0.1)


def test_it_grows_with_the_doubt(found):
    class Doubt:
        warp, basis, covariance = found.fit.warp, found.fit.basis, 9 * found.fit.covariance
        asymmetry = found.fit.asymmetry

    tripled = predicted_p95(Doubt, found.fit.warp, found.field)
    assert tripled == pytest.approx(3 * found.error, rel=0.15)


def test_the_grid_covers_the_field_with_its_corners():
    points = grid(FIELD)
    assert points.shape == (GRID**2, 2)
    assert [list(p) for p in points[[0, GRID - 1, -1]]] == [[20, 30], [219, 30], [219, 179]]


def test_bending_is_what_no_affine_map_explains():
    assert bending(PLAIN, FIELD) == pytest.approx(0, abs=1e-9)
    lens = Lens(FIELD.centre, 125.0, FIELD.centre, 125.0, {"radial_lr": 2.0})
    bent = bending(replace(PLAIN, lens=lens), FIELD)
    # 2 (r^3 - a r) with the best a: some 0.4 at the corner of u = 1.
    points = (grid(FIELD) - FIELD.centre) / 125
    cubic = points * (points**2).sum(-1, keepdims=True)
    a = (cubic * points).sum(0) / (points**2).sum(0)
    assert bent == pytest.approx(np.hypot(*(2 * (cubic - a * points)).T).max(), rel=1e-6)
    assert bent > 0.3
