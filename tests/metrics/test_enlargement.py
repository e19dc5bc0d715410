"""Traces of digital enlargement: in photos that were made from scenes with all detail, and from real ones."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from realdeg.metrics.enlargement import enlargement

SIDE = 420


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: discs of all sizes under a lens and noise, as a camera takes them."""
    rng = np.random.default_rng(5)
    picture = np.full((SIDE * 3, SIDE * 3), 110, np.float32)
    for _ in range(2500):
        x, y = rng.integers(0, 3 * SIDE, 2)
        cv2.circle(picture, (int(x), int(y)), int(rng.uniform(2, 40)), rng.uniform(30, 220), -1)
    small = cv2.resize(cv2.GaussianBlur(picture, (0, 0), 1.4), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    noisy = small[..., None] + rng.normal(0, 1.0, (SIDE, SIDE, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    data = BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    return np.asarray(Image.open(data))


def enlarged(image: np.ndarray, factor: float, how: str) -> np.ndarray:
    size = tuple(int(n * factor) for n in image.shape[1::-1])
    if how == "pillow":
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    ways = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
    return cv2.resize(image, size, interpolation=ways[how])


@pytest.mark.parametrize("how", ["linear", "cubic", "pillow"])
@pytest.mark.parametrize("factor", [1.2, 1.5, 1.7, 3.0])
def test_an_enlarged_photo_is_found_out(photo, factor, how):
    found = enlargement(enlarged(photo[:300, :300], factor, how))
    assert found is not None
    assert found.confidence > 0.5
    # One frequency stands for both.
    assert min(abs(found.factor / factor - 1), abs(found.factor * (factor - 1) / factor - 1)) < 0.03


def test_the_blocks_of_an_enlarged_jpeg_show_even_after_another_jpeg(photo):
    for factor, told in ((1.5, 1.5), (2.5, 1.25)):
        found = enlargement(jpeg(enlarged(jpeg(photo, 85), factor, "cubic"), 90))
        assert found is not None
        assert found.confidence > 0.5
        assert found.factor == pytest.approx(told, rel=0.02)
        assert found.fits(0.6 * factor)


def test_sharpening_and_a_little_noise_do_not_hide_it(photo):
    large = enlarged(photo, 1.5, "cubic").astype(np.float32)
    sharp = large + 0.8 * (large - cv2.GaussianBlur(large, (0, 0), 1.0))
    noisy = sharp + np.random.default_rng(0).normal(0, 0.7, sharp.shape)
    found = enlargement(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    assert found is not None
    assert found.confidence > 0.5


def _as_it_is(image: np.ndarray) -> np.ndarray:
    return image


def _mosaic(image: np.ndarray) -> np.ndarray:
    raw = image[..., 1].copy()
    raw[::2, ::2], raw[1::2, 1::2] = image[::2, ::2, 0], image[1::2, 1::2, 2]
    return cv2.cvtColor(raw, cv2.COLOR_BayerBG2RGB)


def _turned(image: np.ndarray) -> np.ndarray:
    """As a lens correction does: by 3 %."""
    centre = SIDE / 2
    return cv2.warpAffine(
        _mosaic(image),
        cv2.getRotationMatrix2D((centre, centre), 0.4, 1.03),
        (SIDE, SIDE),
        flags=cv2.INTER_CUBIC,
    )


def _striped(image: np.ndarray) -> np.ndarray:
    """A fence: a period of 3 px along rows alone."""
    fence = 20 * np.cos(2 * np.pi * np.arange(SIDE) / 3)
    return np.clip(image + fence[None, :, None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("made", [_as_it_is, _mosaic, _turned, _striped], ids=lambda f: f.__name__)
@pytest.mark.parametrize("quality", [None, 75, 92])
def test_what_only_looks_alike_is_not_accused(photo, made, quality):
    image = made(photo)
    found = enlargement(image if quality is None else jpeg(image, quality))
    assert found is not None
    assert found.confidence < 0.5


def test_a_photo_as_sharp_as_its_pixels_does_not_fit(photo):
    smaller = cv2.resize(jpeg(photo, 85), None, fx=0.7, fy=0.7, interpolation=cv2.INTER_LINEAR)
    found = enlargement(smaller)
    assert found is not None
    assert not found.fits(0.5)


def test_sixteen_bits_and_floats_are_the_same_photo(photo):
    large = enlarged(photo[:200, :200], 1.5, "cubic")
    eight, sixteen, real = (
        enlargement(image) for image in (large, large.astype(np.uint16) * 257, large.astype(np.float32) / 255)
    )
    assert eight == sixteen == real


def test_small_photos_show_too_few_periods(photo):
    assert enlargement(photo[:191, :400]) is None
