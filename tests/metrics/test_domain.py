"""Truth: noise and blur that were put in, Parseval's theorem, exchangeable sets."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import stats

import realdeg.metrics.domain as domain
from realdeg.metrics.domain import FEW, domain_distance, doubts, frechet2
from realdeg.metrics.photo_statistics import (
    FREQUENCIES,
    MIN_SIDE,
    QUANTISED,
    STEPS,
    describe,
    gradients,
    noise_levels,
    spectrum,
)


def scene(seed, *, blur=1.0, noise=1.0, quality=None, side=128):
    """Overlapping disks of many sizes (natural statistics), seen by a camera; (side, side, 3) float32."""
    rng = np.random.default_rng(seed)
    image = np.full((side + 32, side + 32, 3), 0.5, np.float32)
    for radius in 40 / rng.uniform(1, 20, 120):
        colour = rng.uniform(0.1, 0.9, 3)
        at = rng.integers(0, side + 32, 2)
        cv2.circle(image, (int(at[0]), int(at[1])), max(1, round(radius)), colour.tolist(), -1)
    image = cv2.GaussianBlur(image, (0, 0), blur)[16:-16, 16:-16]
    image = image + np.float32(noise / 255) * rng.standard_normal(image.shape).astype(np.float32)
    pixels = np.rint(255 * image.clip(0, 1)).astype(np.uint8)
    if quality:
        pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)
    return pixels.astype(np.float32) / 255


def described(start, count=12, **camera):
    return [describe(scene(start + i, **camera)) for i in range(count)]


@pytest.fixture(scope="module")
def real():
    return described(0)


def test_the_spectrum_of_white_noise_is_flat_and_of_a_wave_has_its_peak():
    rng = np.random.default_rng(0)
    assert np.abs(spectrum(128 + 9 * rng.standard_normal((512, 512)).astype(np.float32))).max() < 0.1
    for ring in (0, 6, 14):
        wave = 30 * np.cos(2 * np.pi * FREQUENCIES[ring] * np.arange(256, dtype=np.float32))
        assert np.argmax(spectrum(np.tile(wave + 128, (256, 1)))) == ring


@pytest.mark.parametrize("sigma", [0.5, 2.0, 8.0])
def test_the_noise_level_is_the_one_put_in(sigma):
    """The flattest quarter of blocks lies a little below the mean: 2 % to 12 %."""
    rng = np.random.default_rng(1)
    ramp = np.tile(np.linspace(20, 235, 512, dtype=np.float32), (512, 1))
    found = noise_levels(ramp + sigma * rng.standard_normal(ramp.shape).astype(np.float32))
    truth = 0.5 * np.log2(np.array([[sigma**2], [sigma**2 / 4]]) + QUANTISED)  # 2 x 2 px averaged
    assert (found < truth + 0.02).all()
    assert (found > truth - 0.35).all()


def test_the_gradients_of_noise_are_those_of_gaussians():
    noise = 40 * np.random.default_rng(2).standard_normal((400, 400)).astype(np.float32)
    found = gradients(noise)
    assert np.abs(found[:4]).max() < 0.02  # as strong over any distance
    np.testing.assert_allclose(found[4:], 0.5 * np.log2(np.pi / 2), atol=0.02)
    assert len(found) == 4 + len(STEPS)


def test_other_scenes_of_the_same_camera_are_near(real):
    found = domain_distance(real, described(100))
    assert found.distance < 1.6
    assert found.p_value > 0.01
    assert domain_distance(real, real).distance == 0


@pytest.mark.parametrize(
    "more", [{"blur": (1.3, 2.0, 3.0)}, {"blur": (0.8, 0.55)}, {"noise": (3, 6, 12)}, {"quality": (60, 20)}]
)
def test_more_of_it_is_farther(real, more):
    (name, values), distances = next(iter(more.items())), [domain_distance(real, described(200)).distance]
    for value in values:
        distances.append(domain_distance(real, described(200, **{name: value})).distance)
    assert distances == sorted(distances)
    assert distances[-1] > 1.5 * distances[0]


def test_a_mixture_that_is_right_on_average_is_not_near(real):
    mixed = described(300, 6, blur=0.6) + described(306, 6, blur=1.7)
    assert domain_distance(real, mixed).distance > 1.3 * domain_distance(real, described(300)).distance


def test_frechet_is_that_of_gaussians():
    rng = np.random.default_rng(3)
    a, b = rng.normal(1, 2, (4000, 3)), rng.normal(4, 3, (4000, 3))
    assert frechet2(a, b) == pytest.approx(3**2 + 1**2, rel=0.05)
    a[:, 0] = np.nan  # a figure that one set does not have says nothing
    assert frechet2(a, b) == pytest.approx(10, rel=0.05)
    assert np.isnan(frechet2(np.full((5, 2), np.nan), b[:, :2]))


def test_p_values_are_uniform_where_nothing_differs(monkeypatch):
    monkeypatch.setattr(domain, "PERMUTATIONS", 99)
    rng = np.random.default_rng(4)
    values = [domain._permuted(rng.normal(size=(6, 5)), rng.normal(size=(9, 5))) for _ in range(200)]
    assert stats.kstest(values, "uniform").pvalue > 0.001
    far = domain._permuted(rng.normal(size=(6, 5)), 3 + rng.normal(size=(9, 5)))
    assert far == pytest.approx(0.01)


def test_the_same_numbers_each_time(real):
    one, other = (domain_distance(real, described(400, 4)) for _ in range(2))
    assert (one.distance, one.p_value) == (other.distance, other.p_value)


@pytest.mark.parametrize("shape", [(MIN_SIDE, MIN_SIDE), (MIN_SIDE, 300), (97, 131)])
def test_small_odd_and_flat_images_have_finite_figures(shape):
    for image in (np.full((*shape, 3), 0.5, np.float32), np.zeros((*shape, 3), np.float32)):
        found = describe(image)
        for figure in (found.spectrum, found.gradients, found.patches):
            assert np.isfinite(figure).all()


def test_refuses_what_is_too_small_or_too_few(real):
    with pytest.raises(ValueError, match="is 300x63 px, 64 a side"):
        describe(np.zeros((63, 300, 3), np.float32))
    with pytest.raises(ValueError, match="3 photos and 12 images; 4 of each"):
        domain_distance(real[:3], real)


@pytest.fixture(scope="module")
def many():
    return described(500, FEW, side=64)


def test_few_photos_make_rough_distances_and_enough_need_no_word(many):
    others = described(900, FEW, side=64)
    assert doubts(many, {"synthetic": others}) == []
    assert doubts(many[:-1], {"a": others, "b": others[:11]}, "camera") == [
        "rough distances: 39 photos of camera, 11 images of b; 40 or more of each make them reliable"
    ]


def test_a_set_that_is_compared_with_itself_is_known_by_its_pixels(many):
    others = described(900, FEW, side=64)
    again = described(500, FEW, side=64)  # the same pictures, read again
    assert doubts(many, {"copy": again, "other": others}, "camera") == [
        "copy: all images are photos of camera, so the distance is from itself; take other photos"
    ]
    (line,) = doubts(many, {"mixed": [*again[:3], *others]}, "camera")
    assert line.startswith("mixed: 3 of 43 images are photos of camera, ")
    noisier = described(500, FEW, side=64, noise=1.01)
    assert doubts(many, {"noisier": noisier}, "camera") == []
