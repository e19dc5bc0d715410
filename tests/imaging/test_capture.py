"""The simulator is the truth of registration, so it is held to closed forms itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from realdeg.imaging.capture import CameraModel, capture
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear


def shot(scene, matrix, **camera):
    return capture(scene, np.asarray(matrix, float), CameraModel(**camera), np.random.default_rng(0))


def ramp(height=60, width=80):
    """Linear light that grows by 1/100 a column: position can be read off a pixel."""
    light = np.tile((np.arange(width) + 10) / 100, (height, 1))[..., None].repeat(3, -1)
    return np.rint(linear_to_srgb(light) * 255).astype(np.uint8)


def test_a_photo_through_no_lens_is_the_scene():
    scene = np.random.default_rng(1).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    photo = shot(scene, np.eye(3), size_hw=(30, 40), blur=0.01, noise_8bit=0)
    assert np.abs(photo.astype(int) - scene).max() <= 1


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.5, 7.25])
def test_a_pixel_is_where_the_map_says(shift):
    photo = shot(ramp(), [[1, 0, shift], [0, 1, 0], [0, 0, 1]], size_hw=(40, 60), blur=0.01, noise_8bit=2)
    columns = 100 * srgb_to_linear(photo[:, 5:50] / 255) - 10
    assert_allclose(columns.mean(), np.arange(5, 50).mean() + shift, atol=0.05)  # noise dithers the rounding


def test_a_homography_is_applied_with_its_denominator():
    matrix = np.array([[1.4, 0.1, 3], [0.05, 1.3, 2], [1e-3, -5e-4, 1]])
    photo = shot(ramp(), matrix, size_hw=(30, 40), blur=0.01, noise_8bit=0)
    x, y = 20, 10
    at = (matrix[0] @ [x, y, 1]) / (matrix[2] @ [x, y, 1])
    assert 100 * srgb_to_linear(photo[y, x, 0] / 255) - 10 == pytest.approx(at, abs=0.5)


def test_exposure_is_gain_on_light():
    scene = np.full((20, 20, 3), 100, np.uint8)
    photo = shot(scene, np.eye(3), size_hw=(20, 20), exposure=2.0, noise_8bit=0)
    expected = 255 * linear_to_srgb(2 * srgb_to_linear(100 / 255))
    assert photo.mean() == pytest.approx(float(expected), abs=0.6)


def test_noise_is_as_strong_as_said():
    scene = np.full((200, 200, 3), 128, np.uint8)
    photo = shot(scene, np.eye(3), size_hw=(200, 200), noise_8bit=3.0)
    assert photo.std() == pytest.approx(3.0, rel=0.03)


def test_light_is_blurred_not_encoded_values():
    """A fine black-and-white pattern comes out at half the light, 188, not at half the code, 128."""
    scene = np.zeros((60, 60, 3), np.uint8)
    scene[:, ::2] = 255
    photo = shot(scene, np.eye(3), size_hw=(60, 60), blur=3.0, noise_8bit=0)
    assert photo[30, 30, 0] == pytest.approx(188, abs=1)
