"""Truth: outputs of independent MATLAB-compatible resizes (tests/golden/README.md)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from realdeg.imaging.resample import resize

NAMES = ("astro", "odd", "zone")  # odd: 67 x 53, no multiple of any scale


@pytest.fixture(scope="module")
def matlab(golden):
    return {**np.load(golden / "images.npz"), **np.load(golden / "matlab_resize.npz")}


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("name", NAMES)
def test_reducing_is_matlab_imresize(matlab, name, scale):
    image = matlab[f"gt_{name}"]
    assert_array_equal(resize(image, 1 / scale), matlab[f"{name}_down{scale}_u8"])  # byte for byte
    assert_allclose(resize(image.astype(np.float64), 1 / scale), matlab[f"{name}_down{scale}_f64"], atol=1e-9)


@pytest.mark.parametrize(("scale", "side"), [(2, 24), (4, 16)])
@pytest.mark.parametrize("name", NAMES)
def test_enlarging_is_matlab_imresize(matlab, name, scale, side):
    part = matlab[f"gt_{name}"][:side, :side].astype(np.float64)
    assert_allclose(resize(part, scale), matlab[f"{name}_up{scale}_f64"], atol=1e-9)


@pytest.mark.parametrize("size", ["96x120", "97x123"])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_agrees_with_two_more_implementations(golden, scale, size):
    z = np.load(golden / "imresize.npz")
    image = z[f"hr_{size}"]
    assert_array_equal(resize(image, 1 / scale), z[f"fatheral_uint8_x{scale}_{size}"])
    other = z[f"basicsr_x{scale}_{size}"].astype(np.float64)
    peak = 255 if other.max() > 2 else 1
    ours = resize(image.astype(np.float32) / (255 / peak), 1 / scale)
    assert_allclose(ours * (255 / peak), other * (255 / peak), atol=2e-3)


@given(grey=st.floats(0, 1), h=st.integers(8, 40), w=st.integers(8, 40), scale=st.sampled_from([2, 3, 4, 8]))
def test_a_flat_image_stays_flat(grey, h, w, scale):
    assert_allclose(resize(np.full((h, w, 3), grey), 1 / scale), grey, atol=1e-12)
    assert_allclose(resize(np.full((h, w), grey), scale), grey, atol=1e-12)


@given(st.sampled_from([2, 3, 4, 8]), st.integers(4, 9))
def test_lr_pixel_i_sits_at_s_i_plus_half(scale, n):
    """A linear ramp is reproduced away from the border: value = position."""
    ramp = np.tile(np.arange(scale * n, dtype=np.float64), (scale * n, 1))
    reduced = resize(ramp, 1 / scale)
    inner = slice(2, n - 2)
    assert_allclose(
        reduced[:, inner], np.tile(scale * np.arange(n) + (scale - 1) / 2, (n, 1))[:, inner], atol=1e-9
    )


def test_types_and_sixteen_bit():
    rng = np.random.default_rng(0)
    image = rng.integers(25000, 40000, (40, 30, 3)).astype(np.uint16)
    assert resize(image, 0.5).dtype == np.uint16
    exact = resize(image.astype(np.float64), 0.5)
    assert np.abs(resize(image, 0.5).astype(float) - np.clip(exact, 0, 65535)).max() <= 2
    assert resize(image.astype(np.float32), 0.5).dtype == np.float32


def test_large_images_go_in_blocks(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (64, 90, 3)).astype(np.uint8)
    whole = resize(image, 1 / 4)
    monkeypatch.setattr("realdeg.imaging.resample.BLOCK", 1000)
    assert_array_equal(resize(image, 1 / 4), whole)


@pytest.mark.parametrize("bad", [(np.zeros((0, 4)), 0.5), (np.zeros(4), 0.5), (np.zeros((4, 4)), 0)])
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError, match="cannot resize"):
        resize(*bad)
