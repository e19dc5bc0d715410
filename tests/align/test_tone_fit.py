"""Truth: curves, gains, matrices and vignetting that the tests put in."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from realdeg.align.tone import LEVELS
from realdeg.align.tone_fit import MODELS, SLOPES, Samples, candidates, even_curves, fit, ranked
from realdeg.imaging.capture import CameraModel, capture
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

NAMES = {model.name: model for model in MODELS}
LUMA = np.array([0.2126, 0.7152, 0.0722])


def picture(seed=0, size=(160, 200)):
    """Smooth colours from 0.1 to 0.9."""
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.uniform(0, 1, (*size, 3)).astype(np.float32), (0, 0), 6)
    low, high = image.min((0, 1)), image.max((0, 1))
    return ((image - low) / (high - low) * 0.8 + 0.1).astype(np.float32)


def samples(source, target, clipped=None):
    none = np.zeros(source.shape, bool) if clipped is None else clipped
    return Samples.of(
        source.astype(np.float32), target.astype(np.float32), none, np.zeros(source.shape, np.float32)
    )


def best(source, target, vignetting=True, clipped=None, noise=0.5):
    """The choice, with noise of so many levels on the target."""
    rng = np.random.default_rng(5)
    noisy = target + noise / 255 * rng.standard_normal(target.shape)
    some = samples(source, noisy, clipped)
    return ranked(some, candidates(some, MODELS, vignetting))[0]


def lit(image, gain):
    return linear_to_srgb(srgb_to_linear(image) * np.asarray(gain, np.float32))


def saturated(image, by):
    """Colours moved away from grey on linear light."""
    light = srgb_to_linear(image)
    grey = (light @ LUMA.astype(np.float32))[..., None]
    return linear_to_srgb(np.maximum(grey + by * (light - grey), 0))


def vignetting(size, lost=0.3, centre=(0.0, 0.0)):
    """(h, w, 1) light that is left, 1 - lost at the corner, around a centre in [-1, 1]."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    r2 = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2
    return (1 - lost * r2)[..., None].astype(np.float32)


def rms(a, b):
    return 255 * float(np.sqrt(np.mean((a - b) ** 2)))


def test_what_is_equal_is_left_alone():
    hr = picture()
    one = best(hr, hr)
    assert (one.model.name, one.field) == ("none", False)
    assert not one.tone.changes


def test_exposure_and_white_balance_are_a_gain_and_nothing_more():
    hr = picture()
    one = best(hr, lit(hr, (0.8, 0.9, 0.75)))
    assert (one.model.name, one.field) == ("gain", False)
    assert rms(one.tone(hr), lit(hr, (0.8, 0.9, 0.75))) < 0.3


def test_another_camera_is_a_matrix():
    hr = (0.25 + 0.5 * picture()).astype(np.float32)
    lr = saturated(lit(hr, (0.9, 1.0, 1.05)), 1.5)
    some = samples(hr, lr)
    left = {name: rms(fit(some, NAMES[name], False).tone(hr), lr) for name in ("gain", "curve", "matrix")}
    assert left["matrix"] < 0.2
    assert min(left["gain"], left["curve"]) > 4
    assert "matrix" in best(hr, lr).model.name


@pytest.mark.parametrize("power", [0.7, 1.3])
def test_a_curve_is_recovered(power):
    hr = picture()
    lr = (0.95 * hr**power).astype(np.float32)
    one = best(hr, lr)
    assert "curve" in one.model.name
    assert np.quantile(np.abs(one.tone(hr) - lr), 0.99) < 1.0 / 255
    levels = np.linspace(0, 1, LEVELS)
    seen = (levels > 0.25) & (levels < 0.75)
    assert_allclose(one.tone.of_greys()[0][seen], 0.95 * levels[seen] ** power, atol=0.004)


@pytest.mark.parametrize("centre", [(0.0, 0.0), (0.15, -0.1)])
def test_vignetting_is_recovered(centre):
    hr = picture(size=(240, 320))
    light = vignetting((240, 320), 0.3, centre)
    one = best(hr, lit(hr, light), noise=1.0)
    assert one.field
    gain = one.tone.gain_at((240, 320))
    ratio = gain / light[..., 0]  # a constant may sit in the gain
    assert np.ptp(ratio) / ratio.mean() < 0.05
    if centre == (0.0, 0.0):
        assert one.tone.corner_gain == pytest.approx(0.7, abs=0.01)
    assert rms(one.tone(hr), lit(hr, light)) < 0.5


def test_vignetting_that_is_not_there_is_not_made_up():
    hr = picture(size=(240, 320))
    one = best(hr, lit(hr, 0.85), noise=1.0)
    assert not one.field


def test_the_simulators_vignetting_is_undone(scene):
    """Light lost by the cos^4 law of `realdeg.imaging.capture`."""
    image = cv2.GaussianBlur(scene("coffee.png"), (0, 0), 3)
    shots = [
        capture(
            image,
            np.eye(3),
            CameraModel(image.shape[:2], 0.5, noise_8bit=1.0, vignetting=v),
            np.random.default_rng(i),
        )
        for i, v in enumerate((0.0, 0.25))
    ]
    hr, lr = (cv2.GaussianBlur(shot.astype(np.float32) / 255, (0, 0), 2) for shot in shots)
    one = best(hr, lr, noise=0)
    assert one.tone.corner_gain == pytest.approx(0.75, abs=0.03)
    assert np.abs(one.tone(hr) - lr).mean() < 0.5 / 255


