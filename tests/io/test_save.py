"""Writing: lossless where the format is, whole or not at all, the same bytes for the same pixels."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal
from PIL import Image

from realdeg.atomic import sweep
from realdeg.errors import UserError
from realdeg.io.photo import read
from realdeg.io.save import link_or_copy, to_uint, write_image

LOSSLESS = (".png", ".tif", ".tiff")
images = st.sampled_from((np.uint8, np.uint16)).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=2, max_dims=2, max_side=24).map(lambda hw: (*hw, 3)))
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pixels=images, suffix=st.sampled_from(LOSSLESS), level=st.sampled_from((1, 6)))
def test_lossless_round_trip(tmp_path, pixels, suffix, level):
    path = tmp_path / f"a{suffix}"
    write_image(path, pixels, level=level)
    back = read(path)
    assert back.pixels.dtype == pixels.dtype
    assert_array_equal(back.pixels, pixels)


def test_other_readers_see_the_same(tmp_path, picture, deep):
    """Channel order and depth, by readers that are not ours."""
    for suffix in (".png", ".tif", ".webp"):
        write_image(tmp_path / f"a{suffix}", picture, quality=None)
        assert_array_equal(np.asarray(Image.open(tmp_path / f"a{suffix}")), picture)
    write_image(tmp_path / "deep.tif", deep)
    assert_array_equal(tifffile.imread(tmp_path / "deep.tif"), deep)
    write_image(tmp_path / "deep.png", deep)
    assert_array_equal(cv2.imread(str(tmp_path / "deep.png"), cv2.IMREAD_UNCHANGED)[..., ::-1], deep)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_quality(tmp_path, picture, suffix):
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.5)
    errors, sizes = [], []
    for quality in (95, 30):
        write_image(tmp_path / f"a{suffix}", smooth, quality=quality)
        errors.append(np.abs(read(tmp_path / f"a{suffix}").pixels.astype(int) - smooth).mean())
        sizes.append((tmp_path / f"a{suffix}").stat().st_size)
    assert errors[0] < 2.5
    assert errors[0] < errors[1]
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp"])
def test_the_same_pixels_give_the_same_bytes(tmp_path, picture, suffix):
    write_image(tmp_path / f"a{suffix}", picture)
    os.utime(tmp_path / f"a{suffix}", (0, 0))
    write_image(tmp_path / f"b{suffix}", picture.copy(order="F"))
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "problem"),
    [
        ("a.jpg", np.uint16, (4, 4, 3), ".jpg holds 8 bits, the image has 16; write it as .png or .tif"),
        ("a.webp", np.uint16, (4, 4, 3), ".webp holds 8 bits"),
        ("a.webp", np.uint8, (1, 16384, 3), ".webp holds at most 16383 px a side"),
        ("a.gif", np.uint8, (4, 4, 3), "images cannot be written as .gif; choose one of .png"),
        ("a", np.uint8, (4, 4, 3), "images cannot be written as a file without suffix"),
    ],
)
def test_what_a_format_cannot_hold(tmp_path, name, dtype, shape, problem):
    with pytest.raises(UserError, match=f"{name}: {problem}"):
        write_image(tmp_path / name, np.zeros(shape, dtype))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_arrays_that_are_no_image_are_the_callers_mistake(tmp_path, wrong):
    with pytest.raises(ValueError, match="expected"):
        write_image(tmp_path / "a.png", wrong)


# Rounding.


def test_rounding_is_half_to_even_and_clips():
    levels = np.array([-3.0, 0.5, 1.5, 2.5, 254.5, 255.4, 300.0]) / 255
    assert_array_equal(to_uint(levels), [0, 0, 2, 2, 254, 255, 255])
    assert_array_equal(to_uint(np.array([1.0, 0.5]), np.uint16), [65535, 32768])


@given(arrays(np.uint16, 50))
def test_16_bit_survives_float32(levels):
    assert_array_equal(to_uint(levels.astype(np.float32) / np.float32(65535), np.uint16), levels)


def test_nan_is_not_written():
    with pytest.raises(ValueError, match="NaN"):
        to_uint(np.array([0.5, np.nan]))
    assert_array_equal(to_uint(np.array([np.inf, -np.inf])), [255, 0])


# Whole or not at all.

WRITER = """if 1:
    import os, random, signal, sys, time
    from pathlib import Path
    import cv2
    import numpy as np
    from realdeg.io.photo import read
    from realdeg.io.save import write_image
    out, rounds = Path(sys.argv[1]), int(sys.argv[2])
    image = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    rng = random.Random(4)
    for round in range(rounds):
        child = os.fork()
        if child == 0:
            for i in range(10_000):
                suffix = (".png", ".tif", ".webp")[i % 3]
                write_image(out / f"{i % 5}{suffix}", np.roll(image, i, axis=0), quality=90)
        time.sleep(rng.uniform(0.005, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for path in out.iterdir():
            if not path.name.startswith("."):
                assert read(path).size_hw == (150, 200), path
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_thirty_kills_leave_no_torn_file(tmp_path):
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path), "30"], check=True, timeout=60)
    finals = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert finals  # the children did write before they died; how much depends on the machine
    stale = [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert sweep(tmp_path) == len(stale)
    assert len(list(tmp_path.iterdir())) == len(finals)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path, picture, suffix, monkeypatch):
    path = tmp_path / f"a{suffix}"
    write_image(path, picture)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=rf"a\{suffix}: the disk is full; free some space"):
        write_image(path, 255 - picture)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_while_writing(tmp_path, picture, monkeypatch):
    """The system's own error, from a device that is always full."""

    def to_full_device(self: Path, data: bytes) -> None:
        with Path("/dev/full").open("wb", 0) as device:
            device.write(data)

    monkeypatch.setattr(Path, "write_bytes", to_full_device)
    with pytest.raises(UserError, match="the disk is full"):
        write_image(tmp_path / "a.png", picture)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place(tmp_path, picture):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        write_image(tmp_path / "file" / "a.png", picture)


