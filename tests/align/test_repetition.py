"""Truth: brute force over displacements, and pictures that repeat or do not."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from realdeg.align.repetition import MAX_SIDE, _at_rest, high_pass, own_likeness, second_peak
from realdeg.align.verdict import MAX_LIKENESS, SELF_LIKENESS


def natural(scene, name="coffee.png", scale=2):
    grey = cv2.cvtColor(scene(name), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    grey = cv2.resize(grey, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
    return grey - cv2.GaussianBlur(grey, (0, 0), 8)


@pytest.mark.parametrize(
    "name", ["chelsea.png", "coffee.png", "tmshre_riaphotographs_srgb8.png", "u76c0g_bliznaca_srgb8.png"]
)
def test_photos_do_not_repeat(scene, name):
    image = natural(scene, name)
    assert second_peak(image, image) < 0.75 * MAX_LIKENESS


@pytest.mark.parametrize("period", [12, 24, 40])
def test_wallpaper_repeats(scene, period):
    tile = natural(scene)[60 : 60 + period, 80 : 80 + period]
    wall = np.tile(tile - tile.mean(), (240 // period, 320 // period))
    noise = 0.05 * wall.std() * np.random.default_rng(0).standard_normal((2, *wall.shape))
    assert second_peak(wall + noise[0].astype(np.float32), wall + noise[1].astype(np.float32)) > 0.98


def test_half_a_wall_still_repeats_less(scene):
    """Only what repeats over the whole field can be mistaken."""
    image = natural(scene)
    tile = image[60:84, 80:104] - image[60:84, 80:104].mean()
    half = image.copy()
    half[:, :150] = np.tile(tile, (9, 7))[: len(half), :150]
    assert second_peak(half, half) < MAX_LIKENESS


def test_it_is_the_best_of_all_displacements():
    rng = np.random.default_rng(2)
    a = cv2.GaussianBlur(rng.standard_normal((24, 30)).astype(np.float32), (0, 0), 1.0)
    a -= a.mean()
    b = a + 0.05 * rng.standard_normal(a.shape).astype(np.float32)

    def own(image, dy, dx):
        rows = np.s_[max(0, dy) : 24 + min(0, dy)], np.s_[max(0, -dy) : 24 + min(0, -dy)]
        columns = np.s_[max(0, dx) : 30 + min(0, dx)], np.s_[max(0, -dx) : 30 + min(0, -dx)]
        one, other = image[rows[0], columns[0]], image[rows[1], columns[1]]
        return max(0, (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))

    far = [
        np.sqrt(own(a, dy, dx) * own(b, dy, dx))
        for dy in range(-23, 24)
        for dx in range(-29, 30)
        if np.hypot(dx, dy) >= 8 and (24 - abs(dy)) * (30 - abs(dx)) >= 0.25 * 24 * 30
    ]
    assert_allclose(second_peak(a, b), max(far) / _at_rest(a, b), atol=1e-4)


def test_large_fields_are_looked_at_small(scene):
    tile = natural(scene)[60:108, 80:128]
    tile = cv2.GaussianBlur(np.tile(tile, (3, 3)), (0, 0), 2)[48:96, 48:96]
    wall = np.tile(tile, (10, 2 * MAX_SIDE // 48 + 1)).astype(np.float32)
    assert wall.shape[1] > MAX_SIDE
    assert second_peak(wall, wall) > 0.95


def test_a_wall_does_not_repeat_itself_nor_do_photos_that_differ():
    flat = np.full((40, 40), 120, np.uint8)
    assert second_peak(high_pass(flat), high_pass(flat)) == 0.0
    assert own_likeness(flat) == 0.0
    image = np.random.default_rng(0).standard_normal((60, 60)).astype(np.float32)
    assert second_peak(image, -image) == 0.0  # whatever is wrong with these, it is another ground


def test_a_second_plane_is_no_repetition(scene):
    """Half of HR is seen 12 px aside: HR fits LR there as well, but LR does not fit itself."""
    image = natural(scene)
    other = image.copy()
    other[:, 150:] = np.roll(image, 12, axis=1)[:, 150:]
    assert second_peak(image, other) < 0.7 * MAX_LIKENESS


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_noise_makes_no_difference(scene, noise):
    """Of a wall of 16 px tiles with a picture on it, standard deviation 1."""
    image = natural(scene)
    tile = image[60:76, 80:96] - image[60:76, 80:96].mean()
    wall = np.tile(tile, (len(image) // 16 + 1, image.shape[1] // 16 + 1))[: len(image), : image.shape[1]]
    picture = wall / wall.std() + 0.4 * image / image.std()
    rng = np.random.default_rng(3)
    noisy = [picture + noise * k * rng.standard_normal(picture.shape).astype(np.float32) for k in (1, 0.3)]
    assert_allclose(second_peak(*noisy), second_peak(picture, picture), atol=0.04)


@pytest.mark.parametrize("period", [12, 24, 40])
def test_one_photo_of_a_wallpaper_shows_that_it_repeats(scene, period):
    tile = natural(scene)[60 : 60 + period, 80 : 80 + period]
    wall = 120 + 255 * np.tile(tile - tile.mean(), (200 // period, 280 // period))
    wall += 3 * np.random.default_rng(0).standard_normal(wall.shape)
    assert own_likeness(wall) > SELF_LIKENESS


@pytest.mark.parametrize("blur", [0, 6])
def test_one_photo_of_anything_else_does_not(scene, blur):
    """Nor do soft blobs, whose likeness only falls with distance."""
    image = 120 + 255 * natural(scene)
    image = cv2.GaussianBlur(image, (0, 0), blur) if blur else image
    assert own_likeness(image) < 0.8 * SELF_LIKENESS
