"""Truth: the laws that are recorded, SciPy's Poisson and normal distributions, Philox written anew from its paper."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from realdeg.imaging import noise

KEY = 0x0123456789ABCDEF_FEDCBA9876543210
SIDE = 400  # of flat images: 160,000 samples a channel; a variance is then known to 0.35 %
BT601 = np.array([0.299, 0.587, 0.114])


def philox4x64(counter, key):
    """Ten rounds, Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011, Sec. 3.3; little end first."""
    c, k, mask = list(counter), list(key), 2**64 - 1
    for _ in range(10):
        a, b = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [(b >> 64) ^ c[1] ^ k[0], b & mask, (a >> 64) ^ c[3] ^ k[1], a & mask]
        k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
    return c


def flat(level):
    return np.full((SIDE, SIDE, 3), level, np.float32)


def added(image, noisy):
    return (noisy.astype(np.float64) - image).reshape(-1, 3)


def test_philox_gives_its_authors_known_answers():
    """kat_vectors of Random123."""
    assert philox4x64([0] * 4, [0] * 2)[:2] == [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC]
    ones = 2**64 - 1
    assert philox4x64([ones] * 4, [ones] * 2)[3] == 0xA09CAEBF594F0BA0


@given(st.integers(0, 2**128 - 1), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_bits_are_philoxs(key, count):
    """NumPy counts up before its first block: the first has the counter 1."""
    blocks = [
        word
        for block in range(1, count // 16 + 2)
        for word in philox4x64([block, 0, 0, 0], [key % 2**64, key >> 64])
    ]
    pieces = [word >> shift & 0xFFFF for word in blocks for shift in (0, 16, 32, 48)]
    ours = noise.bits(key, count)
    assert ours.dtype == np.uint16
    assert ours.tolist() == pieces[:count]


def test_bits_are_numpys_raw_philox():
    raw = np.random.Philox(key=KEY).random_raw(2500)
    assert noise.bits(KEY, 10_000).tobytes() == raw.astype("<u8").tobytes()


def test_normal_quantiles_are_scipys():
    table = noise.normal_table()
    assert_allclose(table, stats.norm.ppf((np.arange(65536) + 0.5) / 65536), atol=3e-7)
    assert table.astype(np.float64).var() == pytest.approx(0.99998, abs=1e-5)
    assert not table.flags.writeable


def test_a_field_depends_on_key_and_size_alone():
    rng = np.random.default_rng(0)
    dark, bright = (rng.uniform(low, low + 0.4, (30, 40, 3)).astype(np.float32) for low in (0.0, 0.6))
    for channels in ("colour", "grey"):
        first = noise.gaussian(dark, KEY, 10, channels) - dark
        noise.gaussian(bright, KEY + 1, 10, channels)  # nothing is kept from one call to the next
        assert_allclose(noise.gaussian(bright, KEY, 10, channels) - bright, first, atol=1e-6)
        assert np.abs(noise.gaussian(dark, KEY + 1, 10, channels) - dark - first).max() > 0.05
        assert_array_equal(
            noise.gaussian(dark, KEY, 10, channels), noise.gaussian(dark.copy(), KEY, 10, channels)
        )
    # photons: the same quantile at each pixel, whatever the image
    counts = [noise.poisson(image, KEY, 50, "colour") for image in (dark, bright)]
    assert np.corrcoef((counts[0] - dark).ravel(), (counts[1] - bright).ravel())[0, 1] > 0.9


def test_equal_keys_of_another_size_are_the_same_stream():
    assert_array_equal(noise.normal(KEY, (4, 5)).ravel(), noise.normal(KEY, (40, 5)).ravel()[:20])


@pytest.mark.parametrize("level", [0.02, 0.5, 1.0])
@pytest.mark.parametrize("sigma", [0.5, 5.0, 25.0])
@pytest.mark.parametrize("channels", ["colour", "grey"])
def test_gaussian_has_its_sigma(level, sigma, channels):
    image = flat(level)
    found = added(image, noise.gaussian(image, KEY, sigma, channels)) * 255
    assert_allclose(found.mean(0), 0, atol=4 * sigma / SIDE)
    covariance = np.cov(found.T)
    expected = sigma**2 * (np.ones((3, 3)) if channels == "grey" else np.eye(3))
    assert_allclose(covariance, expected, atol=0.02 * sigma**2)
    if channels == "grey":
        assert_allclose(found, found[:, :1] @ np.ones((1, 3)), atol=2e-4)
    assert stats.kstest(found[:20_000, 0] / sigma, "norm").pvalue > 1e-4


@pytest.mark.parametrize("level", [0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("sigma", [2.0, 25.0])
@pytest.mark.parametrize("channels", ["colour", "grey"])
def test_speckle_is_proportional_to_the_image(level, sigma, channels):
    image = flat(level)
    found = added(image, noise.gaussian(image, KEY + 2, sigma, channels, speckle=True)) * 255
    expected = (level * sigma) ** 2 * (np.ones((3, 3)) if channels == "grey" else np.eye(3))
    assert_allclose(np.cov(found.T), expected, atol=0.02 * (level * sigma) ** 2)


COVARIANCES = [
    [400, 100, 50, 100, 300, -80, 50, -80, 200],
    [100, 100, 100, 100, 100, 100, 100, 100, 100],  # singular: grey
    [25, 0, 0, 0, 4, 0, 0, 0, 0],
]


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("speckle", [False, True])
def test_correlated_noise_has_its_covariance(covariance, speckle):
    image = flat(0.6)
    noisy = noise.gaussian(image, KEY + 3, 0, "correlated", covariance, speckle=speckle)
    found = np.cov(added(image, noisy).T) * 255**2
    expected = np.reshape(covariance, (3, 3)) * (0.36 if speckle else 1)
    assert_allclose(found, expected, atol=0.02 * np.diag(expected).max())
    root = noise.mixing(covariance)
    assert_allclose(root @ root.T, np.reshape(covariance, (3, 3)), atol=1e-9)


@pytest.mark.parametrize("amount", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("photons", [50, 150, 1000, 10_000])
@pytest.mark.parametrize("level", [0.0005, 0.004, 0.02, 0.05, 0.3, 1.0])
def test_poisson_counts_photons(level, photons, amount):
    """Mean kept, variance amount^2 level / photons; below 4 photons too (level 0.0005: from 0.025 on)."""
    image = flat(level)
    found = added(image, noise.poisson(image, KEY + photons, photons, "colour", amount))
    variance = amount**2 * float(image[0, 0, 0]) / photons
    spread = np.sqrt(variance / len(found))
    assert_allclose(found.mean(0), 0, atol=4.5 * spread)
    # The variance of a variance of counts: (2 + 1 / mean) sigma^4 / n.
    known_to = 4.5 * np.sqrt((2 + 1 / (level * photons)) / len(found))
    assert_allclose(np.cov(found.T), variance * np.eye(3), atol=max(0.02, known_to) * variance)
    counts = (found / amount + float(image[0, 0, 0])) * photons
    assert_allclose(counts, np.rint(counts), atol=2e-3 + photons * 3e-7)
    assert counts.min() > -0.5


@pytest.mark.parametrize("photons", [50, 1000])
def test_grey_poisson_counts_luma(photons):
    """Equal noise in all channels, its variance that of the luma, whatever the colours."""
    image = np.empty((SIDE, SIDE, 3), np.float32)
    image[:] = (0.9, 0.2, 0.4)
    found = added(image, noise.poisson(image, KEY, photons, "grey"))
    assert_allclose(found, found[:, :1] @ np.ones((1, 3)), atol=3e-7)
    luma = float(np.array([0.9, 0.2, 0.4]) @ BT601)
    assert found[:, 0].var() == pytest.approx(luma / photons, rel=0.02)


def test_negative_values_give_no_photons():
    image = np.full((4, 4, 3), -0.2, np.float32)
    assert_array_equal(noise.poisson(image, KEY, 100), image)


def every_quantile(mean):
    u = np.arange(65536)
    ours = noise.poisson_counts(np.full(65536, float(mean)), noise.normal_table(), u.astype(np.uint16), np)
    return ours, stats.poisson.ppf((u + 0.5) / 65536, mean)


@pytest.mark.parametrize("mean", [1e-4, 0.02, 0.5, 1.0, 2.0, 3.3, 4.0])
def test_few_photons_are_scipys_quantiles(mean):
    ours, exact = every_quantile(mean)
    assert_array_equal(ours, exact)


@pytest.mark.parametrize("mean", [4.001, 4.5, 5.0, 6.1, 8.0, 10.5, 20.0, 50.0, 100.0, 1000.0, 10_000.0])
def test_many_photons_are_scipys_quantiles_but_for_few(mean):
    """As documented: at most 16 of 10,000 off, by one photon; and never less than none."""
    ours, exact = every_quantile(mean)
    assert np.abs(ours - exact).max() <= 1
    assert np.mean(ours != exact) <= 0.0016
    assert ours.min() >= 0


def test_no_photon_gives_no_noise():
    ours, _ = every_quantile(0.0)
    assert not ours.any()


def test_torch_counts_the_same_photons():
    rng = np.random.default_rng(1)
    mean = np.concatenate([rng.uniform(0, 8, 20_000), 10 ** rng.uniform(0, 4, 20_000)])
    drawn = rng.integers(0, 65536, mean.size)
    z = noise.normal_table()[drawn]
    ours = noise.poisson_counts(mean, z, drawn.astype(np.uint16), np)
    tensors = (torch.from_numpy(one) for one in (mean, z, drawn))
    theirs = noise.poisson_counts(*tensors, torch)
    assert_array_equal(ours, theirs.numpy())


def test_large_fields_are_done_in_parts():
    """More than 2**15 samples: the parts join without a seam."""
    image = np.random.default_rng(2).uniform(0, 1, (120, 110, 3)).astype(np.float32)
    assert image.size > noise.AT_ONCE
    found = noise.poisson(image, KEY, 80)
    u = (noise.bits(KEY, image.size).astype(np.float64) + 0.5) / 65536
    mean = image.ravel().astype(np.float64) * 80
    exact = image.ravel() + (stats.poisson.ppf(u, mean) - mean) / 80
    assert np.mean(np.abs(found.ravel() - exact) > 1e-5) < 0.002


def test_photons_by_distinct_levels():
    """2 to the power of the rounded-up log2 of the number of levels."""
    for count, photons in ((1, 1), (2, 2), (3, 4), (64, 64), (65, 128), (256, 256)):
        image = np.resize(np.arange(count), (30, 30, 3)).astype(np.float32) / 255
        assert noise.distinct_levels(image) == photons
