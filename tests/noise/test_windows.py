"""Truth: photos in which we know which places are flat, clipped, textured or out of a JPEG."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from realdeg.imaging.noise import normal
from realdeg.noise.spectrum import LOWEST
from realdeg.noise.windows import CELL, PER_TONE, blockiness, calm_windows


def photo(rng, height=192, width=256, level=120.0, sigma=3.0):
    noisy = level + rng.normal(0, sigma, (height, width, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def overlap(first, second, size):
    return abs(first[0] - second[0]) < size and abs(first[1] - second[1]) < size


@given(st.integers(0, 2**32 - 1), st.integers(64, 300), st.integers(64, 300))
def test_windows_lie_inside_apart_and_are_few(seed, height, width):
    rng = np.random.default_rng(seed)
    base = rng.uniform(20, 230, (height // 40 + 1, width // 40 + 1, 1)).repeat(40, 0).repeat(40, 1)
    noisy = base[:height, :width] + rng.normal(0, 3, (height, width, 3))
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    found = calm_windows(pixels, 64)
    places = list(zip(found.y, found.x, strict=True))
    assert all(0 <= y <= height - 64 and 0 <= x <= width - 64 for y, x in places)
    assert not any(overlap(a, b, 64) for i, a in enumerate(places) for b in places[:i])
    assert len(places) <= 8 * PER_TONE
    assert found.looked_at == (height // CELL - 7) * (width // CELL - 7)
    for (y, x), level in zip(places, found.level, strict=True):
        assert np.allclose(pixels[y : y + 64, x : x + 64].mean((0, 1)), level, atol=1e-3)


def test_the_flat_part_is_found_beside_texture(sample):
    """One quarter of a photograph is flat with noise: there the calmest windows lie, first of all."""
    with Image.open(sample / "clean" / "coffee.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))[:384, :384].copy()
    noise = normal(1, pixels.shape) * 3
    pixels = np.clip(pixels + noise, 0, 255)
    pixels[192:, 192:] = 128 + noise[192:, 192:]
    found = calm_windows(np.rint(pixels).astype(np.uint8), 64)
    inside = (found.y >= 192) & (found.x >= 192)
    assert inside.sum() >= 3
    energy = np.trace(found.bands, axis1=2, axis2=3)[:, LOWEST:].mean(1)
    assert energy[inside].max() < energy[~inside].min()
    assert np.allclose(energy[inside] / 3, 9, rtol=0.15)  # and 1/12 of rounding


def test_clipped_places_are_not_taken():
    rng = np.random.default_rng(0)
    pixels = photo(rng)
    pixels[:, :128] = photo(rng, width=128, level=254)  # half of the noise cut off
    found = calm_windows(pixels, 64)
    assert found.refused["clipped"] > 0
    assert (found.x >= 96).all()
    white = calm_windows(np.full((128, 128, 3), 255, np.uint8), 64)
    assert not len(white.y)
    assert white.refused["clipped"] == white.looked_at


def test_a_photo_without_noise_gives_nothing():
    y, x = np.mgrid[:128, :128]
    smooth = np.rint(60 + 0.5 * (x + y)).astype(np.uint8)[..., None].repeat(3, 2)
    flat = np.full((128, 128, 3), 90, np.uint8)
    found = calm_windows(flat, 64)
    assert not len(found.y)
    assert found.refused["without noise"] == found.looked_at
    ramp = calm_windows(smooth, 64)
    assert all(np.trace(one, axis1=1, axis2=2)[3:].mean() < 1 for one in ramp.bands)


def test_sixteen_bits_are_judged_as_eight():
    """But for the rounding of grey, which moves a window by a cell where several are as calm."""
    eight = photo(np.random.default_rng(3), 72, 72)
    eight[:8], eight[:, :8] = 0, 255  # one place is left
    one, two = calm_windows(eight, 64), calm_windows(eight.astype(np.uint16) * 257, 64)
    assert (one.y, one.x) == (two.y, two.x) == (8, 8)
    assert np.allclose(one.bands, two.bands, rtol=1e-4, atol=1e-4)


def test_shades_far_below_a_level_are_not_lost_in_sixteen_bits():
    rng = np.random.default_rng(4)
    pixels = np.rint(rng.normal(120 * 257, 0.6 * 257, (128, 128, 3))).astype(np.uint16)
    found = calm_windows(pixels, 64)
    assert len(found.y)
    assert np.allclose(np.trace(found.bands, axis1=2, axis2=3)[:, LOWEST:].mean() / 3, 0.36, rtol=0.1)


@pytest.mark.parametrize("shift", [0, 3])
def test_blocks_of_jpeg_show_wherever_a_crop_begins(shift):
    rng = np.random.default_rng(5)
    pixels = photo(rng, 256, 256, sigma=4)
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "JPEG", quality=20)
    coarse = np.asarray(Image.open(packed)).astype(np.float32)

    def of(image):
        return blockiness(image[None, shift : shift + 64, shift : shift + 64].astype(np.float32))[0]

    assert of(pixels) < 1.3
    assert of(coarse) > 1.5


def test_too_small_a_photo_is_none():
    assert not len(calm_windows(photo(np.random.default_rng(0), 63, 200), 64).y)
