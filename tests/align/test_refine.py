"""Truth: shifts and motions that the tests put in."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from realdeg.align.brightness import match_brightness
from realdeg.align.homography import Homography
from realdeg.align.refine import common_motion, tile_shifts, valid
from realdeg.align.residual import measure


def texture(height=240, width=320, seed=0):
    rng = np.random.default_rng(seed)
    image = sum(
        cv2.resize(
            rng.standard_normal((height // s, width // s)).astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
        for s in (4, 8, 16, 40)
    )
    return np.clip(0.5 + 0.09 * image, 0.05, 0.95).astype(np.float32)


def moved(image, motion):
    """fixed(x) = moving(motion(x)): what `image` looks like on the fixed grid."""
    return cv2.warpPerspective(
        image,
        motion.matrix,
        image.shape[::-1],
        flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.25, -0.5), (-0.4, 0.3)])
def test_one_step_finds_a_small_shift_under_gain_and_offset(shift):
    moving = texture()
    fixed = 0.8 * moved(moving, Homography.translation(*shift)) + 0.07
    tiles = tile_shifts(fixed.astype(np.float32), moving)
    assert tiles.usable.mean() > 0.9
    # The gradient filter leaves a tenth or so; the next steps take that away.
    assert_allclose(np.median(tiles.shift, axis=0), shift, atol=0.15 * np.hypot(*shift) + 0.005)


def test_the_common_motion_is_found_and_converges():
    moving = texture()
    truth = Homography(np.array([[1.002, -0.003, 0.4], [0.002, 0.998, -0.3], [1e-6, -2e-6, 1]]))
    fixed, guess = moved(moving, truth), Homography.identity()
    for _ in range(4):
        motion = common_motion(tile_shifts(fixed, moved(moving, guess)), fixed.shape)
        guess = guess @ motion.map
    corners = np.array([[5.0, 5], [310, 5], [5, 230], [310, 230]])
    assert_allclose(guess(corners), truth(corners), atol=0.02)
    assert motion.disagreeing == 0
    assert motion.sd < 0.01


def test_a_patch_that_moves_is_seen_and_does_not_pull():
    moving = texture()
    fixed = moved(moving, Homography.translation(0.2, 0.1))
    fixed[60:150, 80:200] = moved(moving, Homography.translation(1.2, -0.6))[60:150, 80:200]
    motion = common_motion(tile_shifts(fixed, moving), fixed.shape)
    assert 0.06 < motion.disagreeing < 0.3  # the patch is 14 % of the picture
    assert_allclose(motion.map(np.array([[160.0, 120]]))[0], [160.2, 120.1], atol=0.1)


def test_noise_is_no_parallax():
    rng = np.random.default_rng(3)
    moving = texture()
    fixed = np.clip(moving + 0.06 * rng.standard_normal(moving.shape), 0, 1).astype(np.float32)
    assert common_motion(tile_shifts(fixed, moving), fixed.shape).disagreeing <= 0.02


def test_a_wall_gives_no_motion():
    wall = np.full((200, 200), 0.5, np.float32)
    assert common_motion(tile_shifts(wall, wall), wall.shape) is None


def test_clipped_pixels_and_their_neighbours_do_not_count():
    a = np.full((20, 20), 0.5, np.float32)
    b = a.copy()
    b[10, 10] = 1.0
    mask = valid(a, b)
    assert mask[8:13, 8:13].sum() == 0
    assert mask.sum() == 400 - 25


@pytest.mark.parametrize("method", ["curve", "linear"])
def test_tone_is_recovered(method):
    rng = np.random.default_rng(0)
    hr = rng.uniform(0.05, 0.9, (80, 90, 3)).astype(np.float32)
    hr = cv2.GaussianBlur(hr, (0, 0), 6)
    hr = (hr - hr.min()) / (hr.max() - hr.min()) * 0.8 + 0.1
    lr = hr**1.3 * 0.9 if method == "curve" else 0.8 * hr + 0.05
    tone = match_brightness(hr, lr.astype(np.float32), method)
    assert tone.residual_8bit < 1.0
    assert (np.diff(tone.curves, axis=1) >= 0).all()
    assert np.quantile(np.abs(tone(hr) - lr), 0.99) < 2 / 255


def test_tables_and_floats_agree():
    rng = np.random.default_rng(1)
    hr = cv2.GaussianBlur(rng.uniform(0, 1, (60, 60, 3)).astype(np.float32), (0, 0), 2)
    tone = match_brightness(hr, hr**1.2, "curve")
    for kind in (np.uint8, np.uint16):
        peak = np.iinfo(kind).max
        image = np.rint(hr * peak).astype(kind)
        expected = np.rint(tone(image.astype(np.float64) / peak) * peak)
        assert np.abs(tone.apply_integer(image).astype(float) - expected).max() <= 1


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, 0.0), (-0.25, 0.75)])
def test_the_independent_residual_sees_the_shift_that_is_there(shift):
    """HR is reduced by exact 2 x 2 means, so a shift of 2 d HR px is d LR px."""
    big = cv2.GaussianBlur(texture(480, 640, seed=5), (0, 0), 1.0)
    away = moved(big, Homography.translation(-2 * shift[0], -2 * shift[1]))
    lr = cv2.resize(big, (320, 240), interpolation=cv2.INTER_AREA)
    as_rgb = [np.repeat(np.rint(255 * image)[..., None], 3, -1).astype(np.uint8) for image in (lr, away)]
    found = measure(*as_rgb, 2)
    assert_allclose([found.mean_x, found.mean_y], shift, atol=0.03)
    assert found.p95 == pytest.approx(np.hypot(*shift), abs=0.08)


def test_nothing_to_track_gives_no_figure():
    assert measure(np.full((60, 60, 3), 9, np.uint8), np.full((120, 120, 3), 9, np.uint8), 2) is None
