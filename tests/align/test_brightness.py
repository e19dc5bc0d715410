"""Truth: curves, gains and vignetting that the tests put in."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from realdeg.align.brightness import LEVELS, ToneCurve, match_brightness, rough_tone
from realdeg.imaging.capture import CameraModel, capture
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear


def picture(seed=0, size=(160, 200)):
    """Smooth colours from 0.1 to 0.9."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.uniform(0, 1, (*size, 3)).astype(np.float32), (0, 0), 6)
    low, high = image.min((0, 1)), image.max((0, 1))
    return ((image - low) / (high - low) * 0.8 + 0.1).astype(np.float32)


def vignetting(size, lost=0.3, centre=(0.0, 0.0)):
    """(h, w, 1) light that is left, 1 - lost at the corner, around a centre in [-1, 1]."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    r2 = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2
    return (1 - lost * r2)[..., None].astype(np.float32)


@pytest.mark.parametrize("power", [0.7, 1.0, 1.3])
def test_a_curve_is_recovered(power):
    hr = picture()
    lr = (0.95 * hr**power).astype(np.float32)
    tone = match_brightness(hr, lr, "curve")
    assert tone.residual_8bit < 0.6
    assert (np.diff(tone.curves, axis=1) >= 0).all()
    assert np.quantile(np.abs(tone(hr) - lr), 0.99) < 1.5 / 255
    levels = np.linspace(0, 1, LEVELS)
    seen = (levels > 0.3) & (levels < 0.75)  # where most pixels lie
    assert_allclose(tone.curves[0][seen], 0.95 * levels[seen] ** power, atol=0.006)


def test_each_channel_has_its_own_curve():
    hr = picture()
    lr = np.stack([hr[..., 0] * 0.8, hr[..., 1], hr[..., 2] ** 1.2], -1).astype(np.float32)
    tone = match_brightness(hr, lr, "curve")
    assert np.abs(tone(hr) - lr).mean() < 0.5 / 255


def test_gain_and_offset_are_recovered():
    hr = picture()
    tone = match_brightness(hr, 0.8 * hr + 0.05, "linear")
    levels = np.linspace(0, 1, LEVELS)
    assert_allclose(tone.curves, np.tile(0.8 * levels + 0.05, (3, 1)), atol=2e-3)


def test_a_line_cannot_follow_a_curve():
    hr = picture()
    lr = (hr**1.5).astype(np.float32)
    curve, line = (match_brightness(hr, lr, method).residual_8bit for method in ("curve", "linear"))
    assert line > 5 * curve


def test_none_changes_nothing():
    hr = picture()
    tone = match_brightness(hr, 0.5 * hr, "none")
    assert_allclose(tone(hr), hr, atol=1e-5)
    assert tone.gain_at((5, 5)) == pytest.approx(np.ones((5, 5)))


def test_what_moved_does_not_bend_the_curve():
    hr = picture()
    lr = 0.9 * hr + 0.03
    lr[20:60, 30:90] = 0.5  # 7 % of the picture
    tone = match_brightness(hr, lr.astype(np.float32), "curve")
    assert np.median(np.abs(tone(hr) - (0.9 * hr + 0.03))) < 1 / 255


def test_clipped_pixels_do_not_bend_the_curve():
    hr = np.clip(1.4 * picture() - 0.1, 0, 1).astype(np.float32)
    lr = np.clip(1.5 * hr, 0, 1).astype(np.float32)
    assert (lr == 1).mean() > 0.2
    tone = match_brightness(hr, lr, "curve")
    assert tone.curves[0][LEVELS // 2] == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.15, -0.1)])
def test_vignetting_is_recovered(centre):
    hr = picture(size=(240, 320))
    light = vignetting((240, 320), 0.3, centre)
    lr = linear_to_srgb(srgb_to_linear(hr) * light).astype(np.float32)
    rng = np.random.default_rng(0)
    noisy = (lr + 1 / 255 * rng.standard_normal(lr.shape)).astype(np.float32)
    tone = match_brightness(hr, noisy, "curve", vignetting=True)
    gain = tone.gain_at((240, 320))
    ratio = gain / light[..., 0]  # a constant may sit in the curves
    assert np.ptp(ratio) / ratio.mean() < 0.05
    assert ratio.std() / ratio.mean() < 0.01
    if centre == (0.0, 0.0):
        assert tone.corner_gain == pytest.approx(0.7, abs=0.02)
    assert np.sqrt(((tone(hr) - lr) ** 2).mean()) < 1 / 255
    without = match_brightness(hr, noisy, "curve")
    assert tone.residual_8bit < 0.6 * without.residual_8bit


def test_vignetting_that_is_not_there_is_not_made_up():
    hr, rng = picture(size=(240, 320)), np.random.default_rng(1)
    lr = (0.9 * hr + 1 / 255 * rng.standard_normal(hr.shape)).astype(np.float32)
    tone = match_brightness(hr, lr, "curve", vignetting=True)
    assert tone.corner_gain == pytest.approx(1, abs=0.01)


def test_the_simulators_vignetting_is_undone(scene):
    """Light lost by the cos^4 law of `realdeg.imaging.capture`."""
    image = cv2.GaussianBlur(scene("coffee.png"), (0, 0), 3)
    size = image.shape[:2]
    shots = [
        capture(
            image, np.eye(3), CameraModel(size, 0.5, noise_8bit=1.0, vignetting=v), np.random.default_rng(i)
        )
        for i, v in enumerate((0.0, 0.25))
    ]
    hr, lr = (cv2.GaussianBlur(shot.astype(np.float32) / 255, (0, 0), 2) for shot in shots)
    tone = match_brightness(hr, lr, "curve", vignetting=True)
    assert tone.corner_gain == pytest.approx(0.75, abs=0.03)
    assert np.abs(tone(hr) - lr).mean() < 1 / 255


def test_rows_of_the_field_get_the_gain_of_their_place():
    tone = ToneCurve(ToneCurve.none().curves, 0.0, (0.1, -0.2, 0.3, 0.05, -0.1, 0.07))
    whole = tone.gain_at((40, 50))
    assert np.ptp(whole) > 0.3
    assert_allclose(tone.gain_at((15, 50), slice(10, 25), 40), whole[10:25], rtol=1e-6)
    image = picture(size=(40, 50))
    assert_allclose(tone(image[10:25], slice(10, 25), 40), tone(image)[10:25], atol=1e-6)


def test_the_gain_is_common_to_both_resolutions():
    """Fitted on LR's grid, applied on HR's: the corners of both fields coincide."""
    tone = ToneCurve(ToneCurve.none().curves, 0.0, (0.1, -0.2, 0.3, 0.05, -0.1, 0.07))
    small, large = tone.gain_at((30, 40)), tone.gain_at((120, 160))
    means = large.reshape(30, 4, 40, 4).mean((1, 3))
    assert_allclose(means, small, rtol=2e-3)


def test_grey_pictures_and_bounds():
    grey = picture()[..., 0]
    tone = match_brightness(grey, 1.2 * grey, "linear")
    out = tone(grey)
    assert out.shape == grey.shape
    assert out.dtype == np.float32
    assert out.max() <= 1
    assert_array_equal(tone(grey[..., None])[..., 0], out)


def test_walls_are_left_as_they_are():
    wall = np.full((60, 60, 3), 0.4, np.float32)
    for vignette in (False, True):
        tone = match_brightness(wall, wall, "curve", vignetting=vignette)
        assert_allclose(tone(wall), wall, atol=1e-3)


def test_the_rough_tone_stands_misregistration():
    """Displaced by 3 px, and with vignetting that must not bend the curves."""
    hr = picture(size=(240, 320))
    lr = np.roll(linear_to_srgb(srgb_to_linear(hr) * vignetting((240, 320), 0.2)), 3, axis=1) * 0.9
    tone = rough_tone(hr, lr.astype(np.float32))
    levels = np.linspace(0, 1, LEVELS)
    seen = (levels > 0.2) & (levels < 0.8)
    assert (np.diff(tone.curves, axis=1) >= 0).all()
    middle = np.abs(tone(hr) - 0.9 * hr)[100:140, 130:190]  # where no light is lost
    assert middle.mean() < 0.03
    assert np.abs(tone.curves[:, seen] - 0.9 * levels[seen]).max() < 0.06


def test_the_rough_tone_of_a_wall_changes_nothing():
    wall = np.full((60, 60, 3), 0.4, np.float32)
    assert_allclose(rough_tone(wall, wall)(wall), wall, atol=1e-6)