def test_what_moved_does_not_bend_the_curve():
    hr = picture()
    lr = lit(hr, 0.85)
    lr[20:60, 30:90] = 0.5  # 7 % of the picture
    one = best(hr, lr)
    assert np.median(np.abs(one.tone(hr) - lit(hr, 0.85))) < 0.5 / 255


def test_clipped_channels_say_nothing():
    hr = picture()
    truth = lit(hr, 1.6)
    lr = np.clip(truth, 0, 0.8)
    assert 0.1 < (truth > 0.8).mean() < 0.6
    one = best(hr, lr, clipped=truth > 0.79, vignetting=False)
    below = truth < 0.78
    assert 255 * np.abs(one.tone(hr) - truth)[below].mean() < 0.5


def test_nothing_is_cut_off():
    """An offset would take blacks below 0, a gain whites above 1; both stay told apart."""
    hr = picture()
    for lr in (hr - 0.06, lit(hr, 1.3)):
        for name in ("gain and offset", "curve", "curve and matrix"):
            tone = fit(samples(hr, lr), NAMES[name], False).tone
            greys = tone.of_greys().astype(np.float64)
            assert (np.diff(greys, axis=1) > 0).all()
            assert greys.min() >= 0
            assert greys.max() <= 1


def test_beyond_what_was_measured_it_goes_straight_on():
    hr = (0.4 + 0.2 * picture()).astype(np.float32)
    tone = fit(samples(hr, lit(hr, 0.8)), NAMES["curve"], False).tone
    truth = lit(np.linspace(0, 1, LEVELS, dtype=np.float32), 0.8)
    assert_allclose(tone.of_greys()[0], truth, atol=0.03)


def test_white_in_both_stays_white():
    hr = picture(size=(200, 200))
    lr = lit(hr, 0.8)
    hr[:40, :40], lr[:40, :40] = 1, 1
    clipped = np.repeat((hr.min(-1) >= 1)[..., None], 3, axis=2)
    white = np.ones((1, 1, 3), np.float32)
    with_white = fit(samples(hr, lr, clipped), NAMES["curve"], False).tone(white).min()
    without = fit(samples(hr[50:], lr[50:]), NAMES["curve"], False).tone(white).max()
    assert without < 0.94 < with_white


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["gain and offset", "curve", "curve and matrix"]), st.booleans()
)
def test_slopes_stay_within_bounds(seed, name, field):
    """Whatever the target: nothing is inverted, flattened or torn apart within what was measured."""
    rng = np.random.default_rng(seed)
    hr = picture(seed, (64, 80))
    lr = np.clip(rng.uniform(-1, 2) * hr ** rng.uniform(0.2, 5) + rng.uniform(-0.5, 0.5), 0, 1)
    model = NAMES[name]
    tone = fit(samples(hr, lr + 0.1 * rng.standard_normal(lr.shape)), model, field).tone
    curves = tone.curves.astype(np.float64)
    assert (np.diff(curves, axis=1) >= 0).all()
    start = np.linspace(0, tone.top, LEVELS)
    if tone.matrix is not None:
        slopes = np.diff(curves, axis=1) / np.diff(start)
        assert slopes.max() <= SLOPES[1] + 0.05
    assert np.isfinite(tone(hr)).all()


def test_predictions_of_left_out_blocks_are_worse_than_the_fit():
    hr = picture()
    lr = lit(hr, 0.8) + 0.05 * (picture(9) - 0.5)
    some = samples(hr, lr)
    one = fit(some, NAMES["curve and matrix"], True)
    inside, outside = (float((some.weight * off**2).sum()) for off in (one.left, one.left_out))
    assert inside < outside < 2 * inside


def test_a_left_out_block_is_predicted_as_if_it_were_not_there():
    """To first order: against a fit to what is left."""
    hr = picture(size=(80, 80))
    lr = lit(hr, 0.8) + 0.02 * (picture(9, (80, 80)) - 0.5)
    some = samples(hr, lr)
    one = fit(some, NAMES["gain"], False)
    block = some.block == 27
    hidden = np.zeros((80 * 80, 3), bool)
    hidden[some.at[block]] = True
    rest = fit(samples(hr, lr, hidden.reshape(80, 80, 3)), NAMES["gain"], False)
    by = np.abs(one.left[block] - rest.left[block]).max()
    assert by > 2e-5
    assert np.abs(one.left_out[block] - rest.left[block]).max() < 0.3 * by


def test_the_rough_tone_stands_misregistration():
    """Displaced by 3 px, and with vignetting that must not bend the curves."""
    hr = picture(size=(240, 320))
    lr = np.roll(lit(hr, vignetting((240, 320), 0.2)), 3, axis=1) * 0.9
    tone = even_curves(samples(hr, lr))
    levels = np.linspace(0, 1, LEVELS)
    seen = (levels > 0.2) & (levels < 0.8)
    assert not any(tone.gain)
    assert np.abs(tone.curves[:, seen] - 0.9 * levels[seen]).max() < 0.06


def test_walls_change_nothing():
    wall = np.full((60, 60, 3), 0.4, np.float32)
    assert_allclose(even_curves(samples(wall, wall))(wall), wall, atol=1e-4)
    assert_allclose(best(wall, wall, noise=0).tone(wall), wall, atol=1e-4)


def test_grey_pictures_have_no_matrix():
    grey = picture()[..., :1]
    some = samples(grey, lit(grey, 0.8))
    fits = candidates(some, MODELS, False)
    assert not any(one.model.matrix for one in fits)
    assert rms(ranked(some, fits)[0].tone(grey), lit(grey, 0.8)) < 0.3
