"""Truth: seams put in by hand, JPEG's own blocks, and photographs, which have none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdeg.io.find import find_images
from realdeg.io.photo import read
from realdeg.metrics.blockiness import blockiness


@given(
    st.integers(2, 8),
    st.floats(0.1, 5),
    st.floats(0, 20),
    st.integers(2, 4),
    st.integers(2, 4),
    st.booleans(),
)
def test_a_ramp_with_steps_has_the_ratio_of_its_steps(step, slope, extra, down, across, colour):
    """Neighbours differ by `slope`, across borders by `slope + extra`, along both axes."""
    rows, columns = np.arange(down * step)[:, None], np.arange(across * step)[None]
    image = slope * (rows + columns) + extra * (rows // step + columns // step)
    image = np.repeat(image[..., None], 3, 2) if colour else image
    assert blockiness(image, step) == pytest.approx(1 + extra / slope, rel=1e-9)


@given(st.integers(2, 8), st.floats(0.01, 100), st.floats(-5, 5))
def test_brightness_and_contrast_do_not_matter(step, contrast, offset):
    image = np.random.default_rng(step).random((20, 24, 3))
    assert blockiness(contrast * image + offset, step) == pytest.approx(blockiness(image, step), rel=1e-6)


@pytest.mark.parametrize("step", [2, 4, 8])
def test_noise_and_photographs_have_no_seams(sample, step):
    noise = np.random.default_rng(0).normal(size=(256, 256))
    assert blockiness(noise, step) == pytest.approx(1, abs=0.02)
    for found in find_images(sample / "clean"):
        assert blockiness(read(found.path).pixels, step) == pytest.approx(1, abs=0.02), found.key


@pytest.mark.parametrize("quality", [90, 30, 10])
def test_jpeg_is_seen_the_more_the_stronger_it_is(sample, quality):
    image = np.ascontiguousarray(read(sample / "clean/coffee.png").pixels)
    coded = cv2.imdecode(
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
    )
    floor = {90: 0.99, 30: 1.1, 10: 1.6}
    assert blockiness(coded, 8) > floor[quality]
    assert blockiness(coded, 7) == pytest.approx(1, abs=0.1), "blocks of 8 px are no blocks of 7"


def test_patches_with_noise_of_their_own_are_seen():
    """A patch of one level each, over noise: steps inside have mean 2 s / sqrt(pi) of noise s."""
    rng = np.random.default_rng(1)
    noise, levels = rng.normal(size=(320, 320)), rng.normal(scale=3, size=(80, 80))
    patchy = noise + np.kron(levels, np.ones((4, 4)))
    # Differences across are normal with variance 2 (1 + 9), those inside with variance 2.
    assert blockiness(patchy, 4) == pytest.approx(np.sqrt(10), rel=0.03)


def test_flat_images():
    assert blockiness(np.full((8, 8), 3), 4) == 1
    assert blockiness(np.kron(np.eye(2), np.ones((4, 4))), 4) == float("inf")
    assert blockiness(np.arange(16)[None] // 4 + np.zeros((1, 16)), 4) == float("inf"), "one row is enough"


@pytest.mark.parametrize(
    ("shape", "step", "said"),
    [
        ((4, 4), 4, "one patch"),
        ((8, 8), 1, "no inside"),
        ((8,), 2, "no patches"),
        ((0, 8, 3), 2, "no patches"),
    ],
)
def test_what_has_no_borders_is_refused(shape, step, said):
    with pytest.raises(ValueError, match=said):
        blockiness(np.zeros(shape), step)
