"""Truth: kernels that the tests blur with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import loadmat

from realdeg.imaging.blur import AlignedKernel, align_kernel, blur_subsample
from realdeg.imaging.kernels import gaussian
from realdeg.io.photo import read
from realdeg.kernels.from_pairs import PairKernel, kernel_of_pair
from realdeg.kernels.settings import side
from realdeg.refusal import Refusal


@pytest.fixture(scope="module")
def coffee(sample):
    return read(sample / "clean" / "coffee.png").pixels[:384, :600]


@pytest.fixture(scope="module")
def kernels(sample):
    cells = loadmat(sample / "kernels" / "kernels_12.mat")["kernels"].ravel()
    return [np.asarray(cell, np.float64) for cell in cells]


def truth(at: AlignedKernel, n: int) -> np.ndarray:
    """The placed kernel in an (n, n) window whose middle is the LR pixel's place; whole, or the test is wrong."""
    result = np.zeros((n + 40, n + 40))
    y, x = (n - 1) // 2 + 20 - at.anchor[1], (n - 1) // 2 + 20 - at.anchor[0]
    result[y : y + at.kernel.shape[0], x : x + at.kernel.shape[1]] = at.kernel
    assert np.abs(result).sum() - np.abs(result[20:-20, 20:-20]).sum() < 0.02
    return result[20:-20, 20:-20]


def pair(hr, at, scale, sigma_8bit=0.0, seed=0):
    noise = np.random.default_rng(seed).normal(
        0, sigma_8bit / 255, (hr.shape[0] // scale, hr.shape[1] // scale, 3)
    )
    lr = blur_subsample(hr, at, scale) + noise
    return np.rint(lr * 255).clip(0, 255) / 255, hr / 255


def kernel_psnr(ours, theirs):
    return 10 * np.log10(1 / np.square(ours - theirs).mean())


@pytest.mark.parametrize(("sigma_8bit", "least"), [(0, 62), (2, 51)])
@pytest.mark.parametrize("which", [4, 9])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_recovers_the_kernel(coffee, kernels, scale, which, sigma_8bit, least):
    """Asked for: 55 dB and 45 dB; peak 1."""
    at = align_kernel(kernels[which], scale)
    found = kernel_of_pair(*pair(coffee, at, scale, sigma_8bit), scale, 25, max_pixels=10_000)
    assert isinstance(found, PairKernel)
    assert found.kernel.shape == (side(scale, 25),) * 2
    assert found.kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel_psnr(found.kernel, truth(at, len(found.kernel))) > least
    assert found.residual_8bit == pytest.approx(np.hypot(sigma_8bit, 12**-0.5), rel=0.05)


def test_states_its_error(coffee):
    """Errors of eight noisy pairs over what is stated for them: 1 on average."""
    over = {"weights": [], "centre": [], "width": []}
    for seed in range(8):
        at = align_kernel(gaussian(9, 0.8 + 0.1 * seed, 0.8), 4)
        found = kernel_of_pair(*pair(coffee, at, 4, 2, seed), 4, 13)
        real = kernel_of_pair(*pair(coffee, at, 4, 0, seed), 4, 13)
        expected = truth(at, 14)
        over["weights"].append(np.square((found.kernel - expected) / found.sd).mean())
        over["centre"] += list(np.square((np.array(found.centre) - real.centre) / found.centre_sd))
        over["width"] += list(np.square((np.array(found.width) - real.width) / found.width_sd))
    for name, squares in over.items():
        assert 0.4 < np.sqrt(np.mean(squares)) < 1.5, name


def test_fits_gain_and_offset_of_each_channel(coffee):
    at = align_kernel(gaussian(13, 1.6), 2)
    lr, hr = pair(coffee, at, 2)
    lr = lr * [0.8, 0.9, 0.95] + np.array([4, 0, -1]) / 255
    found = kernel_of_pair(lr, hr, 2)
    np.testing.assert_allclose(found.gain, [0.8, 0.9, 0.95], atol=0.002)
    np.testing.assert_allclose(found.offset_8bit, [4, 0, -1], atol=0.2)
    assert kernel_psnr(found.kernel, truth(at, len(found.kernel))) > 60


def test_sees_what_registration_left(coffee):
    at = align_kernel(gaussian(13, 1.6), 4)
    moved = AlignedKernel(at.kernel, (at.anchor[0] - 1, at.anchor[1] + 2), (0.0, 0.0))
    found = kernel_of_pair(*pair(coffee, moved, 4), 4)
    assert found.centre == pytest.approx((1, -2), abs=0.02)
    assert found.width == pytest.approx((1.6, 1.6), abs=0.05)


def test_each_part_of_the_field_has_its_own(coffee):
    lr, hr = pair(coffee, align_kernel(gaussian(13, 1.0), 2), 2)
    wide, _ = pair(coffee, align_kernel(gaussian(13, 2.0), 2), 2)
    half = lr.shape[1] // 2
    lr[:, half:] = wide[:, half:]
    left = kernel_of_pair(lr, hr, 2, part=(slice(None), slice(0, half)))
    right = kernel_of_pair(lr, hr, 2, part=(slice(None), slice(half, None)))
    assert left.width == pytest.approx((1, 1), abs=0.05)
    assert right.width == pytest.approx((2, 2), abs=0.05)


def test_refuses_what_tells_nothing(coffee):
    lr, hr = pair(coffee, align_kernel(gaussian(13, 1.6), 4), 4)
    flat = kernel_of_pair(np.full_like(lr, 0.5), np.full_like(hr, 0.5), 4)
    assert isinstance(flat, Refusal)
    assert "flat" in flat.reason
    white = kernel_of_pair(np.ones_like(lr), np.ones_like(hr), 4)
    assert "0 pixels" in white.reason
    rng = np.random.default_rng(0)
    strange = kernel_of_pair(rng.uniform(0.2, 0.8, lr.shape), hr, 4)
    assert "register" in strange.remedy
    small = kernel_of_pair(lr[:18, :18], hr[:72, :72], 4)
    assert "pixels" in small.reason
    with pytest.raises(ValueError, match="not 4 times"):
        kernel_of_pair(lr[:-1], hr, 4)


def test_sides_put_lr_pixels_in_the_middle():
    assert [side(s) for s in (2, 3, 4)] == [14, 19, 26]
    assert side(2, 13) == 14
    assert side(3, 14) == 15
