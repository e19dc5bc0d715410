"""The border: every array is right, or refused by one line of ours; never by NumPy's, OpenCV's or torch's own words."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal
from PIL import Image

import realdeg
from realdeg import inputs
from realdeg.errors import UserError

DTYPES = (
    "u1",
    ">u2",
    "<u2",
    "f2",
    "f4",
    ">f4",
    "f8",
    "g",
    "?",
    "i1",
    "i2",
    "i8",
    "u4",
    "u8",
    "c8",
    "O",
    "U3",
    "M8[s]",
)
MEANT = {"u1", ">u2", "<u2", "f2", "f4", ">f4", "f8", "g"}
OWN = (UserError, realdeg.BadInput)


def one_line(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    assert 10 < len(text) < 300
    return text


@st.composite
def given_arrays(draw):
    """An array of any type, shape and layout, and whether it is an image as documented."""
    kind = draw(st.sampled_from(DTYPES))
    shape = draw(
        st.one_of(
            arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
            st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([1, 3])),
        )
    )
    dtype = np.dtype(kind)
    values = np.random.default_rng(draw(st.integers(0, 99))).random(shape)
    spread = (
        draw(st.sampled_from([(0, 1), (0, 255), (-0.1, 1), (np.nan, 1), (0, np.inf)]))
        if dtype.kind == "f"
        else (0, 1)
    )
    with np.errstate(all="ignore"):
        values = (
            values * spread[1] + spread[0] if dtype.kind == "f" else np.asarray(values * 255).astype("i8")
        )
        array = np.asarray(values).astype(dtype)
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided", "read-only"]))
    if array.ndim >= 2:
        if layout == "F":
            array = np.asfortranarray(array)
        elif layout == "reversed":
            array = array[::-1, ::-1]
        elif layout == "strided":
            array = np.repeat(array, 2, axis=0)[::2]
    if layout == "read-only":
        array = array.view()
        array.flags.writeable = False
    image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    good = kind in MEANT and image and array.size and (spread == (0, 1) or dtype.kind != "f")
    return array, bool(good)


@given(given_arrays())
@settings(max_examples=400)
def test_an_array_is_right_or_refused(case):
    array, good = case
    try:
        found = inputs.image(array, "x")
    except OWN as error:
        one_line(error)
        assert not good
        return
    # A float array of any range may happen to lie in [0, 1].
    assert good or (array.dtype.kind == "f" and array.min() >= -1e-6 and array.max() <= 1 + 1e-6)
    assert found.dtype in (np.uint8, np.uint16, np.float32)
    assert found.flags.c_contiguous
    assert found.flags.writeable
    whole = array if array.ndim == 3 else array[..., None]
    wanted = np.clip(whole.astype("f4"), 0, 1) if array.dtype.kind == "f" else whole
    assert_array_equal(found, np.broadcast_to(wanted, (*array.shape[:2], 3)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            np.zeros((4, 4, 4), np.uint8),
            "x: of shape 4x4x4 has an alpha channel; leave it out, x[..., :3], or",
        ),
        (np.zeros((3, 9, 9)), "channels come last: x.transpose(1, 2, 0)"),
        (np.zeros((2, 9, 9, 3)), "give one image at a time"),
        (np.zeros((9, 9, 3), np.int64), "is an array of int64; the type says what white is"),
        (np.zeros((9, 9, 3), bool), "is an array of bool; multiply by np.uint8(255)"),
        (np.full((9, 9, 3), 200.0), "is float from 200 to 200, and [0, 1] is meant; clip it"),
        (np.full((9, 9, 3), np.nan), "holds NaN or infinity"),
        (np.zeros((0, 9, 3), np.uint8), "is empty (0x9x3)"),
        (np.ma.zeros((9, 9, 3), np.uint8), "is a masked array"),
        ([[0.5]], "is a list; give a NumPy array"),
        (torch.zeros(3, 9, 9), "is a tensor of torch; give x.permute(1, 2, 0).cpu().numpy(), (H, W, 3)"),
        (
            Image.new("RGBA", (4, 4)),
            "is a picture of mode RGBA; convert it: x.convert('RGB'), after laying it on",
        ),
        (Image.new("P", (4, 4)), "is a picture of mode P; convert it: x.convert('RGB')"),
        (None, "is NoneType, not an image"),
        (3, "is an int, not an image"),
        ("", "'' is no path"),
    ],
)
def test_what_is_said(value, said):
    with pytest.raises(realdeg.BadInput) as caught:
        inputs.image(value, "x")
    assert said in one_line(caught.value)
    assert isinstance(caught.value, ValueError)


def test_pictures_photos_and_paths_are_images(sample):
    path = sample / "clean" / "chelsea.png"
    photo = realdeg.read(str(path))
    for same in (path, str(path), photo, Image.open(path), photo.pixels[:, ::-1][:, ::-1]):
        assert_array_equal(inputs.image(same, "x"), photo.pixels)
    grey = Image.open(path).convert("L")
    assert_array_equal(inputs.image(grey, "x")[..., 1], np.asarray(grey))
    assert inputs.is_grey(np.zeros((3, 4)))
    assert not inputs.is_grey(photo)


class Text(str):
    """Not a surprise."""


@pytest.mark.parametrize("function", [realdeg.read, realdeg.open_dataset, realdeg.load_manifest])
@pytest.mark.parametrize("value", [3, None, b"x", "", ["a"], np.zeros(3)])
def test_what_is_no_path_is_said_so(function, value):
    with pytest.raises(realdeg.BadInput, match="is no path; give a str"):
        function(value)


@pytest.mark.parametrize("kind", [str, pathlib.Path, Text])
def test_a_path_of_any_kind_is_one(kind, dataset):
    assert len(realdeg.open_dataset(kind(dataset))) == 2


IMAGES = st.sampled_from(
    [
        np.zeros((9, 12, 3), np.uint8),
        np.linspace(0, 1, 16 * 24 * 3).reshape(16, 24, 3),
        np.linspace(0, 1, 16 * 24).reshape(16, 24).astype("f4"),
        np.arange(8 * 8 * 3, dtype="u2").reshape(8, 8, 3) * 300,
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((24, 24, 4), np.uint8),
        np.zeros((24, 24, 3), np.int64),
        np.full((24, 24, 3), np.nan),
        np.zeros((0, 0, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (70, 71, 3), np.uint8)[::-1, ::-1],
        torch.zeros(3, 8, 8),
        "no/such/file.png",
        None,
    ]
)
NUMBERS = st.sampled_from([4, 2, 3, np.int64(2), 1, 0, -1, 4.0, "4", None, True, 10**30])
CALLS = {
    "register": lambda a, b, n: realdeg.register(a, b, n),
    "estimate_kernel": lambda a, b, n: realdeg.estimate_kernel(a, n),
    "kernel of a pair": lambda a, b, n: realdeg.estimate_kernel(a, n, hr=b),
    "recipe": lambda a, b, n: realdeg.Recipe.load("bicubic")(a, seed=0, scale=n),
    "seed": lambda a, b, n: realdeg.Recipe.load("bsrgan")(a, seed=n, scale=2),
    "replay": lambda a, b, n: realdeg.replay(a, PLAN),
    "psnr": lambda a, b, n: realdeg.psnr(a, b, shave=n),
    "ssim": lambda a, b, n: realdeg.ssim(a, b, shave=n),
    "calibrate": lambda a, b, n: realdeg.calibrate([(a, b)], n),
    "write": lambda a, b, n: realdeg.write(f"{__file__}/no.png", a, quality=n),
    "kernel pool": lambda a, b, n: realdeg.KernelPool.from_arrays([a, b]),
    "noise pool": lambda a, b, n: realdeg.NoisePool.from_arrays([a], n),
}
PLAN = realdeg.Recipe.load("bicubic").draw(0, "k", (16, 24), 4)


@pytest.mark.parametrize("name", CALLS)
@given(IMAGES, IMAGES, NUMBERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_function_is_right_or_says_what_is_wrong(name, a, b, n):
    try:
        CALLS[name](a, b, n)
    except UserError as error:
        one_line(error)


@pytest.mark.parametrize("junk", ["", "{}", "[1]", '[{"op": "blur"}]', "null", 7, None, b"{"])
def test_a_plan_that_is_none_is_refused(junk):
    with pytest.raises(realdeg.BadInput, match="plan: is"):
        realdeg.replay(np.zeros((16, 24, 3), np.uint8), junk)


def test_hr_of_another_size_than_the_plans_is_refused():
    with pytest.raises(UserError, match="the plan was drawn for HR of 24x16 px"):
        realdeg.replay(np.zeros((24, 16, 3), np.uint8), PLAN)


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"max_eror": 1}, "did you mean 'max_error'"),
        ({"max_error": "much"}, "max_error"),
        ({"scale_": 2}, "scale"),
    ],
)
def test_settings_are_checked_by_name(settings_, said):
    with pytest.raises(UserError, match=said):
        realdeg.register(np.zeros((64, 64)), np.zeros((64, 64)), 2, **settings_)


@given(arrays.arrays(np.float64, (3, 3), elements=st.floats(-2, 2)))
def test_pools_of_arrays_are_right_or_refused(kernel):
    try:
        total = realdeg.KernelPool.from_arrays([kernel]).kernels[0].sum()
    except UserError as error:
        text = one_line(error)
    else:
        text, total = "kernel 0: divided by its sum", float(total)
        assert total == pytest.approx(1)
    assert text.startswith("kernel 0: ")
