"""Truth: Gaussians with two axes, put in by SciPy."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import convolve, gaussian_filter

from realdeg.align.psf import Psf, estimate

BASE = 0.45


def fine(texture, seed=0, size=(384, 448)):
    """Detail down to single pixels."""
    rng = np.random.default_rng(seed)
    return texture(*size, seed=seed) + 0.05 * rng.standard_normal(size).astype(np.float32)


def gaussian(major, minor, angle):
    """Kernel with standard deviations along two axes; angle from x towards y, degrees."""
    y, x = np.mgrid[-12:13, -12:13].astype(float)
    a = np.radians(angle)
    along, across = x * np.cos(a) + y * np.sin(a), y * np.cos(a) - x * np.sin(a)
    kernel = np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)


@pytest.mark.parametrize(
    ("major", "minor", "angle"),
    [(1.0, 1.0, 0), (1.2, 0.8, 0), (1.3, 0.9, 90), (1.1, 0.7, 30), (1.4, 0.8, -55)],
)
def test_a_blur_with_two_axes_is_found_again(texture, major, minor, angle):
    image = fine(texture)
    found = estimate(convolve(image, gaussian(major, minor, angle), mode="reflect"), image, 0.0)
    assert found.major == pytest.approx(major, rel=0.05)
    assert found.minor == pytest.approx(minor, rel=0.05)
    if major > minor:
        assert abs((found.angle - angle + 90) % 180 - 90) < 4


@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.6])
def test_the_blur_that_hr_has_already_counts(texture, sigma):
    """LR is blurred by sigma, HR by 0.45: what HR lacks, and its own 0.45, make sigma."""
    image = fine(texture)
    lr, hr = (gaussian_filter(image, s, mode="reflect", truncate=6) for s in (sigma, BASE))
    found = estimate(lr, hr, BASE)
    assert found.sigma == pytest.approx(sigma, rel=0.08)


def test_noise_and_contrast_do_not_matter(texture):
    rng, image = np.random.default_rng(3), fine(texture)
    lr = 0.7 * gaussian_filter(image, 1.0, mode="reflect") + 0.1
    lr = lr + (2 / 255) * rng.standard_normal(lr.shape)
    found = estimate(lr.astype(np.float32), image, 0.0)
    assert found.sigma == pytest.approx(1.0, rel=0.07)


def test_a_loud_part_does_not_decide(texture):
    """A fifth of the picture has ten times the contrast, and its own blur."""
    image = fine(texture, size=(384, 640))
    lr = gaussian_filter(image, 0.8, mode="reflect")
    loud = gaussian_filter(image, 1.6, mode="reflect")
    part = np.s_[:, :128]
    lr[part], image[part] = 10 * loud[part], 10 * image[part]
    assert estimate(lr[:, :128], image[:, :128], 0.0).sigma > 1.5
    assert estimate(lr, image, 0.0).sigma < 1.2


def test_nor_does_a_sky_of_noise(texture):
    rng, image = np.random.default_rng(4), fine(texture, size=(384, 448))
    image[:224] = 0.6
    lr, hr = (gaussian_filter(image, s, mode="reflect") for s in (1.0, BASE))
    lr, hr = (i + (1.2 / 255) * rng.standard_normal(i.shape).astype(np.float32) for i in (lr, hr))
    assert estimate(lr, hr, BASE).sigma == pytest.approx(1.0, rel=0.1)


def test_hr_softer_than_lr_leaves_no_blur(texture):
    image = fine(texture)
    soft = gaussian_filter(image, 1.2, mode="reflect")
    assert estimate(image, soft, BASE).sigma < 0.2


def test_equal_pictures_say_what_hr_has(texture):
    image = fine(texture)
    assert_allclose(estimate(image, image, BASE).sigma, BASE, atol=0.01)


def test_nothing_in_common_gives_nothing(texture):
    one, other = (np.random.default_rng(i).standard_normal((256, 256)).astype(np.float32) for i in (0, 1))
    assert estimate(one, other, BASE) is None
    assert estimate(one[:12], one[:12], BASE) is None


def test_small_pictures_have_smaller_windows(texture):
    image = fine(texture, size=(40, 48))
    found = estimate(cv2.GaussianBlur(image, (0, 0), 0.9), image, 0.0)
    assert found.sigma == pytest.approx(0.9, rel=0.25)


def test_sigma_is_the_round_gaussians_of_the_same_variance():
    assert Psf(3.0, 1.0, 20.0).sigma == pytest.approx(np.sqrt(5))
