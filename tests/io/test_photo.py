"""Every row of the table of traps: what one reader or another gets wrong, ours must not."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

from realdeg.errors import UserError
from realdeg.io.photo import read, read_size


def exif(orientation: int = 1, inner: dict[int, object] | None = None) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F], block[0x0110] = "Apple", "iPhone 6s"
    block.get_ifd(0x8769).update(inner or {})
    return block


def save(path: Path, pixels: np.ndarray, block: Image.Exif | bytes) -> Path:
    options = {".webp": {"lossless": True, "exact": True}, ".jpg": {"quality": 95, "subsampling": 0}}
    Image.fromarray(pixels).save(path, exif=block, **options.get(path.suffix, {}))
    return path


# Orientation. Truth: Pillow's exif_transpose of the same stored pixels.


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_the_same_in_every_format(tmp_path, picture, suffix, orientation):
    path = save(tmp_path / f"a{suffix}", picture, exif(orientation))
    flag = Image.new("RGB", (1, 1)).getexif()
    flag[0x0112] = orientation
    stored = Image.fromarray(picture)
    stored.info["exif"] = flag.tobytes()
    expected = np.asarray(ImageOps.exif_transpose(stored))
    photo = read(path)
    assert photo.orientation == orientation
    assert read_size(path) == photo.size_hw == expected.shape[:2]
    if suffix == ".jpg":
        assert np.abs(photo.pixels.astype(int) - expected).mean() < 3
    else:
        assert_array_equal(photo.pixels, expected)


def test_orientation_of_16_bit_files(tmp_path, deep, png):
    turned = np.rot90(deep, -1)  # 6: the stored picture is turned clockwise
    (tmp_path / "a.png").write_bytes(png(deep, 2, 16, eXIf=exif(6).tobytes()[6:]))
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    lzw = tmp_path / "lzw.tif"
    cv2.imwrite(str(lzw), deep[..., ::-1])  # OpenCV's TIFF default is LZW
    with tifffile.TiffFile(lzw, mode="r+b") as file:
        assert file.pages[0].compression == tifffile.COMPRESSION.LZW
    for name in ("a.png", "a.tif"):
        assert_array_equal(read(tmp_path / name).pixels, turned)
        assert read_size(tmp_path / name) == turned.shape[:2]
    assert_array_equal(read(lzw).pixels, deep)


# Depth. Truth: the array that was written, by a writer that is not ours.


def test_16_bit_rgb_png_keeps_its_bits(tmp_path, deep, png):
    path = tmp_path / "a.png"
    path.write_bytes(png(deep, 2, 16))
    photo = read(path)
    assert photo.bit_depth == 16
    assert_array_equal(photo.pixels, deep)
    assert photo.as_float().dtype == np.float32
    np.testing.assert_allclose(photo.as_float(), deep / 65535, atol=1e-7)


@pytest.mark.parametrize("compression", [None, "zlib", "packbits"])
@pytest.mark.parametrize(
    "options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"planarconfig": "separate"}, {"tile": (16, 32)}]
)
@pytest.mark.parametrize("depth", [8, 16])
def test_tiff(tmp_path, picture, deep, depth, compression, options):
    pixels = picture if depth == 8 else deep
    if compression == "packbits":  # its encoder is not in tifffile; Pillow has one, for plain 8-bit files
        if depth == 16 or options:
            return
        Image.fromarray(pixels).save(tmp_path / "a.tif", compression="packbits")
    else:
        stored = pixels.transpose(2, 0, 1) if "planarconfig" in options else pixels
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", compression=compression, **options)
    photo = read(tmp_path / "a.tif")
    assert photo.pixels.dtype == pixels.dtype
    assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "raw"])
def test_8_bit_tiff_of_other_compressions(tmp_path, picture, compression):
    Image.fromarray(picture).save(tmp_path / "a.tif", compression=compression)
    assert_array_equal(read(tmp_path / "a.tif").pixels, picture)


def test_bmp(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.bmp")
    assert_array_equal(read(tmp_path / "a.bmp").pixels, picture)
    assert read_size(tmp_path / "a.bmp") == picture.shape[:2]


# Alpha, palette, CMYK, grey.


@pytest.mark.parametrize(("alpha", "background"), [("white", 1.0), ("black", 0.0)])
@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_is_flattened_as_asked(tmp_path, picture, deep, png, depth, alpha, background):
    pixels, top = (picture, 255) if depth == 8 else (deep, 65535)
    opacity = np.linspace(0, top, pixels.shape[1]).astype(pixels.dtype)[None, :, None].repeat(len(pixels), 0)
    (tmp_path / "a.png").write_bytes(png(np.concatenate([pixels, opacity], 2), 6, depth))
    photo = read(tmp_path / "a.png", alpha=alpha)
    share = opacity / top
    np.testing.assert_allclose(photo.pixels, pixels * share + background * top * (1 - share), atol=0.51)
    assert photo.pixels.dtype == pixels.dtype
    assert photo.notes == (f"alpha flattened on {alpha}",)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_is_refused_as_asked_but_an_opaque_one_is_not_transparent(tmp_path, picture, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    for name, opacity in (("half", 128), ("full", 255)):
        image = np.concatenate([picture, np.full_like(picture[..., :1], opacity)], axis=2)
        Image.fromarray(image).save(tmp_path / f"{name}{suffix}", **options)
    assert_array_equal(read(tmp_path / f"full{suffix}", alpha="refuse").pixels, picture)
    with pytest.raises(UserError, match=f"half{suffix}: has transparent pixels; "):
        read(tmp_path / f"half{suffix}", alpha="refuse")


def test_a_colour_key_is_transparency(tmp_path, picture, png):
    picture = picture.copy()
    picture[3, 4] = (1, 2, 3)
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, tRNS=struct.pack(">3H", 1, 2, 3)))
    photo = read(tmp_path / "a.png")
    assert_array_equal(photo.pixels[3, 4], 255)
    assert (photo.pixels != picture).any(axis=2).sum() == 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_palette(tmp_path, picture, suffix):
    image = Image.fromarray(picture).quantize(60)
    image.save(tmp_path / f"a{suffix}")
    photo = read(tmp_path / f"a{suffix}")
    assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))
    assert "palette expanded" in photo.notes


def test_palette_with_transparency(tmp_path, picture):
    image = Image.fromarray(picture).quantize(4)
    image.save(tmp_path / "a.png", transparency=0)
    hole = np.asarray(image) == 0
    photo = read(tmp_path / "a.png", alpha="black")
    assert hole.any()
    assert (photo.pixels[hole] == 0).all()
    assert_array_equal(photo.pixels[~hole], np.asarray(image.convert("RGB"))[~hole])


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_rgb(tmp_path, picture, suffix):
    smooth = cv2.GaussianBlur(picture, (0, 0), 3)
    Image.fromarray(smooth).convert("CMYK").save(
        tmp_path / f"a{suffix}", **({"quality": 98} if suffix == ".jpg" else {})
    )
    photo = read(tmp_path / f"a{suffix}")
    assert np.abs(photo.pixels.astype(int) - smooth).mean() < 2
    assert "CMYK converted" in photo.notes


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_grey_becomes_three_equal_channels(tmp_path, picture, suffix):
    Image.fromarray(picture[..., 0]).save(
        tmp_path / f"a{suffix}", **({"quality": 98} if suffix == ".jpg" else {})
    )
    pixels = read(tmp_path / f"a{suffix}").pixels
    assert (pixels == pixels[..., :1]).all()
    assert np.abs(pixels[..., 0].astype(int) - picture[..., 0]).max() <= (8 if suffix == ".jpg" else 0)


def test_16_bit_grey_keeps_its_bits(tmp_path, deep, png):
    (tmp_path / "a.png").write_bytes(png(deep[..., :1], 0, 16))
    tifffile.imwrite(tmp_path / "a.tif", deep[..., 0])
    tifffile.imwrite(tmp_path / "inverted.tif", 65535 - deep[..., 0], photometric="miniswhite")
    for name in ("a.png", "a.tif", "inverted.tif"):
        photo = read(tmp_path / name)
        assert_array_equal(photo.pixels, np.repeat(deep[..., :1], 3, axis=2))
        assert "grey expanded to RGB" in photo.notes


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_single_bits(tmp_path, picture, suffix):
    bits = picture[..., 0] > 100
    Image.fromarray(bits).save(tmp_path / f"a{suffix}")
    assert_array_equal(read(tmp_path / f"a{suffix}").pixels[..., 1], bits * np.uint8(255))


# Other habits of files.


def test_a_second_picture_behind_the_jpeg_is_left_alone(tmp_path, picture):
    """Ultra HDR: a gain map, itself a JPEG, follows the end marker."""
    first, second = io.BytesIO(), io.BytesIO()
    Image.fromarray(picture).save(first, "JPEG", quality=95)
    Image.fromarray(255 - picture[..., 0]).save(second, "JPEG")
    (tmp_path / "plain.jpg").write_bytes(first.getvalue())
    (tmp_path / "ultra.jpg").write_bytes(first.getvalue() + second.getvalue())
    assert_array_equal(read(tmp_path / "ultra.jpg").pixels, read(tmp_path / "plain.jpg").pixels)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}]
)
def test_jpeg_decodes_as_in_pillow(tmp_path, picture, options):
    path = tmp_path / "a.jpg"
    Image.fromarray(picture).save(path, quality=85, **options)
    assert_array_equal(read(path).pixels, np.asarray(Image.open(path)))


def test_the_content_counts_where_the_suffix_lies(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert_array_equal(read(tmp_path / "a.jpg").pixels, picture)


def test_what_the_camera_wrote(tmp_path, picture):
    """A phone under digital zoom: the focal length stays, the 35-mm value and the ratio move."""
    inner = {0x920A: 4.15, 0xA405: 57, 0xA404: 1.97, 0x8827: 100}
    for suffix in (".jpg", ".png", ".webp"):  # TIFF: the DNG tests
        photo = read(save(tmp_path / f"a{suffix}", picture, exif(1, inner)))
        assert photo.focal_length_mm == pytest.approx(4.15)
        assert photo.focal_35mm_mm == 57
        assert photo.digital_zoom == pytest.approx(1.97)
        assert photo.iso == 100
        assert photo.camera == "Apple iPhone 6s"


def test_nothing_known_is_said_as_none(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    photo = read(tmp_path / "a.png")
    assert (photo.focal_length_mm, photo.focal_35mm_mm, photo.digital_zoom, photo.iso) == (None,) * 4
    assert (photo.camera, photo.notes, photo.profile, photo.orientation) == ("", (), "sRGB", 1)


def test_transparent_grey_with_a_strange_gamma(tmp_path, picture, png):
    pixels = picture[..., :2]
    (tmp_path / "a.png").write_bytes(png(pixels, 4, 8, gAMA=struct.pack(">I", 100000)))
    notes = read(tmp_path / "a.png").notes
    assert notes == ("gAMA 1 ignored, sRGB assumed", "grey expanded to RGB", "alpha flattened on white")


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_coding_is_refused_as_in_heif(tmp_path, picture, png, transfer, name):
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, cICP=bytes((9, transfer, 0, 1))))
    with pytest.raises(
        UserError, match=rf"a\.png: is coded for HDR displays \({name}\), which is not read; "
    ):
        read(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png(picture, 2, 8, cICP=bytes((1, 13, 0, 1))))
    assert read(tmp_path / "b.png").notes == ()


def test_channels_and_pages_that_are_left_out_are_said(tmp_path, deep):
    five = np.concatenate([deep, deep[..., :2]], axis=2)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(five, photometric="rgb", extrasamples=["unspecified", "unspecified"], metadata=None)
        file.write(deep, photometric="rgb", metadata=None)
    photo = read(tmp_path / "a.tif")
    assert_array_equal(photo.pixels, deep)
    assert photo.notes == ("first picture of several", "extra channels dropped")


def test_premultiplied_alpha(tmp_path, deep):
    """Stored colour times opacity: laid on black it is the stored colour."""
    opacity = np.full_like(deep[..., :1], 32768)
    stored = (deep.astype(np.uint32) * 32768 // 65535).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.concatenate([stored, opacity], 2),
        photometric="rgb",
        extrasamples=["assocalpha"],
    )
    np.testing.assert_allclose(read(tmp_path / "a.tif", alpha="black").pixels, stored, atol=1)


def test_damaged_exif_costs_the_facts_not_the_photo(tmp_path, picture, recwarn):
    block = bytearray(exif(6, {0x920A: 4.15}).tobytes())
    for cut in range(6, len(block), 3):
        path = save(tmp_path / "a.jpg", picture, bytes(block[:cut]))
        photo = read(path)
        assert sorted(photo.size_hw) == [31, 46]
        assert read_size(path) == photo.size_hw
    assert not recwarn.list


@pytest.mark.parametrize("name", ["plain.png", "with space.png", "Zürich ☂.png", "two\nlines.png", "%41.png"])
def test_file_names(tmp_path, picture, name):
    Image.fromarray(picture).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / name)
    assert_array_equal(read(tmp_path / name).pixels, picture)


def test_every_shared_photo_is_read_in_the_size_its_header_says(shared_data):
    for path in sorted(shared_data("cc0_photos").glob("*.*g"))[:12]:
        assert read(path).size_hw == read_size(path)
