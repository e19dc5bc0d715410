"""RAW: a DNG written by the tests, whose scene is known, and two real files where they are present."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose

from realdeg.errors import UserError
from realdeg.io.photo import read, read_size


def srgb(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.fixture
def scene() -> np.ndarray:
    """(96, 144, 3) linear light: six flat patches of 48 px."""
    colours = [
        (0.5, 0.5, 0.5),
        (0.6, 0.2, 0.1),
        (0.1, 0.4, 0.2),
        (0.1, 0.15, 0.5),
        (0.02, 0.02, 0.02),
        (0.7, 0.6, 0.1),
    ]
    return np.kron(np.array(colours).reshape(2, 3, 3), np.ones((48, 48, 1)))


def test_patches_have_the_colours_of_the_scene(tmp_path, write_dng, scene):
    """No stretch, camera white balance, sRGB curve, 16 bits: the closed formula, to 1 % of the range."""
    photo = read(write_dng(tmp_path / "a.dng", scene))
    assert photo.pixels.shape == scene.shape
    assert photo.bit_depth == 16
    for y in (24, 72):
        for x in (24, 72, 120):
            middle = photo.as_float()[y - 12 : y + 12, x - 12 : x + 12].mean((0, 1))
            assert_allclose(middle, srgb(scene[y, x]), atol=0.01)


def test_brightness_does_not_depend_on_the_picture(tmp_path, write_dng, scene):
    """rawpy's default stretches each photo: half the light must be half the light."""
    dim = read(write_dng(tmp_path / "dim.dng", scene / 4)).as_float()
    assert_allclose(dim[24, 24], srgb(scene[24, 24] / 4), atol=0.01)


def test_the_cameras_white_balance_is_used(tmp_path, write_dng, scene):
    """A sensor half as sensitive to red, and a file that says so: white stays white."""
    photo = read(write_dng(tmp_path / "a.dng", scene, neutral=(0.5, 1, 0.8)))
    for y in (24, 72):
        for x in (24, 72, 120):
            assert_allclose(photo.as_float()[y, x], srgb(scene[y, x]), atol=0.01)


