"""Truth: noise whose covariance is known, cosine transforms of SciPy, and surfaces fitted by NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import fft, ndimage

from realdeg.noise import spectrum as ns

MIX = np.array([[1.0, 0.3, 0.0], [0.2, 1.5, 0.1], [0.0, 0.4, 2.0]])
SIZES = st.sampled_from([32, 48, 64, 128])


def test_bands_share_all_coefficients_but_the_mean():
    for size in (32, 64, 96):
        assert ns.coefficients(size).sum() == size**2 - 1
        radius = np.hypot(*np.mgrid[:size, :size]) / (2 * size)
        band = ns.band_of(size)
        for number in range(1, ns.BANDS - 1):
            inside = radius[band == number]
            assert ((inside >= ns.EDGES[number]) & (inside < ns.EDGES[number + 1])).all()


def test_white_noise_has_its_covariance_in_every_band():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (64, 64, 64, 3)) @ MIX.T
    found = ns.covariance(ns.transform(noise.astype(np.float32))).mean(0)
    assert np.allclose(found[ns.LOWEST :], MIX @ MIX.T, atol=0.12 * 5)
    assert np.allclose(found[-4:], MIX @ MIX.T, atol=0.05)


@given(st.integers(0, 2**32 - 1), SIZES)
def test_the_variance_of_a_window_is_that_of_its_bands(seed, size):
    rng = np.random.default_rng(seed)
    window = ndimage.gaussian_filter(rng.normal(0, 9, (size, size, 3)), (rng.uniform(0, 2),) * 2 + (0,))
    window -= window.mean((0, 1))
    bands = ns.covariance(ns.transform(window[None].astype(np.float32)))
    expected = np.square(window).sum((0, 1)) / (size**2 - 1)
    assert np.allclose(ns.variance(bands, size)[0], expected, rtol=1e-3)


@given(st.integers(0, 2**32 - 1), SIZES)
def test_grey_and_colour_share_the_energy(seed, size):
    window = np.random.default_rng(seed).normal(0, 3, (1, size, size, 3)).astype(np.float32)
    bands = ns.covariance(ns.transform(window))
    assert np.allclose(ns.luma(bands) + 2 * ns.chroma(bands), np.trace(bands, axis1=2, axis2=3))
    grey = np.broadcast_to(window[..., :1], window.shape)
    assert ns.chroma(ns.covariance(ns.transform(grey))).max() < 1e-4


@given(st.integers(0, 2**32 - 1))
def test_shading_of_second_degree_goes_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] / 63
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    noise = rng.normal(0, 2, (64, 64, 3))
    shaded = noise + terms @ rng.uniform(-60, 60, (6, 3))
    left = noise.reshape(-1, 3)
    left = left - terms.reshape(-1, 6) @ np.linalg.lstsq(terms.reshape(-1, 6), left, rcond=None)[0]
    assert np.allclose(ns.without_shading(shaded[None])[0].reshape(-1, 3), left, atol=1e-3)


@given(st.integers(0, 2**32 - 1), SIZES)
def test_there_and_back(seed, size):
    window = np.random.default_rng(seed).normal(0, 3, (2, size, size, 3)).astype(np.float32)
    assert np.allclose(ns.back(ns.transform(window)), window, atol=1e-4)
    truth = fft.dctn(window[1, ..., 2].astype(np.float64), norm="ortho")
    assert np.allclose(ns.transform(window)[1, 2], truth, atol=1e-3)


def test_mending_keeps_what_lies_above_and_makes_what_lies_below():
    """Strong blotches go; all bands above stay as they are; what is made is as strong as those above."""
    rng = np.random.default_rng(1)
    low = ns.band_of(64) < ns.LOWEST
    energies = []
    for key in range(40):
        noise = rng.normal(0, 3, (64, 64, 3))
        blotchy = noise + 5 * ndimage.gaussian_filter(rng.normal(0, 9, (64, 64, 3)), (16, 16, 0))
        residual = ns.without_shading(blotchy[None])[0]
        before, after = (
            ns.transform(one[None])[0] for one in (residual, ns.replace_low_bands(residual, key))
        )
        assert np.allclose(after[:, ~low], before[:, ~low], atol=1e-3)
        assert np.allclose(after[:, 0, 0], 0, atol=1e-4)
        after[:, 0, 0] = np.nan
        energies.append(np.nanmean(np.square(after[:, low])))
    assert np.mean(energies) == pytest.approx(9, rel=0.25)
    assert np.array_equal(ns.replace_low_bands(residual, 3), ns.replace_low_bands(residual, 3))
    assert not np.array_equal(ns.replace_low_bands(residual, 3), ns.replace_low_bands(residual, 4))


def test_made_noise_has_the_spectrum_that_was_asked_for():
    """That of a camera's noise: smoothed, channels correlated; measured on much of it by another's hand."""
    rng = np.random.default_rng(2)
    noise = ndimage.gaussian_filter(rng.normal(0, 8, (300, 64, 64, 3)) @ MIX.T, (0, 0.7, 0.7, 0), mode="wrap")
    wanted = ns.covariance(ns.transform(noise.astype(np.float32))).mean(0)
    made = np.stack([ns.synthesise(wanted, key, 64) for key in range(200)])
    found = ns.covariance(ns.transform(made)).mean(0)
    one, two = (np.trace(bands, axis1=1, axis2=2) for bands in (found, wanted))
    assert np.allclose(one, two, atol=0.07 * two.max())
    for lag in (1, 2, 3):
        for axis in (1, 2):
            one, two = (
                (many * np.roll(many, lag, axis))[:, 4:, 4:].mean() / np.square(many).mean()
                for many in (made, noise)
            )
            assert one == pytest.approx(two, abs=0.05)
    assert np.allclose(np.corrcoef(made.reshape(-1, 3).T), np.corrcoef(noise.reshape(-1, 3).T), atol=0.03)


def test_drawing_on_levels_the_lowest_bands():
    bands = np.arange(1.0, ns.BANDS + 1)[:, None, None] * np.eye(3)
    even = ns.extrapolate_bands(bands)
    assert np.array_equal(even[ns.LOWEST :], bands[ns.LOWEST :])
    assert np.allclose(even[: ns.LOWEST], (ns.LOWEST + 1.5) * np.eye(3))
