"""kornia as a second opinion on the operators on tensors: equal where both mean the same (docs/architecture.md)."""

from __future__ import annotations

import kornia
import pytest
import torch
from torch.testing import assert_close

from realdeg.imaging import batched
from realdeg.imaging.blur import align_kernel
from realdeg.imaging.kernels import gaussian

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 48, 56, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("border", ["reflect", "replicate"])
def test_blurs_alike_to_the_border(images, border):
    kernels = [gaussian(13, 0.8 + 0.4 * i, 1.5, 0.3) for i in range(3)]
    ours = batched.blur(images, [align_kernel(kernel, 1) for kernel in kernels], 1, border)
    stack = torch.stack([torch.from_numpy(kernel) for kernel in kernels]).float()
    assert_close(ours, kornia.filters.filter2d(images, stack, border_type=border), atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "area"])
@pytest.mark.parametrize("size", [(12, 14), (96, 112)])
def test_resizes_alike_without_antialiasing(images, method, size):
    ours = batched.resample(images, size, method, antialias=False)
    corners = None if method == "area" else False
    theirs = kornia.geometry.resize(images, size, interpolation=method, align_corners=corners)
    cut = 8 if size > (48, 56) else 2  # other borders
    inside = (..., slice(cut, -cut), slice(cut, -cut))
    assert_close(ours[inside], theirs[inside], atol=1e-6, rtol=0)


def test_antialiasing_means_something_else(images):
    """kornia blurs by a Gaussian first; MATLAB, Pillow and we widen the kernel (checked against those)."""
    ours = batched.resample(images, (12, 14), "bicubic")
    theirs = kornia.geometry.resize(images, (12, 14), "bicubic", align_corners=False, antialias=True)
    assert (ours - theirs)[..., 2:-2, 2:-2].abs().max() > 0.02


def test_takes_the_luma_alike(images):
    assert_close(batched.luma(images), kornia.color.rgb_to_grayscale(images), atol=1e-6, rtol=0)


def test_sharpens_alike_where_all_is_sharpened(images):
    ours = batched.unsharp(images, torch.ones(3), 5, torch.full((3,), -1.0))
    theirs = kornia.filters.unsharp_mask(images, (5, 5), (1.1, 1.1)).clamp(0, 1)
    assert_close(ours, theirs, atol=1e-6, rtol=0)
