"""Truth: BasicSR's rgb2ycbcr (tests/golden/README.md), scikit-image, and the standard's formulas."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from skimage.color import rgb2ycbcr

from realdeg.imaging.colour import linear_to_srgb, luma, srgb_to_linear


def test_luma_is_bt601_studio(golden):
    z = np.load(golden / "colour.npz")
    ours = luma(z["rgb"])
    assert_allclose(ours, z["basicsr_rgb2ycbcr_y_only_float"] * 255, atol=1e-3)
    assert_allclose(ours, rgb2ycbcr(z["rgb"])[..., 0], atol=1e-9)
    assert luma([0, 0, 0]) == 16
    assert_allclose(luma([255, 255, 255]), 235)


@given(st.floats(0, 1))
def test_srgb_round_trip(v):
    assert_allclose(linear_to_srgb(srgb_to_linear(v)), v, atol=1e-6)


def test_srgb_is_the_standard():
    v = np.linspace(0, 1, 1001)
    expected = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    assert_allclose(srgb_to_linear(v), expected, atol=1e-6)
    assert (np.diff(srgb_to_linear(v)) > 0).all()
