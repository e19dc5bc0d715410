"""Truth: FWHM = 2 sqrt(2 ln 2) sigma of analytic Gaussians, 2 r of a disk's slices, the length of a motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.imaging.kernel_shape import kernel_shape
from realdeg.imaging.kernels import defocus, gaussian, motion, shifted

FWHM = 2 * np.sqrt(2 * np.log(2))


@settings(max_examples=40, deadline=None)
@given(sigma=st.floats(1, 3), ratio=st.floats(1.3, 2.2), angle=st.floats(0, np.pi), half=st.booleans())
def test_gaussians(sigma, ratio, angle, half):
    found = kernel_shape(gaussian(41, ratio * sigma, sigma, angle, half=half))
    tolerance = 0.01 if sigma > 1.5 else 0.04
    assert found.long == pytest.approx(FWHM * ratio * sigma, rel=tolerance)
    assert found.short == pytest.approx(FWHM * sigma, rel=tolerance)
    turned = abs(found.angle - np.degrees(angle)) % 180
    assert min(turned, 180 - turned) < 4


def test_where_it_lies_does_not_matter():
    for dx, dy in ((0.3, 0), (0.5, 0.5), (-0.2, 0.4)):
        found = kernel_shape(shifted(gaussian(25, 2.4, 1.6, 0.5), dx, dy))
        assert found.long == pytest.approx(FWHM * 2.4, rel=0.02)
        assert found.angle == pytest.approx(np.degrees(0.5), abs=1)


def test_a_disk_and_a_motion():
    disk = kernel_shape(defocus(4.5))
    assert disk.long == pytest.approx(9, rel=0.05)
    assert disk.short == pytest.approx(9, rel=0.05)
    line = kernel_shape(motion(9, 0))
    assert line.long == pytest.approx(9, abs=1)
    assert line.short < 1.6
    assert min(line.angle, 180 - line.angle) < 1


def test_one_pixel_and_noise_in_the_tails():
    one = np.zeros((5, 5))
    one[2, 2] = 1
    assert kernel_shape(one).long == pytest.approx(1.2, abs=0.15)
    assert kernel_shape(np.ones((1, 1))).long == pytest.approx(1.2, abs=0.15)
    clean = gaussian(25, 3.0, 1.5, 1.0)
    noisy = clean + 0.02 * clean.max() * np.random.default_rng(0).standard_normal(clean.shape)
    assert kernel_shape(noisy).long == pytest.approx(FWHM * 3, rel=0.08)
    assert kernel_shape(noisy).angle == pytest.approx(np.degrees(1.0), abs=3)


def test_a_hook_whose_centre_of_mass_it_does_not_cover_has_a_width():
    hook = np.zeros((21, 21))
    hook[3:18, 4] = hook[17, 4:18] = 1
    found = kernel_shape(hook / hook.sum())
    assert found.long > found.short > 0.5
