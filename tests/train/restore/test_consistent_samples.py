"""Agreement with LR, moments of samples, published rows. Truth: torch over whole stacks, printed tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.imaging.cem import cem
from realdeg.imaging.consistency import project
from realdeg.imaging.depth import to_float
from realdeg.imaging.resample import resize
from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.metrics.lr_psnr import lr_psnr
from train.evaluate.published_space import ROWS, published
from train.restore.enforced import HOWS, enforced
from train.restore.model import to_uint8
from train.restore.moments import Moments


def rough(hr, scale, seed):
    """LR, and an image that is nowhere near it: bicubic with noise of 8 levels."""
    lr = np.asarray(resize(hr, 1 / scale), np.uint8)
    image = resize(lr / np.float32(255), scale) + np.random.default_rng(seed).normal(0, 8 / 255, hr.shape)
    return lr, torch.tensor(image, dtype=torch.float32).permute(2, 0, 1)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_each_way_is_the_function_it_names(how, kind):
    rng = np.random.default_rng(1)
    image, small = rng.random((24, 32, 3)).astype(np.float32), rng.random((6, 8, 3))
    lr = np.rint(small * np.iinfo(kind).max).astype(kind)
    whole = to_float(lr)
    expected = {"none": image, "project": project(image, whole, 4), "cem": cem(image, whole, 4)}[how]
    found = enforced(torch.tensor(image).permute(2, 0, 1), lr, 4, how)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.permute(1, 2, 0), expected)


def test_an_unknown_way_and_another_size_are_refused():
    image = torch.zeros(3, 8, 8)
    with pytest.raises(ValueError, match="none of none, project, cem"):
        enforced(image, np.zeros((2, 2, 3), np.uint8), 4, "clamp")
    for how in ("project", "cem"):
        with pytest.raises(ValueError, match="is not 4 times LR"):
            enforced(image, np.zeros((3, 2, 3), np.uint8), 4, how)


@pytest.mark.parametrize(("scale", "promised", "vspsr"), [(4, 50, 47.2), (8, 45, 46.8)])
def test_any_image_agrees_after_projection(shared_data, scale, promised, vspsr):
    """On the images of Set5 that are not saturated; published for VSpSR after CEM: 47.2 and 46.8 dB."""
    measured = 0
    for found in find_images(shared_data("Set5") / "HR"):
        hr = read(found.path).pixels
        hr = np.ascontiguousarray(hr[: hr.shape[0] // 8 * 8, : hr.shape[1] // 8 * 8])
        if np.isin(hr, (0, 255)).mean() > 0.005:
            continue
        lr, image = rough(hr, scale, seed=measured)
        assert lr_psnr(to_uint8(image), hr, scale=scale) < 45
        exact = lr_psnr(to_uint8(enforced(image, lr, scale, "project")), hr, scale=scale)
        assert exact >= max(promised, vspsr), found.key
        assert exact > lr_psnr(to_uint8(enforced(image, lr, scale, "cem")), hr, scale=scale), found.key
        measured += 1
    assert measured >= 3


@given(st.integers(1, 6), st.floats(0, 1), st.floats(1e-5, 0.3), st.integers(0, 2**31))
@settings(deadline=None)
def test_moments_are_those_of_the_whole_stack(count, level, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    images = level + spread * torch.randn(count, 3, 4, 5, generator=generator, dtype=torch.float64)
    images = images.float()
    moments = Moments()
    for image in images:
        moments.add(image)
    torch.testing.assert_close(moments.mean, images.double().mean(0).float(), rtol=0, atol=3e-7)
    expected = images.double().std(0, correction=1) if count > 1 else torch.zeros(3, 4, 5)
    torch.testing.assert_close(moments.std, expected.float(), rtol=1e-3, atol=3e-7)


def test_moments_keep_to_themselves():
    moments, image = Moments(), torch.full((2, 2), 0.5)
    moments.add(image)
    moments.mean.zero_()
    image += 1
    moments.add(image)
    assert moments.mean.tolist() == [[1.0] * 2] * 2
    assert image.tolist() == [[1.5] * 2] * 2
    torch.testing.assert_close(moments.std, torch.full((2, 2), 0.5**0.5))


def test_moments_of_nothing_or_of_several_shapes_are_refused():
    moments = Moments()
    for name in ("mean", "std"):
        with pytest.raises(ValueError, match="no image"):
            getattr(moments, name)
    moments.add(torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"\(4, 3\) after \(3, 4\)"):
        moments.add(torch.zeros(4, 3))


def test_published_rows_are_those_of_the_tables():
    four, eight = published(4), published(8)
    assert len(ROWS) == len(four) + len(eight)
    assert (four[0].name, eight[0].name) == ("njtech&seu", "njtech&seu")
    assert [row.diversity for row in four] == sorted((row.diversity for row in four), reverse=True)
    assert published(2) == []
    named = {(row.name, row.scale): row for row in ROWS}
    assert len(named) == len(ROWS)
    vspsr = named["VSpSR (challenge)", 4]
    assert (vspsr.lpips, vspsr.lr_psnr, vspsr.diversity) == (0.273, 47.20, 16.450)
    assert named["VSpSR (challenge)", 8].lr_psnr == 46.78
    for row in ROWS:
        assert 0 <= row.diversity <= 100
        assert row.lpips is None or 0 < row.lpips < 1
        assert 20 < row.lr_psnr < 60
