"""Truth: KernelGAN's and BasicSR's outputs (tests/golden/README.md), linear ramps, the definition in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import ndimage

from realdeg.imaging.blur import align_kernel, blur, blur_subsample, blur_subsample_reference
from realdeg.imaging.kernels import centre_of_mass, gaussian, motion, shifted


@pytest.fixture(scope="module")
def blurred(golden):
    return dict(np.load(golden / "blur_subsample.npz"))


def test_gaussians_are_basicsrs(golden):
    z = np.load(golden / "kernels.npz")
    for size in (7, 13):
        for sx, sy, angle in ((1.2, 1.2, 0.0), (2.5, 0.7, 0.6), (0.2, 0.2, 0.0)):
            expected = z[f"basicsr_gauss_k{size}_sx{sx}_sy{sy}_th{angle}"]
            assert_allclose(gaussian(size, sx, sy, angle), expected, atol=1e-12)


def test_kernelgan_kernels_give_kernelgans_image(blurred):
    """k4 is stored where KernelGAN's imresize wants it; its centre of mass says the same to 1/2000 px."""
    at = align_kernel(blurred["k4"], 4)
    assert at.moved == (0.0, 0.0)
    hr, expected = blurred["hr_96x120"].astype(np.float32), blurred["kgan_imresize_float_x4_k4"]
    scale = 255 if expected.max() > 2 else 1
    ours = blur_subsample(hr / (255 / scale), at, 4)
    # KernelGAN mirrors another border; its kernel reaches 16 HR px, 4 LR px.
    assert_allclose(ours[4:-4, 4:-4] * (255 / scale), expected[4:-4, 4:-4] * (255 / scale), atol=2e-3)


def test_blur_is_scipys_correlation(blurred):
    """Without subsampling by more than picking pixels: scale 3 keeps the kernel where it is."""
    hr, kernel = blurred["hr_96x120"].astype(np.float64), gaussian(15, 2.0, 1.2, 0.4)
    at = align_kernel(kernel, 3)
    whole = np.stack([ndimage.correlate(hr[..., c], kernel, mode="reflect") for c in range(3)], -1)
    assert_allclose(blur_subsample_reference(hr, at, 3), whole[1::3, 1::3], atol=1e-9)


@given(
    st.sampled_from([2, 3, 4, 8]),
    st.integers(3, 12),
    st.integers(3, 12),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_fast_and_reference_agree_and_nothing_is_displaced(scale, height, width, seed):
    """Any kernel, odd or even: a ramp comes out as LR pixel positions s i + (s - 1) / 2."""
    rng = np.random.default_rng(seed)
    kernel = rng.uniform(0.2, 1, (height, width))
    at = align_kernel(kernel, scale)
    n = 16
    x, y = np.meshgrid(np.arange(scale * n, dtype=np.float64), np.arange(scale * n, dtype=np.float64))
    image = np.stack([x, y, rng.uniform(0, 100, x.shape)], -1)
    reference = blur_subsample_reference(image, at, scale)
    assert_allclose(
        blur_subsample(image.astype(np.float32), at, scale), reference, atol=2e-2 if scale == 8 else 5e-3
    )
    margin = (max(height, width) + 5) // scale + 2
    if n - 2 * margin >= 1:
        inner = slice(margin, n - margin)
        expected = scale * np.arange(n)[inner] + (scale - 1) / 2
        assert_allclose(reference[inner, inner, 0][0], expected, atol=1e-3)
        assert_allclose(reference[inner, inner, 1][:, 0], expected, atol=1e-3)


def test_shifting_keeps_the_sum_and_moves_the_centre():
    kernel = gaussian(13, 1.5, 0.9, 0.3)
    moved = shifted(kernel, 0.5, -0.25)
    assert moved.sum() == pytest.approx(1, abs=1e-9)
    before, after = centre_of_mass(kernel), centre_of_mass(moved)
    assert after[0] - before[0] == pytest.approx(2.5, abs=1e-4)  # two pixels of border, and the half
    assert after[1] - before[1] == pytest.approx(1.75, abs=1e-4)


def test_a_flat_image_stays_flat():
    at = align_kernel(gaussian(9, 1.1), 2)
    flat = np.full((24, 20, 3), 0.3, np.float32)
    assert_allclose(blur_subsample(flat, at, 2), 0.3, atol=1e-6)


@pytest.mark.parametrize("kernel", [gaussian(5, 1.0), motion(4.0, 0.5)])
def test_one_channel_stays_one(kernel):
    image = np.random.default_rng(0).random((12, 16, 1), np.float32)
    assert blur(image, align_kernel(kernel, 1)).shape == (12, 16, 1)
    assert blur_subsample(image, align_kernel(kernel, 2), 2).shape == (6, 8, 1)
