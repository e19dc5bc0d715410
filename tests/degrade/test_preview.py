"""Truth: LR of a run of the same seed, and plans drawn with the keys that the docstring promises."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import ImageFont

from realdeg.degrade.apply.image import apply
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.preview import SIDE, write_preview
from realdeg.degrade.recipe.recipe import read_recipe
from realdeg.degrade.settings import DegradeSettings
from realdeg.degrade.sheet import ACROSS, GAP, LETTERS, LINE, Cell, contact_sheet, drawable, wrapped
from realdeg.errors import UserError
from realdeg.imaging.detail import busiest
from realdeg.io.photo import read
from realdeg.io.save import write_image

SETTINGS = DegradeSettings(4, seed=3, recipe="bsrgan")


def scene(seed, height=120, width=168, dtype=np.uint8):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return (smooth / 255 * np.iinfo(dtype).max).astype(dtype)


@pytest.fixture
def clean(tmp_path):
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "img1.png").write_bytes(b"torn")
    write_image(tmp_path / "clean" / "img2.png", scene(2))
    write_image(tmp_path / "clean" / "img10.png", scene(10))
    return tmp_path / "clean"


def pictures(path, count, size_hw):
    """The pictures of a sheet of one row."""
    sheet, (height, width) = read(path).pixels, size_hw
    top = 2 * GAP + LINE
    lefts = [GAP + i * (max(ACROSS, width) + GAP) for i in range(count)]
    return [sheet[top : top + height, left : left + width] for left in lefts]


def enlarged(image, times):
    return np.repeat(np.repeat(image, times, 0), times, 1)


def test_the_first_draw_is_a_runs_and_the_others_have_keys_of_their_own(clean, tmp_path):
    path = write_preview([clean], tmp_path / "deep" / "out", SETTINGS, 2)
    assert path == tmp_path / "deep" / "out" / "preview.png"
    degrade_folder(clean, tmp_path / "run", SETTINGS)
    hr, lr = scene(2), read(tmp_path / "run" / "LR" / "img2.png").pixels  # img1 is torn, 2 comes before 10
    zoom = SIDE // 168
    shown = pictures(path, 3, (120 * zoom, 168 * zoom))
    np.testing.assert_array_equal(shown[0], enlarged(hr, zoom))
    np.testing.assert_array_equal(shown[1], enlarged(lr, 4 * zoom))
    again = apply(read_recipe("bsrgan").draw(3, "img2#1", (120, 168), 4), hr)
    np.testing.assert_array_equal(shown[2], enlarged(again, 4 * zoom))


def test_several_draws_a_run_come_first(clean, tmp_path):
    settings = replace(SETTINGS, draws=2)
    path = write_preview([clean], tmp_path / "out", settings, 3)
    degrade_folder(clean, tmp_path / "run", settings)
    zoom = SIDE // 168
    sheet = read(path).pixels
    for i in range(2):
        lr = enlarged(read(tmp_path / "run" / "LR" / f"img2_draw{i}.png").pixels, 4 * zoom)
        assert any(
            np.array_equal(sheet[y : y + lr.shape[0], x : x + lr.shape[1]], lr)
            for y in range(0, sheet.shape[0] - lr.shape[0])
            for x in (GAP, 2 * GAP + ACROSS, 3 * GAP + 2 * ACROSS)
        )
    one = write_preview([clean], tmp_path / "one", settings, 1)
    assert read(one).pixels.shape[1] == 3 * GAP + 2 * ACROSS


def test_all_cells_show_the_field_with_most_detail(tmp_path):
    hr = np.full((900, 1000, 3), 128, np.uint8)
    hr[500:800, 403:703] = scene(0, 300, 300)
    write_image(tmp_path / "clean" / "a.png", hr)
    settings = DegradeSettings(4, recipe="bicubic")
    top, left = (n // 4 * 4 for n in busiest(hr, 384, 384))
    path = write_preview([tmp_path / "clean"], tmp_path / "out", settings, 1)
    degrade_folder(tmp_path / "clean", tmp_path / "run", settings)
    lr = read(tmp_path / "run" / "LR" / "a.png").pixels
    shown = pictures(path, 2, (384, 384))
    np.testing.assert_array_equal(shown[0], hr[top : top + 384, left : left + 384])
    crop = lr[top // 4 : top // 4 + 96, left // 4 : left // 4 + 96]
    np.testing.assert_array_equal(shown[1], enlarged(crop, 4))
    # The textured square is in it.
    assert left <= 403 < 703 <= left + 384
    assert top <= 500 < 800 <= top + 384


def test_the_same_bytes_twice_and_more_draws_change_no_earlier_one(clean, tmp_path):
    first = write_preview([clean], tmp_path / "a", SETTINGS, 3).read_bytes()
    assert write_preview([clean], tmp_path / "b", SETTINGS, 3).read_bytes() == first
    assert write_preview([clean], tmp_path / "a", SETTINGS, 3).read_bytes() == first
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["preview.png"]
    other = write_preview([clean], tmp_path / "c", DegradeSettings(4, seed=4, recipe="bsrgan"), 3)
    assert other.read_bytes() != first


@pytest.mark.parametrize("scale", [2, 3, 16])
@pytest.mark.parametrize("image", [scene(0, 33, 50), scene(1, 17, 400), scene(2, 64, 64, np.uint16)])
def test_any_size_and_depth(scale, image, tmp_path):
    write_image(tmp_path / "clean" / "a.png", image)
    settings = DegradeSettings(scale, recipe="realesrgan")
    sheet = read(write_preview([tmp_path / "clean"], tmp_path / "out", settings, 7)).pixels
    assert sheet.dtype == np.uint8
    assert min(sheet.shape[:2]) > 200


def test_several_folders_name_their_images_as_a_run_does(tmp_path):
    for name in ("b", "a"):
        write_image(tmp_path / name / "x.png", scene(len(name)))
    path = write_preview([tmp_path / "b", tmp_path / "a"], tmp_path / "out", SETTINGS, 1)
    degrade_folder([tmp_path / "b", tmp_path / "a"], tmp_path / "run", SETTINGS)
    zoom = SIDE // 168
    lr = read(tmp_path / "run" / "LR" / "b" / "x.png").pixels
    np.testing.assert_array_equal(pictures(path, 2, (120 * zoom, 168 * zoom))[1], enlarged(lr, 4 * zoom))


def test_what_cannot_be_is_one_line(clean, tmp_path):
    with pytest.raises(UserError, match="would read what this one writes"):
        write_preview([clean], clean / "out", SETTINGS, 1)
    for name in ("img2.png", "img10.png"):
        (clean / name).unlink()
    with pytest.raises(UserError, match=r"none of its images can be used .*img1\.png"):
        write_preview([clean], tmp_path / "out", SETTINGS, 1)
    write_image(clean / "small.png", scene(0, 3, 50))
    with pytest.raises(UserError, match="none of its images can be used"):
        write_preview([clean], tmp_path / "out", SETTINGS, 1)
    write_image(clean / "good.png", scene(0))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_preview([clean], tmp_path / "file", SETTINGS, 1)
    with pytest.raises(UserError, match="draws from a kernel pool"):
        write_preview([clean], tmp_path / "out", DegradeSettings(4, recipe="realsr"), 1)
    with pytest.raises(UserError, match="does not exist"):
        write_preview([tmp_path / "gone"], tmp_path / "out", SETTINGS, 1)
    assert not (tmp_path / "out").exists()


def test_lines_hold_all_words_and_fit():
    font = ImageFont.load_default(LETTERS)
    parts = ["blur aniso 13 px, sigma 1.9/0.8 px, 41°", "JPEG 64", f"kernel {'long' * 60}", "x" * 200, "a b"]
    lines = wrapped(parts, font, 384)
    assert all(font.getlength(line) <= 384 for line in lines)
    assert lines[0] == "blur aniso 13 px, sigma 1.9/0.8 px, 41° | JPEG 64"
    letters = ["".join("".join(texts).split()).replace("|", "") for texts in (lines, parts)]
    assert letters[0] == letters[1]
    assert wrapped([], font, 384) == []


def test_any_name_can_be_drawn():
    assert drawable("Böß 核/7\n\udcff 41°") == "Bo? ?/7?? 41°"
    cell = Cell(np.zeros((20, 30, 3), np.uint8), "核\n", ["\udcff" * 500])
    assert contact_sheet([cell] * 5, ["ü"]).ndim == 3
