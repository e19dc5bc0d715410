"""Colour profiles. Truth: LittleCMS at 8 bits, closed formulas at 16."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageCms

from realdeg.io.photo import read

# Columns are the XYZ of red, green and blue, adapted to D50 as profiles state them
# (B. Lindbloom, RGB working space matrices; Display P3 from the ICC's characterisation).
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])


@pytest.fixture(params=["adobe", "p3"])
def profile(request, matrix_profile) -> bytes:
    if request.param == "adobe":
        return matrix_profile(ADOBE, 563 / 256, "Like Adobe RGB")
    return matrix_profile(P3, 2.2, "Like P3")


def by_lcms(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    image = ImageCms.profileToProfile(
        Image.fromarray(pixels), source, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    return np.asarray(image)


@pytest.fixture
def cube() -> np.ndarray:
    """All combinations of 18 levels."""
    axis = np.arange(0, 256, 15, dtype=np.uint8)
    return np.stack(np.meshgrid(axis, axis, axis), -1).reshape(18 * 3, -1, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_the_profile_is_found_in_every_format(tmp_path, profile, cube, suffix):
    options = {".jpg": {"quality": 98, "subsampling": 0}, ".webp": {"lossless": True}}.get(suffix, {})
    Image.fromarray(cube).save(tmp_path / f"a{suffix}", icc_profile=profile, **options)
    photo = read(tmp_path / f"a{suffix}")
    stored = np.asarray(Image.open(tmp_path / f"a{suffix}"))
    assert_array_equal(photo.pixels, by_lcms(stored, profile))
    assert np.abs(photo.pixels.astype(int) - stored).max() > 20
    assert photo.profile.startswith("Like ")


def test_16_bit_agrees_with_lcms_at_8(tmp_path, profile, cube):
    """Our float path against LittleCMS: within one 8-bit level (its own 8-bit tables err by that much)."""
    tifffile.imwrite(tmp_path / "a.tif", cube.astype(np.uint16) * 257, photometric="rgb", iccprofile=profile)
    photo = read(tmp_path / "a.tif")
    assert photo.bit_depth == 16
    assert photo.profile.startswith("Like ")
    error = np.abs(photo.pixels / 257 - by_lcms(cube, profile))
    assert error.max() < 1.01
    assert np.sqrt((error**2).mean()) < 0.35


def test_16_bit_keeps_its_precision(tmp_path, matrix_profile):
    """A neutral ramp has a closed form under any primaries: only the curve changes."""
    ramp = np.repeat(np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64, 1), 3, axis=2)
    tifffile.imwrite(
        tmp_path / "a.tif", ramp, photometric="rgb", iccprofile=matrix_profile(ADOBE, 2.0, "Square")
    )
    linear = (ramp / 65535.0) ** 2
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 65535
    pixels = read(tmp_path / "a.tif").pixels
    assert_allclose(pixels, expected, atol=6)  # the matrix is stated to five digits
    assert len(np.unique(pixels)) > 3800


def test_srgb_itself_leaves_pixels_alone(tmp_path, picture, deep, png):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture).save(tmp_path / "a.png", icc_profile=srgb)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=srgb)
    assert_array_equal(read(tmp_path / "a.png").pixels, picture)
    assert_array_equal(read(tmp_path / "a.tif").pixels, deep)
    assert read(tmp_path / "a.tif").profile == "sRGB"


def test_parametric_curves_at_16_bit(tmp_path, picture, deep, matrix_profile):
    """LittleCMS states sRGB's curve as `para` type 3; with other primaries the pixels must move."""
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    assert srgb.count(b"para") >= 1
    tags = {bytes(srgb[132 + 12 * i : 136 + 12 * i]): i for i in range(int.from_bytes(srgb[128:132], "big"))}
    red, blue = 132 + 12 * tags[b"rXYZ"], 132 + 12 * tags[b"bXYZ"]
    srgb[red : red + 4], srgb[blue : blue + 4] = srgb[blue : blue + 4], srgb[red : red + 4]  # swap primaries
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=bytes(srgb))
    assert_allclose(read(tmp_path / "a.tif").pixels.astype(int), deep[..., ::-1].astype(int), atol=60)


def test_a_table_profile_at_16_bit_says_what_it_costs(tmp_path, deep, picture):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=lab.tobytes())
    photo = read(tmp_path / "a.tif")  # a Lab profile cannot be that of RGB pixels
    assert_array_equal(photo.pixels, deep)
    assert photo.notes == ("embedded Lab profile does not fit 3-channel pixels, sRGB assumed",)


def test_a_damaged_profile_is_said(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png", icc_profile=b"this is no profile" * 20)
    photo = read(tmp_path / "a.png")
    assert_array_equal(photo.pixels, picture)
    assert photo.notes[0].startswith("embedded colour profile is damaged")
    assert photo.profile == "sRGB"


def test_grey_pixels_with_an_rgb_profile(tmp_path, picture, profile):
    Image.fromarray(picture[..., 0]).save(tmp_path / "a.png", icc_profile=profile)
    expected = by_lcms(np.repeat(picture[..., :1], 3, axis=2), profile)
    assert_array_equal(read(tmp_path / "a.png").pixels, expected)


def test_adobe_rgb_by_the_camera_alone_is_said(tmp_path, picture):
    """In Adobe RGB mode cameras write only ColorSpace and the interoperability index."""
    block = Image.Exif()
    block.get_ifd(0x8769).update({0xA001: 65535, 0xA005: {1: "R03"}})
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=block, quality=95)
    assert "EXIF says Adobe RGB" in read(tmp_path / "a.jpg").notes[0]


def test_a_real_adobe_rgb_photo(shared_data):
    path: Path = shared_data("cc0_photos") / "rocket.jpg"
    photo = read(path)
    image = Image.open(path)
    assert photo.profile == "Adobe RGB (1998)"
    assert_array_equal(photo.pixels, by_lcms(np.asarray(image), image.info["icc_profile"]))
