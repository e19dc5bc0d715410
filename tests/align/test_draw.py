"""Truth: sines and ramps, whose values are known at any position."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import map_coordinates

from realdeg.align import draw as module
from realdeg.align.draw import TABLE, draw, draw_integer, draw_nearest, rounding
from realdeg.align.homography import Homography
from realdeg.align.lens import Lens
from realdeg.align.warp import Warp

PERIODS = (6.0, 11.0, 29.0)


def waves(x, y):
    """Band-limited light, 0.1 to 0.9, at any positions."""
    parts = [np.sin(2 * np.pi * (0.8 * x + 0.6 * y) / p + p) for p in PERIODS]
    return 0.5 + 0.13 * np.sum(parts, axis=0)


def slope(x, y):
    """Its derivative along x and y."""
    parts = [2 * np.pi / p * np.cos(2 * np.pi * (0.8 * x + 0.6 * y) / p + p) for p in PERIODS]
    return 0.13 * 0.8 * np.sum(parts, axis=0), 0.13 * 0.6 * np.sum(parts, axis=0)


def photo(kind=np.uint16, size=(160, 200)):
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    return np.rint(np.iinfo(kind).max * waves(x, y))[..., None].repeat(3, -1).astype(kind)


def same(block, rows):
    return block


def position_error(drawn, warp, size):
    """By how much what was drawn is displaced, px of the source: least squares over the picture."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    at = warp(np.stack([x, y], -1))
    gx, gy = (g.ravel() for g in slope(at[..., 0], at[..., 1]))
    off = (drawn - waves(at[..., 0], at[..., 1])).ravel()
    along = 0.8 * gx + 0.6 * gy  # the waves run one way
    return (off @ along) / (along @ along)


@pytest.mark.parametrize("phase", [0.0, 0.015, 1 / 64, 0.25, 0.48, 0.5, 0.985])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_positions_are_exact_at_every_phase(phase, kind):
    """At a constant phase of 0.015 px OpenCV draws as if it were 0; here that would be seen at once."""
    size = (100, 120)
    for zoom in (1.0, 0.5):
        warp = Warp.plain(Homography(np.array([[zoom, 0, 20 + phase], [0, zoom, 20 + phase], [0, 0, 1]])))
        drawn = draw_integer(photo(kind), [warp], size, same)
        assert drawn.dtype == kind
        assert drawn.shape == (*size, 3)
        light = drawn[..., 1].astype(float) / np.iinfo(kind).max
        assert abs(position_error(light, warp, size)) < 0.004
        y, x = np.mgrid[: size[0], : size[1]].astype(float)
        at = warp(np.stack([x, y], -1))
        assert (
            np.abs(light - waves(at[..., 0], at[..., 1]))[4:-4, 4:-4].max() < 0.004 + 0.6 / np.iinfo(kind).max
        )


def test_opencv_alone_would_be_off():
    """What the correction is for: `draw` rounds, and `rounding` says by how much."""
    size, phase = (100, 120), 0.015
    warp = Warp.plain(Homography.translation(20 + phase, 20 + phase))
    drawn = draw(photo()[..., 0].astype(np.float32) / 65535, warp, size)
    assert_allclose(rounding(warp, np.array([[3.0, 4.0], [50, 60]])), -phase, atol=1e-5)
    assert position_error(drawn, warp, size) == pytest.approx(-phase * 1.4, abs=0.003)


def test_rounding_is_in_grid_pixels():
    warp = Warp.plain(Homography(np.array([[2.0, 0, 10.01], [0, 4.0, 10.01], [0, 0, 1]])))
    assert_allclose(rounding(warp, np.array([[5.0, 5.0]])), [[-0.005, -0.0025]], atol=1e-5)
    at = np.random.default_rng(0).uniform(0, 40, (200, 2))
    assert np.abs(rounding(warp, at)[:, 0]).max() <= 0.5 / TABLE / 2 + 1e-6


def curved():
    lens = Lens((60.0, 50.0), 80.0, (60.0, 50.0), 80.0, {"radial_lr": 1.5})
    c, s = 1.3 * np.cos(0.02), 1.3 * np.sin(0.02)
    outer = Homography(np.array([[c, -s, 20.3], [s, c, 18.1], [2e-5, -1e-5, 1]]))
    return Warp(outer, lens, Homography.identity())