@pytest.fixture
def write_dng_with_preview():
    """DNG as cameras write it: a rendered preview first, the sensor's samples in a sub-directory."""

    def write(path: Path, sensor: np.ndarray) -> Path:
        preview = np.full((sensor.shape[0] // 2, sensor.shape[1] // 2, 3), (250, 20, 20), np.uint8)
        versions = [(50706, "B", 4, (1, 4, 0, 0), True), (50708, "s", 0, "Maker Model 1", True)]
        colours = [
            (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
            (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        ]
        mosaic = [
            (33421, "H", 2, (2, 2), True),
            (33422, "B", 4, (0, 1, 1, 2), True),
            (50717, "H", 1, 16000, True),
        ]
        with tifffile.TiffWriter(path) as file:
            file.write(
                preview,
                photometric="rgb",
                subfiletype=1,
                subifds=1,
                extratags=versions + colours,
                metadata=None,
            )
            file.write(sensor, photometric=32803, subfiletype=0, extratags=mosaic, metadata=None)
        return path

    return write


def test_a_raw_is_never_its_preview(tmp_path, write_dng_with_preview):
    """Other readers return the preview; here the sensor counts, and where it was pruned the file is refused."""
    ramp = np.tile(np.linspace(1000, 12000, 128).astype(np.uint16), (96, 1))
    photo = read(write_dng_with_preview(tmp_path / "a.dng", ramp))
    assert photo.size_hw == read_size(photo.path) == (96, 128)
    middle = photo.as_float()[20:-20, 20:-20]
    assert_allclose(middle.mean(axis=(0, 1)), middle.mean(), rtol=0.2)  # no trace of the preview's red
    with pytest.raises(UserError, match="all pixels are equal"):
        read(write_dng_with_preview(tmp_path / "b.dng", np.zeros_like(ramp)))


def test_the_demosaicked_grid_is_not_shifted(tmp_path, write_dng):
    """A ramp in x and in y: half-size development would displace red and blue by a quarter pixel."""
    y, x = np.mgrid[:100, :100] / 100
    for axis, ramp in enumerate((y, x)):
        path = write_dng(tmp_path / f"{axis}.dng", np.repeat(0.1 + 0.6 * ramp[..., None], 3, axis=2))
        found = read(path).as_float()[10:-10, 10:-10]
        linear = np.where(found <= 0.04045, found / 12.92, ((found + 0.055) / 1.055) ** 2.4)
        shift = ((linear - 0.1) / 0.6 - ramp[10:-10, 10:-10, None]) * 100
        assert np.abs(shift.mean((0, 1))).max() < 0.05


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation(tmp_path, write_dng, scene, orientation):
    path = write_dng(tmp_path / "a.dng", scene, orientation=orientation)
    photo = read(path)
    upright = np.rot90(scene, {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    assert photo.orientation == orientation
    assert photo.size_hw == read_size(path) == upright.shape[:2]
    assert_allclose(photo.as_float()[20, 20], srgb(upright[20, 20]), atol=0.02)


def test_facts_of_the_camera(tmp_path, write_dng, scene):
    photo = read(write_dng(tmp_path / "a.DNG", scene))
    assert (photo.focal_length_mm, photo.focal_35mm_mm, photo.digital_zoom) == (23, 35, 1.5)
    assert (photo.iso, photo.camera) == (200, "Maker Model 1")


def test_the_same_file_gives_the_same_pixels(tmp_path, write_dng, scene):
    path = write_dng(tmp_path / "a.dng", scene)
    np.testing.assert_array_equal(read(path).pixels, read(path).pixels)


def test_every_truncation_is_seen(tmp_path, write_dng, scene):
    """LibRaw fills what is missing with zeros and says nothing."""
    size = write_dng(tmp_path / "a.dng", scene).stat().st_size
    for length in np.unique(np.linspace(1, size - 1, 100).astype(int)):
        path = write_dng(tmp_path / "a.dng", scene, cut=length)
        with pytest.raises(UserError, match=r"a\.dng: .+; .+"):
            read(path)


def test_pruned_files_decode_to_a_constant_and_are_refused(tmp_path, write_dng, scene):
    path = write_dng(tmp_path / "a.dng", np.zeros_like(scene))
    with pytest.raises(UserError, match=r"holds no picture \(all pixels are equal\)"):
        read(path)
    half = scene + np.random.default_rng(1).normal(0, 0.01, scene.shape).clip(-0.02)
    half[48:] = 0
    with pytest.raises(UserError, match="its last 48 rows are blank"):
        read(write_dng(tmp_path / "b.dng", half.clip(0, 1)))


def test_another_file_named_as_raw(tmp_path, picture):
    import cv2

    for suffix in (".cr2", ".arw", ".NEF"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        with pytest.raises(UserError, match="is not a RAW file that LibRaw knows"):
            read(path)


def test_a_kodak_raw_is_not_its_thumbnail(shared_data):
    """Other readers return the embedded 96 x 64 preview without a word."""
    path = shared_data("raw") / "RAW_KODAK_DC50.KDC"
    photo = read(path)
    assert photo.size_hw == read_size(path) == (512, 768)
    assert photo.focal_length_mm == 37


def test_a_real_dng(shared_data):
    path = shared_data("raw") / "colorchart.dng"
    photo = read(path)
    assert photo.size_hw == read_size(path) == (1156, 1734)
    assert photo.bit_depth == 16
    assert photo.camera == "Canon EOS Kiss X4"
    assert 0.1 < photo.as_float().mean() < 0.6


@pytest.mark.parametrize("name", ["colorchart.dng", "RAW_KODAK_DC50.KDC"])
def test_real_raws_cut_short(tmp_path, shared_data, name):
    data = (shared_data("raw") / name).read_bytes()
    for share in (0.001, 0.02, 0.3, 0.7, 0.95):
        path = tmp_path / name
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(UserError, match=f"{name}: "):
            read(path)
