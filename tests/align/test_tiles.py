"""Truth: shifts that the tests put in."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import fourier_shift

from realdeg.align.tiles import tile_shifts, tile_side


def shifted(image, shift):
    """fixed(x) = image(x + shift), exactly, of a picture that wraps around."""
    return np.fft.ifft2(fourier_shift(np.fft.fft2(image), (-shift[1], -shift[0]))).real.astype(np.float32)


def band_limited(texture, seed=0):
    return cv2.GaussianBlur(texture(240, 320, seed=seed), (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)


def ones(image):
    return np.ones(image.shape, np.float32)


def inner(tiles):
    """Tiles that do not touch the border, where the picture wraps around."""
    keep = np.zeros(tiles.grid_hw, bool)
    keep[1:-1, 1:-1] = True
    return keep.ravel() & tiles.usable


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.02, 0.01), (0.25, -0.5), (-0.4, 0.3)])
def test_one_step_finds_a_small_shift_under_gain_and_offset(texture, shift):
    moving = band_limited(texture)
    tiles = tile_shifts(0.8 * shifted(moving, shift) + 0.07, moving, ones(moving))
    keep = inner(tiles)
    assert keep.sum() > 0.9 * 13 * 18
    # The gradient filter leaves a tenth or so; the next steps take that away.
    assert_allclose(np.median(tiles.shift[keep], axis=0), shift, atol=0.12 * np.hypot(*shift) + 1e-3)


def test_each_tile_tells_its_own_shift(texture):
    moving = band_limited(texture)
    fixed = np.where(np.arange(320) < 160, shifted(moving, (0.3, 0)), shifted(moving, (0, -0.3)))
    tiles = tile_shifts(fixed.astype(np.float32), moving, ones(moving))
    keep, x = inner(tiles), tiles.centre[:, 0]
    assert_allclose(np.median(tiles.shift[keep & (x < 150)], axis=0), (0.3, 0), atol=0.03)
    assert_allclose(np.median(tiles.shift[keep & (x > 170)], axis=0), (0, -0.3), atol=0.03)


def test_the_stated_information_is_the_scatter_of_noisy_shifts(texture):
    rng = np.random.default_rng(1)
    moving = band_limited(texture)
    draws = [
        tile_shifts(
            moving + 0.01 * rng.standard_normal(moving.shape).astype(np.float32), moving, ones(moving)
        )
        for _ in range(30)
    ]
    scatter = np.var([tiles.shift for tiles in draws], axis=0, ddof=1)
    stated = np.diagonal(np.linalg.inv(np.mean([t.information for t in draws], 0)), axis1=1, axis2=2)
    ratio = (scatter / stated).mean(1)
    assert 0.8 < np.median(ratio) < 1.25


def test_an_edge_fixes_only_what_lies_across_it():
    x = np.arange(192) - 95.5
    edge = np.tile(0.5 + 0.3 * np.tanh(np.sin(x / 4)), (192, 1)).astype(np.float32)
    tiles = tile_shifts(edge, edge, ones(edge))
    assert not tiles.usable.any()
    across, along = tiles.information[:, 0, 0], tiles.information[:, 1, 1]
    assert (across > 1000 * along).all()


def test_a_wall_says_nothing():
    wall = np.full((200, 200), 0.5, np.float32)
    tiles = tile_shifts(wall, wall, ones(wall))
    assert not tiles.usable.any()
    assert np.isfinite(tiles.shift).all()


def test_pixels_that_do_not_count_do_not_count(texture):
    moving = band_limited(texture)
    fixed = shifted(moving, (0.2, 0.1))
    usable = ones(moving)
    usable[60:75, 60:75] = 0
    spoilt = np.where(usable > 0, fixed, 1.0).astype(np.float32)
    one, other = (tile_shifts(image, moving, usable) for image in (fixed, spoilt))
    assert_allclose(one.shift, other.shift, atol=1e-5)
    usable[60:120, 60:120] = 0
    usable[60:120, 60:120:5] = 1  # a fifth of the pixels is too little to say anything
    tiles = tile_shifts(fixed, moving, usable)
    hidden = (np.abs(tiles.centre - 90) < 22).all(1)
    assert hidden.sum() >= 4
    assert not tiles.usable[hidden].any()


@pytest.mark.parametrize(
    ("size", "side"), [((100, 400), 12), ((320, 400), 20), ((3000, 4000), 96), ((240, 10_000), 15)]
)
def test_tiles_lie_on_a_grid_from_the_corner_on(size, side):
    assert tile_side(size) == side
    if max(size) > 1000:
        return
    picture = np.random.default_rng(0).random(size, np.float32)
    tiles = tile_shifts(picture, picture, ones(picture))
    rows, columns = tiles.grid_hw
    assert (rows, columns) == (size[0] // side, size[1] // side)
    assert tiles.side == side
    assert len(tiles.shift) == len(tiles.information) == len(tiles.centre) == rows * columns
    assert_allclose(tiles.centre[[0, columns + 1]], [[(side - 1) / 2] * 2, [(3 * side - 1) / 2] * 2])


def test_known_displacements_are_added():
    picture = np.random.default_rng(0).random((96, 96), np.float32)
    tiles = tile_shifts(picture, picture, ones(picture))
    by = np.random.default_rng(1).normal(size=tiles.shift.shape)
    assert_allclose(tiles.moved(by).shift - tiles.shift, by)
