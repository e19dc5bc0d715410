"""Truth: LR made of HR by sums of light, and maps that the tests name."""

import cv2
import numpy as np
import pytest

from realdeg.align.crop import Box
from realdeg.align.homography import Homography
from realdeg.align.seen import HIGH, seen
from realdeg.align.warp import Warp
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear


def shots(scene, scale, blur=0.5):
    """HR, and LR of the light under Gaussians of `blur` LR px; float in, uint8 out."""
    hr = np.ascontiguousarray(scene("coffee.png")[: 400 // scale * scale, : 600 // scale * scale])
    light = cv2.GaussianBlur(srgb_to_linear(hr / np.float32(255)), (0, 0), blur * scale)
    at = (
        (np.arange(0, hr.shape[0] // scale) + 0.5) * scale - 0.5,
        (np.arange(0, hr.shape[1] // scale) + 0.5) * scale - 0.5,
    )
    x, y = np.meshgrid(at[1].astype(np.float32), at[0].astype(np.float32))
    low = cv2.remap(light, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
    return np.rint(255 * np.clip(linear_to_srgb(np.maximum(low, 0)), 0, 1)).astype(np.uint8), hr


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("adjust", ["hr", "lr"])
def test_both_look_alike_at_one_sharpness(scene, scale, adjust):
    lr, hr = shots(scene, scale)
    field = Box(6, 6, lr.shape[1] - 12, lr.shape[0] - 12)
    photos = seen(lr, hr, Warp.plain(Homography.zoom(scale)), field, 0.5, adjust)
    off = 255 * np.abs(photos.untouched.source - photos.target)[~photos.clipped]
    assert off.mean() < 0.3
    sharp = 255 * np.abs(photos.untouched.sharp - photos.sharp_target)
    assert sharp.mean() < 1.5
    if adjust == "hr":
        encoded = 255 * np.abs(photos.untouched.encoded - photos.target)[~photos.clipped]
        assert encoded.mean() > 1.3 * off.mean()  # light adds up, encoded values do not


def test_large_fields_are_seen_on_a_coarser_grid(scene):
    hr = cv2.resize(scene("coffee.png"), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    lr = cv2.resize(hr, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    photos = seen(lr, hr, Warp.plain(Homography.zoom(2)), Box(8, 8, lr.shape[1] - 16, lr.shape[0] - 16), 0.3)
    assert photos.target.shape[0] * photos.target.shape[1] < 75_000
    assert 255 * np.abs(photos.untouched.source - photos.target)[~photos.clipped].mean() < 0.5


def test_sixteen_bits_show_the_same(scene):
    lr, hr = shots(scene, 2)
    field = Box(6, 6, lr.shape[1] - 12, lr.shape[0] - 12)
    warp = Warp.plain(Homography.zoom(2))
    eight, sixteen = (
        seen(lr, hr, warp, field, 0.5),
        seen(lr * np.uint16(257), hr * np.uint16(257), warp, field, 0.5),
    )
    np.testing.assert_allclose(eight.target, sixteen.target, atol=1e-5)
    np.testing.assert_allclose(eight.untouched.source, sixteen.untouched.source, atol=1e-5)


def test_clipped_pixels_and_what_is_around_them_do_not_count(scene):
    lr, hr = shots(scene, 2)
    lr[60:64, 80:84] = 255
    field = Box(6, 6, lr.shape[1] - 12, lr.shape[0] - 12)
    photos = seen(lr, hr, Warp.plain(Homography.zoom(2)), field, 0.5)
    assert photos.clipped[54:58, 74:78].all()
    assert photos.clipped[52, 76].all()
    before = seen(shots(scene, 2)[0], hr, Warp.plain(Homography.zoom(2)), field, 0.5)
    assert photos.clipped.sum() > before.clipped.sum()
    assert not (photos.target[~photos.clipped] > HIGH).any()
