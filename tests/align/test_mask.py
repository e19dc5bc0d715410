"""Truth: a patch that the test moved, and tiles named by hand."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from realdeg.align.brightness import ColourMatch
from realdeg.align.crop import Box
from realdeg.align.mask import validity, write_mask
from realdeg.align.pair import register
from realdeg.align.settings import AlignSettings
from realdeg.align.tone import Tone

AREA = Box(10, 20, 60, 48)


def registration(against, field, area=AREA, side=12, changed=None, detail=None, scale=2):
    contradicting = np.zeros((4, 5), bool)
    for row, column in against:
        contradicting[row, column] = True
    tiles = SimpleNamespace(grid_hw=(4, 5), side=side)
    return SimpleNamespace(
        tiles=tiles,
        contradicting=contradicting.ravel(),
        polished_field=area,
        field=field,
        scale=scale,
        detail=detail,
        colours=ColourMatch(Tone.none(), changed=np.zeros((5, 4), bool) if changed is None else changed),
    )


def test_all_is_valid_where_nothing_contradicts():
    assert (validity(registration([], Box(14, 24, 50, 40))) == 255).all()


def test_a_tile_takes_its_neighbours_with_it():
    """Tile (1, 2) covers LR x 34..45, y 32..43; with its neighbours x 22..57, y 20..55."""
    mask = validity(registration([(1, 2)], AREA))
    assert mask.shape == (48, 60)
    expected = np.full((48, 60), 255, np.uint8)
    expected[0:36, 12:48] = 0
    assert_array_equal(mask, expected)


def test_where_the_light_changed_the_pair_is_not_valid():
    changed = np.zeros((40, 50), bool)
    changed[20:30, 25:35] = True
    mask = validity(registration([], Box(14, 24, 100, 80), changed=changed))
    assert (mask[40:60, 50:70] == 0).all()
    assert mask[0, 0] == mask[70, 10] == 255
    assert (mask == 0).mean() < 3 * changed.mean()


def test_where_hr_is_out_of_focus_the_pair_is_not_valid():
    """A soft place takes its neighbours with it; in a pair of one size HR may be as soft as LR."""
    soft = np.zeros((4, 6), bool)
    soft[1, 4] = True
    middles = 15.5 + 20 * np.arange(6)
    detail = SimpleNamespace(is_soft=soft, x=middles, y=middles[:4])
    mask = validity(registration([], Box(14, 24, 140, 100), detail=detail))
    expected = np.full((100, 140), 255, np.uint8)
    expected[:66, 66:] = 0
    assert_array_equal(mask, expected)
    assert (validity(registration([], Box(14, 24, 140, 100), detail=detail, scale=1)) == 255).all()


def test_the_mask_is_of_the_crop_not_of_the_polished_field():
    whole = validity(registration([(1, 2)], AREA))
    crop = validity(registration([(1, 2)], Box(15, 27, 40, 33)))
    assert_array_equal(crop, whole[7:40, 5:45])


def test_beyond_the_last_tile_its_neighbour_speaks():
    """Fields are no multiple of the tiles: what is left over goes with the last tile."""
    mask = validity(registration([(3, 4)], Box(10, 20, 66, 53), Box(10, 20, 66, 53)))
    assert (mask[24:, 36:] == 0).all()
    assert (mask[:24] == 255).all()


def test_a_patch_that_moved_is_masked(photograph, scene, tmp_path):
    """2 LR px: the patch is masked but for bits of it, the rest is not, and the file says the same."""
    picture = scene()
    other = picture.copy()
    height, width = picture.shape[:2]
    part = np.s_[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    other[part] = np.roll(picture, 4, axis=1)[part]
    photos = photograph(picture, 2, hr_picture=other)
    found = register(photos.lr, photos.hr, AlignSettings(scale=2, mask=True))
    share = write_mask(tmp_path / "a.png", found)
    mask = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8
    assert mask.shape == (found.field.height, found.field.width)
    assert set(np.unique(mask)) == {0, 255}
    assert share == pytest.approx((mask == 255).mean())
    y, x = np.mgrid[: found.field.height, : found.field.width].astype(float)
    at = photos.scene_from_lr(np.stack([x + found.field.x, y + found.field.y], -1))
    inside = (at > [width / 3 + 2, height / 3 + 2]).all(-1) & (
        at < [2 * width / 3 - 2, 2 * height / 3 - 2]
    ).all(-1)
    far = (at < [width / 3 - 60, np.inf]).all(-1) | (at > [2 * width / 3 + 60, 0]).all(-1)
    assert (mask[inside] == 0).mean() > 0.8
    assert (mask[far] == 0).mean() < 0.02