# Links.


def test_a_link_is_the_same_file_and_replaces_what_was_there(tmp_path, picture):
    source, path = tmp_path / "a.png", tmp_path / "deep" / "b.png"
    write_image(source, picture)
    link_or_copy(source, path)
    assert path.samefile(source)
    link_or_copy(source, path)
    write_image(tmp_path / "c.png", 255 - picture)
    link_or_copy(tmp_path / "c.png", path)
    assert_array_equal(read(path).pixels, 255 - picture)
    assert_array_equal(read(source).pixels, picture)
    assert [p.name for p in path.parent.iterdir()] == ["b.png"]


def test_where_links_fail_a_copy_is_made(tmp_path, picture, monkeypatch):
    def other_disk(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_disk)
    write_image(tmp_path / "a.png", picture)
    link_or_copy(tmp_path / "a.png", tmp_path / "b.png")
    assert not (tmp_path / "b.png").samefile(tmp_path / "a.png")
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_a_linked_source_that_is_a_symlink(tmp_path, picture):
    write_image(tmp_path / "a.png", picture)
    (tmp_path / "link.png").symlink_to("a.png")
    link_or_copy(tmp_path / "link.png", tmp_path / "out" / "b.png")
    assert not (tmp_path / "out" / "b.png").is_symlink()
    assert (tmp_path / "out" / "b.png").samefile(tmp_path / "a.png")


def test_a_missing_source(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png: cannot be read"):
        link_or_copy(tmp_path / "gone.png", tmp_path / "b.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["with space.png", "Zürich ☂.png", "two\nlines.png", "n" * 240 + ".png", "🦉" * 60 + ".png"]
)
def test_file_names(tmp_path, picture, name):
    write_image(tmp_path / name, picture)
    assert_array_equal(read(tmp_path / name).pixels, picture)
