"""Truth: captures simulated through a known homography (`realdeg.imaging.capture`)."""

import cv2
import numpy as np
import pytest

from realdeg.align.pair import Registration, make_pair, nearest_scale, register
from realdeg.align.settings import AlignSettings
from realdeg.align.verdict import Rejection


def p95(found, truth):
    box = found.field
    x, y = np.meshgrid(np.linspace(0, box.width - 1, 12) + box.x, np.linspace(0, box.height - 1, 12) + box.y)
    points = np.stack([x, y], -1).reshape(-1, 2)
    return np.percentile(np.hypot(*(truth.inverse()(found.hr_from_lr(points)) - points).T), 95)


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png"])
@pytest.mark.parametrize("scale", [2, 4])
def test_registers_to_a_tenth_of_a_pixel(photograph, scene, name, scale):
    lr, hr, truth = photograph(scene(name), scale)
    found = register(lr, hr, AlignSettings(scale=scale))
    assert isinstance(found, Registration), found.reason
    assert p95(found, truth) <= 0.10
    assert found.zoom == pytest.approx(truth.zoom_at(found.field.centre), rel=2e-4)
    assert found.rotation == pytest.approx(truth.rotation_at(found.field.centre), abs=0.02)


def test_the_scale_is_inferred(photograph, scene):
    lr, hr, _ = photograph(scene(), 2)
    found = register(lr, hr, AlignSettings())
    assert isinstance(found, Registration)
    assert found.scale == 2
    assert [nearest_scale(z) for z in (1.49, 1.9, 2.1, 3.75, 7.4, 8.3)] == [2, 2, 2, 4, 7, 8]


def test_the_pair_is_exactly_scaled_and_lr_is_untouched(photograph, scene):
    lr, hr, _ = photograph(scene(), 2)
    found = register(lr, hr, AlignSettings(scale=2))
    pair_lr, pair_hr, found = make_pair(lr, hr, found)
    assert pair_hr.shape[:2] == (2 * pair_lr.shape[0], 2 * pair_lr.shape[1])
    np.testing.assert_array_equal(pair_lr, lr[found.field.slices])
    assert pair_lr.dtype == pair_hr.dtype == np.uint8
    # The residual is seen from outside: no global shift, and LR looks like reduced HR.
    assert abs(found.residual.mean_x) < 0.03
    assert abs(found.residual.mean_y) < 0.03
    assert found.residual.zncc > 0.97


def test_brightness_follows_lr(photograph, scene):
    lr, hr, _ = photograph(scene(), 2, exposure=0.75)
    found = register(lr, hr, AlignSettings(scale=2))
    _, plain, _ = make_pair(lr, hr, register(lr, hr, AlignSettings(scale=2, brightness="none")))
    pair_lr, pair_hr, _ = make_pair(lr, hr, found)
    off = [abs(float(image.mean()) - float(pair_lr.mean())) for image in (pair_hr, plain)]
    assert off[0] < 1.0
    assert off[1] > 8.0
    assert found.tone.residual_8bit < 4


def test_sixteen_bit_stays_sixteen_bit(photograph, scene):
    lr, hr, _ = photograph(scene(), 2)
    found = register(lr, hr.astype(np.uint16) * 257, AlignSettings(scale=2))
    _, pair_hr, _ = make_pair(lr, hr.astype(np.uint16) * 257, found)
    assert pair_hr.dtype == np.uint16
    assert len(np.unique(pair_hr)) > 1000


def rejected(lr, hr, **settings):
    found = register(lr, hr, AlignSettings(**settings))
    if isinstance(found, Registration):
        from realdeg.align.pair import softness
        from realdeg.align.verdict import large_residual

        *_, found = make_pair(lr, hr, found)
        found = large_residual(found.residual, AlignSettings(**settings), found.zoom, softness(found.blur))
    assert isinstance(found, Rejection)
    return found.reason


def test_refuses_other_scenes_and_walls(photograph, scene):
    lr, _, _ = photograph(scene("coffee.png"), 2)
    _, hr, _ = photograph(scene("chelsea.png"), 2)
    assert "no common scene" in rejected(lr, hr, scale=2)
    wall = np.full((300, 400, 3), 120, np.uint8)
    assert "no common scene" in rejected(wall, cv2.resize(wall, (800, 600)), scale=2)


def test_refuses_swapped_folders_and_wrong_scales(photograph, scene):
    lr, hr, _ = photograph(scene(), 2)
    assert "HR is smaller than LR" in rejected(hr, lr)
    assert "no larger" in rejected(hr, hr)
    assert "use a smaller --scale" in rejected(lr, hr, scale=4)
    lr, hr, _ = photograph(scene(), 4)
    assert "use a larger --scale" in rejected(lr, hr, scale=2)


def test_refuses_what_moved(photograph, scene):
    picture = scene()
    moved = picture.copy()
    height, width = picture.shape[:2]
    part = np.s_[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    moved[part] = np.roll(picture, 12, axis=1)[part]
    lr, hr, _ = photograph(picture, 2, hr_picture=moved)
    assert "contradicts the common motion" in rejected(lr, hr, scale=2)


def test_refuses_an_hr_photo_out_of_focus(photograph, scene):
    lr, hr, _ = photograph(scene(), 4, hr_blur=6.0)
    assert "not sharper" in rejected(lr, hr, scale=4)


def test_refuses_a_sliver(photograph, scene):
    lr, hr, _ = photograph(scene(), 2)
    assert "share only" in rejected(lr[:60], hr, scale=2, min_side=100)
