"""Truth: shifts that SciPy puts in, exactly, by phase or by splines."""

import warnings

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import fourier_shift, shift

from realdeg.align.residual import measure


def hr_picture(texture, scale, seed=5, size=(240, 288)):
    """Band-limited HR, 0 to 255."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.standard_normal((size[0] * scale, size[1] * scale)), (0, 0), 0.8 * scale)
    big = texture(size[0] * scale, size[1] * scale, seed=seed, finest=4 * scale) + 0.05 * fine / fine.std()
    return 255 * cv2.GaussianBlur(big, (0, 0), 0.6 * scale)


def rgb(grey):
    """16 bits, so that rounding is no matter."""
    return np.repeat(np.clip(np.rint(257 * grey), 0, 65535)[..., None], 3, -1).astype(np.uint16)


def reduced(big, scale):
    return cv2.resize(big, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.1, -0.05), (0.5, 0.0), (-0.25, 0.75), (2.0, -1.5)])
def test_a_shift_by_phase_is_measured(texture, scale, moved):
    """b(x + d) = a(x): HR's content lies d further on.

    To 0.004 px and 6 %: the windows' taper, which both have alike, draws shifts towards zero a little.
    """
    big = hr_picture(texture, scale)
    away = np.fft.ifft2(fourier_shift(np.fft.fft2(big), (scale * moved[1], scale * moved[0]))).real
    found = measure(rgb(reduced(big, scale)), rgb(away), scale)
    inner = (np.abs(found.centre - [144, 120]) < [110, 90]).all(1)  # the picture wraps around
    assert_allclose(np.median(found.shift[inner], axis=0), moved, rtol=0.06, atol=0.004)
    assert found.median == pytest.approx(np.hypot(*moved), rel=0.06, abs=0.01)


@pytest.mark.parametrize("moved", [(0.3, -0.2), (0.05, 0.1)])
def test_a_shift_by_splines_likewise(texture, moved):
    big = hr_picture(texture, 2)
    away = shift(big, (2 * moved[1], 2 * moved[0]), order=5, mode="reflect")
    found = measure(rgb(reduced(big, 2)), rgb(away), 2)
    assert_allclose([found.mean_x, found.mean_y], moved, rtol=0.06, atol=0.004)
    assert found.p95 == pytest.approx(np.hypot(*moved), abs=0.02)


def test_neither_brightness_nor_blur_moves_it(texture):
    big = hr_picture(texture, 2)
    away = np.fft.ifft2(fourier_shift(np.fft.fft2(big), (0.4, 0.6))).real
    away = 0.7 * cv2.GaussianBlur(away, (0, 0), 1.5) + 20
    found = measure(rgb(reduced(big, 2)), rgb(away), 2)
    assert_allclose([found.mean_x, found.mean_y], (0.3, 0.2), rtol=0.06, atol=0.01)
    assert found.zncc > 0.9


def test_a_bent_pair_shows_its_p95(texture):
    """Displacement grows from 0 to 0.4 LR px over the width: p95 lies near its end, the mean in between."""
    big = hr_picture(texture, 2)
    height, width = big.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = cv2.remap(big.astype(np.float32), x - 0.8 * x / width, y, cv2.INTER_CUBIC)
    found = measure(rgb(reduced(big, 2)), rgb(away), 2)
    assert found.shift[:, 0].mean() == pytest.approx(0.2, abs=0.02)
    assert 0.14 < found.mean_x < 0.21  # certain windows count more, and still ones are more certain
    assert found.p95 == pytest.approx(0.34, abs=0.04)
    assert np.corrcoef(found.centre[:, 0], found.shift[:, 0])[0, 1] > 0.98


def test_the_stated_sd_is_the_scatter(texture):
    big, rng = hr_picture(texture, 2), np.random.default_rng(0)
    lr = reduced(big, 2)
    found = [measure(rgb(lr + 4 * rng.standard_normal(lr.shape)), rgb(big), 2) for _ in range(20)]
    places = found[0].centre
    assert all(len(f.centre) == len(places) for f in found)
    scatter = np.sqrt(np.var([f.shift for f in found], axis=0, ddof=1).sum(-1))
    stated = np.mean([f.sd for f in found], axis=0)
    assert 0.7 < np.median(stated / scatter) < 2.5


def test_what_is_left_without_the_noise_is_about_nothing(texture):
    """A perfect pair with noise: p95 is noise, and told to be."""
    big, rng = hr_picture(texture, 2), np.random.default_rng(1)
    lr = reduced(big, 2)
    found = measure(rgb(lr + 6 * rng.standard_normal(lr.shape)), rgb(big), 2)
    clean = measure(rgb(lr), rgb(big), 2)
    assert found.p95 > 2 * clean.p95
    assert 0.6 < found.noise / found.p95 < 3
    assert found.beyond_noise < 0.8 * found.p95


def test_a_real_shift_stands_above_the_noise(texture):
    big, rng = hr_picture(texture, 2), np.random.default_rng(1)
    lr = reduced(big, 2)
    away = shift(big, (0, 0.6), order=5, mode="reflect")
    found = measure(rgb(lr + 6 * rng.standard_normal(lr.shape)), rgb(away), 2)
    assert found.beyond_noise == pytest.approx(0.3, abs=0.05)


def test_a_moved_patch_is_seen(texture):
    big = hr_picture(texture, 2)
    away = big.copy()
    away[160:320, 200:400] = shift(big, (0, 2.0), order=3, mode="reflect")[160:320, 200:400]
    found = measure(rgb(reduced(big, 2)), rgb(away), 2)
    assert found.p95 > 0.5
    assert found.median < 0.05


@pytest.mark.parametrize("noisy", [False, True])
def test_clipped_parts_say_nothing(texture, noisy):
    """A corner that is white in HR, and in LR nearly so, neither counts as exact nor silences the rest."""
    big = hr_picture(texture, 2)
    away = shift(big, (0, 1.0), order=5, mode="reflect")
    lr, hr = rgb(reduced(big, 2)), rgb(away)
    lr[:120, :144], hr[:260, :300] = 65535, 65535
    if noisy:
        lr[:120, :144] -= np.random.default_rng(0).integers(0, 500, (120, 144, 1)).astype(np.uint16)
    found = measure(lr, hr, 2)
    seen = (found.centre > [170, 150]).any(1)
    assert_allclose(np.median(found.shift[seen], axis=0), (0.5, 0), atol=0.04)
    assert found.p95 > 0.45
    hidden = (found.centre < [120, 100]).all(1)
    assert not hidden.any()


def test_what_is_masked_does_not_count(texture):
    big = hr_picture(texture, 2)
    away = big.copy()
    away[160:320, 200:400] = shift(big, (0, 2.0), order=3, mode="reflect")[160:320, 200:400]
    valid = np.full((240, 288), 255, np.uint8)
    valid[78:162, 98:202] = 0
    found, whole = (measure(rgb(reduced(big, 2)), rgb(away), 2, mask) for mask in (valid, None))
    assert found.p95 < 0.03
    assert found.zncc > whole.zncc
    assert 20 < len(found.centre) < len(whole.centre)
    assert measure(rgb(reduced(big, 2)), rgb(away), 2, 0 * valid) is None


def test_eight_and_sixteen_bits_agree(texture):
    big = hr_picture(texture, 2)
    lr = reduced(big, 2)
    wide = measure(rgb(lr), rgb(big), 2)
    narrow = measure(*(np.rint(rgb(i) / 257).astype(np.uint8) for i in (lr, big)), 2)
    assert narrow.mean_x == pytest.approx(wide.mean_x, abs=0.005)
    assert narrow.zncc == pytest.approx(wide.zncc, abs=1e-3)


def test_nothing_to_see_gives_no_figure():
    flat = np.full((60, 60, 3), 9, np.uint8), np.full((120, 120, 3), 9, np.uint8)
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (n, n, 3)).astype(np.uint8) for n in (60, 120)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measure(*flat, 2) is None
        assert measure(*noise, 2) is None
        assert measure(flat[0][:20, :20], flat[1][:40, :40], 2) is None
