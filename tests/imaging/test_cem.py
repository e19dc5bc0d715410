"""Truth: figures of VSpSR's published filters, and its operators in two dimensions by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from realdeg.imaging.cem import cem, inverse, taps
from realdeg.imaging.consistency import project
from realdeg.imaging.resample import resize
from realdeg.io.save import to_uint
from realdeg.metrics.lr_psnr import lr_psnr


def reduced(image, scale):
    """H as published: one filter of two dimensions over the whole image, then every s-th pixel."""
    h = np.outer(taps(scale), taps(scale))[..., None]
    phase = scale - scale // 2 - 1
    return ndimage.correlate(image, h, mode="nearest")[phase::scale, phase::scale]


def enlarged(lr, scale):
    """H' as published: zeros between pixels, then the mirrored filter, times s squared."""
    phase = scale - scale // 2 - 1
    spread = np.zeros((lr.shape[0] * scale, lr.shape[1] * scale, lr.shape[2]))
    spread[phase::scale, phase::scale] = lr
    h = np.outer(taps(scale), taps(scale))[::-1, ::-1, None]
    return ndimage.correlate(spread, h * scale**2, mode="nearest")


def decibels(error):
    return -10 * np.log10(np.square(error).mean())


@pytest.mark.parametrize(("scale", "centre"), [(4, 1.5548), (8, 1.5536)])
def test_the_inverse_is_that_of_the_official_code(scale, centre):
    found = inverse(scale)
    assert found.shape == (27, 27)
    assert found.sum() == pytest.approx(0.999997, abs=5e-7)
    assert found[13, 13] == found.max() == pytest.approx(centre, abs=5e-5)
    assert_allclose(found, found.T, atol=1e-12)
    assert_allclose(found, found[::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_filter_is_opencvs_cubic(scale):
    """The published filter is what OpenCV makes of a single white pixel."""
    import cv2

    dot = np.zeros((1, 11))
    dot[0, 5] = 1
    drawn = cv2.resize(dot, (11 * scale, 1), interpolation=cv2.INTER_CUBIC)[0] / scale
    first = 5 * scale + scale - scale // 2 - 1 - 2 * scale
    ours = taps(scale)
    assert_allclose(ours, drawn[first : first + 4 * scale + 1], rtol=0, atol=1e-6)
    assert drawn.sum() == pytest.approx(ours.sum(), abs=1e-6), "nothing of it lies outside"
    assert ours.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_it_is_its_definition_in_two_dimensions(scale):
    rng = np.random.default_rng(scale)
    image, lr = rng.random((9 * scale, 12 * scale, 3)), rng.random((9, 12, 3))
    lacks = ndimage.correlate(lr - reduced(image, scale), inverse(scale)[..., None], mode="nearest")
    found = cem(image, lr, scale)
    assert found.dtype == np.float32
    assert_allclose(found, image + enlarged(lacks, scale), atol=3e-6)


@pytest.mark.parametrize(("scale", "before", "whole"), [(4, 10.6, 45.0), (8, 10.7, 44.3)])
def test_white_noise_is_made_consistent_inside(scale, before, whole):
    """Official filters on 64 x 64 LR: 10.6 -> 123.6 dB inside, 45.0 dB with borders; 10.7 -> 122.3, 44.3."""
    rng = np.random.default_rng(0)
    image, lr = rng.random((64 * scale, 64 * scale, 3)), rng.random((64, 64, 3))
    assert decibels(reduced(image, scale) - lr) == pytest.approx(before, abs=0.2)
    error = reduced(cem(image, lr, scale).astype(np.float64), scale) - lr
    assert decibels(error[16:-16, 16:-16]) >= 120
    assert decibels(error[3:-3, 3:-3]) >= 120
    assert decibels(error) == pytest.approx(whole, abs=0.5)


@pytest.mark.parametrize(
    ("name", "scale", "bicubic", "published", "exact"),
    [
        ("astronaut", 4, 36.11, 45.29, 50.16),
        ("astronaut", 8, 33.13, 41.97, 45.54),
        ("coffee", 4, 39.01, 49.30, 58.00),
        ("coffee", 8, 37.01, 46.49, 54.11),
        ("cat", 4, 42.16, 52.07, 74.64),
        ("cat", 8, 38.69, 49.78, 75.16),
    ],
)
def test_photographs_are_met_as_the_official_filters_meet_them(name, scale, bicubic, published, exact):
    """LR-PSNR as the challenge has it, of 8 bits; official filters, crops of theirs differ by a few pixels."""
    data = pytest.importorskip("skimage.data")
    try:
        hr = getattr(data, name)()
    except (OSError, ModuleNotFoundError) as error:
        pytest.skip(f"scikit-image has to fetch {name}: {error}")
    hr = np.ascontiguousarray(hr[: hr.shape[0] // 8 * 8, : hr.shape[1] // 8 * 8])
    lr = resize(hr, 1 / scale) / 255
    image = resize(lr, scale)
    made = {"bicubic": image, "cem": cem(image, lr, scale), "exact": project(image, lr, scale)}
    found = {how: lr_psnr(to_uint(one, np.uint8), hr, scale=scale) for how, one in made.items()}
    assert found["bicubic"] == pytest.approx(bicubic, abs=0.15)
    assert found["cem"] == pytest.approx(published, abs=0.4)
    assert found["exact"] >= exact


def test_a_floor_dampens_what_is_added():
    rng = np.random.default_rng(3)
    image, lr = rng.random((64, 64, 3)), rng.random((16, 16, 3))
    added = [np.abs(cem(image, lr, 4, floor) - image).mean() for floor in (0.1, 0.8, 3.0)]
    assert added[0] > added[1] > added[2] > 0
    assert decibels(reduced(cem(image, lr, 4, 3.0), 4) - lr) < 40


def test_an_image_that_agrees_stays():
    flat = np.full((40, 48, 3), 0.3)
    assert_allclose(cem(flat, np.full((10, 12, 3), 0.3), 4), flat, atol=1e-6)


def test_an_image_of_a_pixel_is_an_image():
    assert cem(np.zeros((8, 8, 3)), np.ones((1, 1, 3)), 8).shape == (8, 8, 3)
    assert cem(np.zeros((8, 12, 1)), np.ones((2, 3, 1)), 4).shape == (8, 12, 1)


@pytest.mark.parametrize("shapes", [((8, 9, 3), (4, 4, 3)), ((8, 8), (4, 4)), ((8, 8, 3), (4, 4, 1))])
def test_sizes_have_to_fit(shapes):
    with pytest.raises(ValueError, match="not 2 times LR"):
        cem(np.zeros(shapes[0]), np.zeros(shapes[1]), 2)
    with pytest.raises(ValueError, match="no pixel"):
        cem(np.zeros((0, 8, 3)), np.zeros((0, 4, 3)), 2)
