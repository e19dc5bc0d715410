"""Truth: colour-demosaicing (tests/golden/demosaic.npz), kornia, the paper's equations, ramps, NumPy for torch."""

import json
from dataclasses import asdict, replace

import kornia
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from realdeg.imaging import isp_batched
from realdeg.imaging.isp import Isp, camera_ccm, demosaic, mosaic, of_numbers, process, unprocess
from realdeg.imaging.isp_batched import METHODS, PATTERNS, stacked

ISP = Isp(red_gain=2.2, blue_gain=1.7, gain=1.25, ccm=camera_ccm((1, 2, 1, 0.5)))
KORNIA = {"rggb": "BG", "grbg": "GB", "gbrg": "GR", "bggr": "RG"}  # OpenCV's names: the second row's colours
CAMERAS = st.builds(
    Isp,
    *(st.floats(low, high) for low, high in ((1.9, 2.4), (1.5, 1.9), (1, 1.5))),
    st.tuples(*[st.floats(0.01, 1)] * 4).map(camera_ccm),
    st.sampled_from(PATTERNS),
    st.sampled_from(METHODS),
)


def muted(h, w, seed=0):
    """(h, w, 3) in [0.1, 0.9], of colours that every camera sees (near grey)."""
    rng = np.random.default_rng(seed)
    grey = rng.uniform(0.15, 0.85, (h, w, 1))
    return (grey + rng.uniform(-0.05, 0.05, (h, w, 3))).astype(np.float32)


