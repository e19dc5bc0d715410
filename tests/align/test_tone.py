"""Truth: corrections written out by hand."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from realdeg.align.tone import LEVELS, Tone
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

GAIN = (0.1, -0.2, 0.3, 0.05, -0.1, 0.07)


def picture(seed=0, size=(160, 200)):
    """Smooth colours from 0.1 to 0.9."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.uniform(0, 1, (*size, 3)).astype(np.float32), (0, 0), 6)
    low, high = image.min((0, 1)), image.max((0, 1))
    return ((image - low) / (high - low) * 0.8 + 0.1).astype(np.float32)


def test_none_changes_nothing():
    image = picture()
    assert not Tone.none().changes
    assert_allclose(Tone.none()(image), image, atol=1e-5)
    assert Tone.none().gain_at((5, 5)) == pytest.approx(np.ones((5, 5)))
    assert Tone.none().slopes == pytest.approx((1, 1), abs=0.02)  # steps of float32


def test_a_matrix_acts_on_light_and_a_curve_on_what_it_makes():
    matrix = np.array([[0.9, 0.1, 0], [-0.05, 1.05, 0], [0, 0.2, 0.6]])
    curves = np.tile(np.linspace(0, 1, LEVELS) ** 1.2, (3, 1)).astype(np.float32)
    image = picture()
    light = np.clip(srgb_to_linear(image) @ matrix.T.astype(np.float32), 0, None)
    assert_allclose(Tone(curves, matrix)(image), linear_to_srgb(light) ** 1.2, atol=2e-4)


def test_what_a_gain_makes_brighter_than_white_is_still_told_apart():
    """`top` says how far the curves reach."""
    white = float(linear_to_srgb(np.float32(1.3)))
    curves = np.tile(np.linspace(0, 1, LEVELS), (3, 1)).astype(np.float32)
    tone = Tone(curves, 1.3 * np.eye(3), top=white)
    greys = np.repeat(np.linspace(0.9, 1, 20, dtype=np.float32)[:, None, None], 3, axis=2)
    assert (np.diff(tone(greys)[:, 0, 0]) > 0).all()
    assert tone(np.ones((1, 1, 3), np.float32)) == pytest.approx(np.ones((1, 1, 3)), abs=1e-4)


def test_rows_of_the_field_get_the_gain_of_their_place():
    tone = Tone(Tone.none().curves, gain=GAIN)
    whole = tone.gain_at((40, 50))
    assert np.ptp(whole) > 0.3
    assert_allclose(tone.gain_at((15, 50), slice(10, 25), 40), whole[10:25], rtol=1e-6)
    image = picture(size=(40, 50))
    assert_allclose(tone(image[10:25], slice(10, 25), 40), tone(image)[10:25], atol=1e-6)


def test_the_gain_is_common_to_both_resolutions():
    """Fitted on LR's grid, applied on HR's: the corners of both fields coincide."""
    tone = Tone(Tone.none().curves, gain=GAIN)
    small, large = tone.gain_at((30, 40)), tone.gain_at((120, 160))
    means = large.reshape(30, 4, 40, 4).mean((1, 3))
    assert_allclose(means, small, rtol=2e-3)


def test_grey_pictures_and_bounds():
    grey = picture()[..., 0]
    curve = np.clip(1.2 * np.linspace(0, 1, LEVELS), 0, 1)[None].astype(np.float32)
    out = Tone(curve)(grey)
    assert out.shape == grey.shape
    assert out.dtype == np.float32
    assert out.max() <= 1
    assert_array_equal(Tone(curve)(grey[..., None])[..., 0], out)