def test_a_turned_and_bent_grid_is_drawn_as_scipy_draws_it():
    size = (90, 110)
    drawn = draw_integer(photo(), [curved()], size, same)[..., 0] / 65535
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    at = curved()(np.stack([x, y], -1))
    spline = map_coordinates(photo()[..., 0] / 65535, [at[..., 1], at[..., 0]], order=5, mode="mirror")
    off = np.abs(drawn - spline)[1:-1, 1:-1]
    assert np.sqrt((off**2).mean()) < 8e-4
    assert off.max() < 4e-3


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("pixels", [8 * 110, 17 * 110, 31 * 110 + 5])
@pytest.mark.parametrize("bent", [False, True])
def test_blocks_give_the_same_picture_as_one_block(monkeypatch, kind, pixels, bent):
    """Byte for byte in 8 bits, but for a rounding here and there where the map bends.

    The slope by which rounded positions are corrected is a block's mean.
    """
    size, seen, off_by = (90, 110), [], 1 if kind == np.uint8 else 2
    affine = Warp.plain(Homography(np.array([[1.3, -0.02, 20.3], [0.02, 1.3, 18.1], [0, 0, 1]])))
    warp = curved() if bent else affine

    def finish(block, rows):
        seen.append((rows.start, rows.stop))
        assert len(block) == rows.stop - rows.start
        return block**1.1

    whole = draw_integer(photo(kind), [warp], size, finish)
    assert seen == [(0, 90)]
    light = photo(kind).astype(np.float32)
    floats = draw(light, warp, size)
    monkeypatch.setattr(module, "BLOCK_PIXELS", pixels)
    seen.clear()
    blocks = draw_integer(photo(kind), [warp], size, finish)
    assert len(seen) > 2
    assert [b for _, b in seen[:-1]] == [a for a, _ in seen[1:]]
    off = np.abs(whole.astype(int) - blocks)
    assert off.max() <= off_by
    assert kind == np.uint16 or (off > 0).mean() <= (1e-3 if bent else 0)
    assert_array_equal(floats, draw(light, warp, size))


def test_the_border_is_mirrored():
    warp = Warp.plain(Homography.translation(-10, -7))
    drawn = draw_integer(photo(), [warp], (60, 60), same)
    # cv2.BORDER_REFLECT repeats the edge pixel: x = -1 shows pixel 0.
    assert np.abs(drawn[20, 5:10, 0].astype(int) - drawn[20, 14:9:-1, 0]).max() <= 1


def test_finish_works_on_light_between_0_and_1():
    seen = {}

    def finish(block, rows):
        seen["low"], seen["high"], seen["type"] = float(block.min()), float(block.max()), block.dtype
        return np.full_like(block, 0.5)

    edge = np.zeros((60, 60, 3), np.uint8)
    edge[:, 30:] = 255  # Lanczos overshoots here
    drawn = draw_integer(edge, [Warp.plain(Homography.translation(0.4, 0))], (60, 50), finish)
    assert seen == {"low": 0.0, "high": 1.0, "type": np.float32}
    assert (drawn == 128).all()


def test_masks_are_drawn_by_the_nearest_pixel_and_end_at_the_border():
    mask = np.zeros((20, 30), np.uint8)
    mask[5, 7] = 1
    drawn = draw_nearest(mask, Warp.plain(Homography.translation(4.3, 2.3)), (10, 10))
    assert_array_equal(np.argwhere(drawn), [[3, 3]])
    outside = draw_nearest(mask, Warp.plain(Homography.translation(25, 0)), (10, 10))
    assert (outside[:, 6:] == 1).all()
    assert (outside[:, :4] == 0).all()


def test_positions_must_be_finite():
    bad = Warp.plain(Homography(np.array([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1.0]])))
    with pytest.raises(ValueError, match="not finite"), np.errstate(divide="ignore", invalid="ignore"):
        draw(np.zeros((20, 20), np.float32), bad, (20, 21))