def ramp(h, w):
    """(h, w, 3), each colour a plane of its own slope."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    planes = [0.1 + 0.01 * x + 0.004 * y, 0.7 - 0.008 * x + 0.003 * y, 0.3 + 0.002 * x - 0.005 * y]
    return np.stack(planes, axis=-1)


def tensor(image, dtype=torch.float32):
    return torch.from_numpy(np.ascontiguousarray(image)).to(dtype).movedim(-1, 0)[None]


def array(tensors):
    return tensors[0].movedim(0, -1).numpy()


# --- unprocess and process


@given(isp=CAMERAS, seed=st.integers(0, 99))
@settings(deadline=None)
def test_process_undoes_unprocess(isp, seed):
    image = muted(9, 7, seed)
    assert_allclose(process(unprocess(image, isp), isp), image, atol=1e-4)


def test_the_steps_are_the_papers():
    """Step by step in float64, from the equations; the grid reaches highlights and colours out of gamut."""
    x = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3), axis=-1).reshape(27, 27, 3)
    tone = 0.5 - np.sin(np.arcsin(1 - 2 * x) / 3)
    assert_allclose(3 * tone**2 - 2 * tone**3, x, atol=1e-12)
    linear = np.maximum(tone, 1e-8) ** 2.2
    camera = np.clip(linear @ np.linalg.inv(ISP.matrix).T, 0, 1)
    g = np.array([2.2, 1, 1.7]) * 1.25
    alpha = (np.maximum(camera - 0.9, 0) / 0.1) ** 2
    expected = np.maximum(camera / g, (1 - alpha) * camera / g + alpha * camera)
    assert_allclose(unprocess(x.astype(np.float32), ISP), expected, atol=2e-6)

    linear = np.clip(np.clip(expected * g, 0, 1) @ ISP.matrix.T, 0, 1)
    encoded = np.maximum(linear, 1e-8) ** (1 / 2.2)
    forward = process(expected.astype(np.float32), ISP)
    assert_allclose(forward, 3 * encoded**2 - 2 * encoded**3, atol=2e-6)


@given(isp=CAMERAS, grey=st.floats(0, 1), h=st.integers(2, 9), w=st.integers(2, 9))
@example(isp=Isp(2, 1.5, 1, camera_ccm((1, 1, 1, 1)), demosaic="bilinear"), grey=0.996, h=2, w=2)
@settings(deadline=None)
def test_a_flat_grey_stays_flat(isp, grey, h, w):
    """Through the mosaic too; highlights (above 0.99) take a tinge, as their inverse gains fade unequally."""
    image = np.full((h, w, 3), grey, np.float32)
    raw = unprocess(image, isp)
    assert_allclose(raw, np.broadcast_to(raw[0, 0], raw.shape), rtol=1e-6)  # vector code ends in scalar code
    out = process(demosaic(mosaic(raw, isp.pattern), isp.pattern, isp.demosaic), isp)
    assert np.ptp(out, axis=(0, 1)).max() < 2e-5
    assert_allclose(out, grey, atol=1e-4 if grey <= 0.99 else 0.02)


def test_black_white_and_beyond():
    """Raw 1 in all channels is white: without the clip after the gains it would be magenta."""
    for value in (0, 1, 1.3):
        raw = unprocess(np.full((2, 2, 3), value, np.float32), ISP)
        assert_allclose(raw, min(value, 1), atol=1e-6)
        assert_allclose(process(np.full((2, 2, 3), value, np.float32), ISP), min(value, 1), atol=1e-6)
    out = process(np.array([[[-0.2, 0.5, 9]]], np.float32), ISP)
    assert ((out >= 0) & (out <= 1)).all()


def test_camera_matrices_keep_white_and_separate_colours():
    for weights in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0.2, 0.9, 0.1, 0.5)):
        matrix = np.array(camera_ccm(weights)).reshape(3, 3)
        assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
        assert (np.diag(matrix) > 1).all()
        assert np.linalg.det(matrix) > 1
    assert camera_ccm((2, 2, 2, 2)) == pytest.approx(camera_ccm((1, 1, 1, 1)))


def test_settings_from_numbers():
    back = Isp(**json.loads(json.dumps(asdict(ISP))))
    assert back == ISP
    assert hash(back) == hash(ISP)
    assert of_numbers({**asdict(ISP), "op": "camera", "shot": 0.01}) == ISP
    strength = {"red_gain": 2, "blue_gain": 1.5, "gain": 1}
    assert_array_equal(of_numbers({**strength, "ccm": 0}).matrix, np.eye(3))
    assert_allclose(of_numbers({**strength, "ccm": 1.0}).ccm, camera_ccm((1, 1, 1, 1)))
    with pytest.raises(KeyError, match="ccm"):
        of_numbers(strength)


def test_wrong_settings():
    wrong = [{"red_gain": 0}, {"gain": float("nan")}, {"pattern": "rgbg"}, {"demosaic": "ahd"}]
    for ccm in ((1, 0, 0), (2, 0, 0, 0, 1, 0, 0, 0, 1), (1, 0, 0, 1, 0, 0, 0, 0, 1)):
        wrong.append({"ccm": ccm})
    for change in wrong:
        with pytest.raises(ValueError, match=r"not all|no 3 x 3|inverted|no pattern"):
            replace(ISP, **change)


# --- mosaic and demosaicing


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(6, 8), (5, 7), (1, 1), (2, 3)])
def test_the_mosaic_has_the_patterns_phase(pattern, size):
    image = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    before = image.copy()
    raw = mosaic(image, pattern)
    for y in range(size[0]):
        for x in range(size[1]):
            colour = "rgb".index(pattern[2 * (y % 2) + x % 2])
            assert raw[y, x] == image[y, x, colour]
    assert_array_equal(image, before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_demosaicing_is_colour_demosaicings(golden, pattern, method):
    """colour-demosaicing 0.2.7 on the mosaic with our border, stored as float32 (tests/golden/README.md)."""
    with np.load(golden / "demosaic.npz") as z:
        raw = mosaic(z["rgb"] / np.float32(255), pattern)
        assert_array_equal(raw, z[f"raw_{pattern}"])
        assert_allclose(demosaic(raw, pattern, method), z[f"{method}_{pattern}"], atol=5e-7)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bilinear_is_kornias(pattern):
    raw = mosaic(np.random.default_rng(1).random((24, 30, 3), dtype=np.float32), pattern)
    cfa = getattr(kornia.color.CFA, KORNIA[pattern])
    theirs = array(kornia.color.raw_to_rgb(torch.from_numpy(raw)[None, None], cfa))
    assert_allclose(demosaic(raw, pattern, "bilinear"), theirs, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(20, 24), (21, 23)])
def test_a_ramp_is_exact(pattern, method, size):
    image = ramp(*size)
    out = demosaic(mosaic(image, pattern), pattern, method)
    assert_allclose(out[2:-2, 2:-2], image[2:-2, 2:-2], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (2, 5), (7, 9)])
def test_measured_values_stay_and_the_border_keeps_the_phase(pattern, method, size):
    """On flat colour every estimate is exact up to the edge, whatever the size."""
    image = np.random.default_rng(2).random((*size, 3), dtype=np.float32)
    raw = mosaic(image, pattern)
    assert_array_equal(mosaic(demosaic(raw, pattern, method), pattern), raw)
    colour = np.broadcast_to(np.array([0.2, 0.5, 0.8], np.float32), (*size, 3))
    assert_allclose(demosaic(mosaic(colour, pattern), pattern, method), colour, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (8, 1)])
def test_a_mosaic_without_all_colours(size):
    with pytest.raises(ValueError, match="lacks a colour"):
        demosaic(np.zeros(size, np.float32), "rggb")
    index = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(ValueError, match="lacks a colour"):
        isp_batched.demosaic(torch.zeros(1, 1, *size), index, index)


# --- batches


def batch(n=8):
    """n samples with all patterns, both methods, and different cameras."""
    rng = np.random.default_rng(3)
    isps = []
    for i in range(n):
        gains = rng.uniform((1.9, 1.5, 0.9), (2.4, 1.9, 1.5))
        ccm = camera_ccm(rng.uniform(0, 1, 4))
        isps.append(Isp(*gains.tolist(), ccm, PATTERNS[i // 2 % 4], METHODS[i % 2]))
    return isps, stacked(isps)


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (16, 16), (33, 18)])
def test_torch_is_numpy(size):
    """All four functions, on values up to 0 and 1; tolerance: other order of float32 operations."""
    isps, tensors = batch()
    rng = np.random.default_rng(4)
    images = rng.random((len(isps), *size, 3), dtype=np.float32)
    images[:, 0, 0], images[:, -1, -1] = 0, 1
    x = torch.from_numpy(images).movedim(-1, 1)
    raw = isp_batched.unprocess(x, tensors)
    sensor = isp_batched.mosaic(raw, tensors.pattern)
    rgb = isp_batched.demosaic(sensor, tensors.pattern, tensors.demosaic)
    out = isp_batched.process(rgb, tensors)
    assert sensor.shape == (len(isps), 1, *size)
    for i, isp in enumerate(isps):
        ours = unprocess(images[i], isp)
        assert_allclose(array(raw[i : i + 1]), ours, atol=1e-5)
        seen = mosaic(ours, isp.pattern)
        assert_allclose(sensor[i, 0].numpy(), seen, atol=1e-5)
        filled = demosaic(seen, isp.pattern, isp.demosaic)
        assert_allclose(array(rgb[i : i + 1]), filled, atol=1e-5)
        # The slope of gamma at black has no bound, so the last step is compared on equal input.
        assert_allclose(array(out[i : i + 1]), process(array(rgb[i : i + 1]), isp), atol=1e-5)


def test_gradients_of_the_whole_chain():
    """With respect to image, gains and matrix, by both methods, on colours that nothing clips."""
    isps, _ = batch(2)
    fixed = stacked(isps, dtype=torch.float64)
    x = torch.cat([tensor(muted(4, 5, seed), torch.float64) for seed in (0, 1)]).requires_grad_()
    parameters = (fixed.red_gain, fixed.blue_gain, fixed.gain, fixed.ccm)

    def chain(image, red, blue, gain, ccm):
        isps = isp_batched.Isps(red, blue, gain, ccm, fixed.pattern, fixed.demosaic)
        raw = isp_batched.mosaic(isp_batched.unprocess(image, isps), isps.pattern)
        later = replace(isps, gain=1.1 * gain)  # or the gains would cancel
        return isp_batched.process(isp_batched.demosaic(raw, isps.pattern, isps.demosaic), later)

    assert torch.autograd.gradcheck(chain, (x, *(p.requires_grad_() for p in parameters)))


def test_gradients_at_black_and_white_are_finite():
    _, tensors = batch(1)
    x = torch.tensor([-0.1, 0, 1e-7, 0.5, 1 - 6e-8, 1, 1.1]).expand(1, 3, 2, 7).clone().requires_grad_()
    raw = isp_batched.unprocess(x, tensors)
    isp_batched.process(raw, tensors).sum().backward()
    assert torch.isfinite(raw).all()
    assert torch.isfinite(x.grad).all()
    assert (x.grad[..., [0, 1, 5, 6]] == 0).all()
