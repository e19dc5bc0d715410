"""TIFF: all kinds against what was written, or against libtiff (through Pillow); damage, lies and bombs refused.

Files come from tifffile and Pillow; what neither writes is laid out here, tag by tag.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.photo import read, read_size

CODES = {1: "B", 3: "H", 4: "I", 5: "II", 8: "h", 11: "f"}


def tiff(pages: list[tuple[dict, list[bytes]]], order: str = "<") -> bytes:
    """A TIFF of pages: {tag: (type, values)} and the strips or tiles that each page's tag 273 or 324 shall name."""
    data = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    for number, (tags, segments) in enumerate(pages):
        where, counts = (324, 325) if 322 in tags else (273, 279)
        entries = len(tags.keys() | {where, counts})
        offsets, at = [], len(data) + 2 + 12 * entries + 4
        for segment in segments:
            offsets.append(at)
            at += len(segment)
        stored = {where: (4, offsets), counts: (4, [len(s) for s in segments]), **tags}
        table, values = b"", b""
        for tag, (kind, numbers) in sorted(stored.items()):
            code = CODES[kind]
            body = struct.pack(f"{order}{len(numbers) // len(code) * len(code)}{code[0]}", *numbers)
            count = len(numbers) // len(code)
            if len(body) > 4:
                body, values = struct.pack(f"{order}I", at + len(values)), values + body
            table += struct.pack(f"{order}HHI", tag, kind, count) + body.ljust(4, b"\0")
        following = at + len(values) if number + 1 < len(pages) else 0
        data += struct.pack(f"{order}H", len(stored)) + table + struct.pack(f"{order}I", following)
        data += b"".join(segments) + values
    return data


def plain(h: int, w: int, channels: int = 1, bits: int = 8, **changes) -> dict:
    """Tags of a simple picture in one strip; `changes` by tag number, as _258=(3, [8])."""
    tags = {
        256: (4, [w]),
        257: (4, [h]),
        258: (3, [bits] * channels),
        259: (3, [1]),
        262: (3, [1 if channels < 3 else 2]),
        277: (3, [channels]),
        278: (4, [h]),
    }
    changed = {int(name[1:]): value for name, value in changes.items()}
    return {tag: value for tag, value in {**tags, **changed}.items() if value is not None}


def packed(samples: np.ndarray, bits: int) -> bytes:
    """Rows of whole bytes, the first sample in the highest bits (TIFF 6.0, Sec. 2)."""
    rows = samples.reshape(len(samples), -1).astype(np.uint16)
    unpacked = (rows[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(unpacked.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


@pytest.fixture
def write(tmp_path):
    def write(data: bytes) -> Path:
        path = tmp_path / "a.tif"
        path.write_bytes(data)
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read(path)
    return str(caught.value).removeprefix(f"{path}: ")


# Every kind that is read, against the array that was written.

LAYOUTS = {
    "one strip": {},
    "strips": {"rowsperstrip": 8},
    "tiles": {"tile": (16, 32)},
    "planes": {"planarconfig": "separate", "rowsperstrip": 8},
    "planes of tiles": {"planarconfig": "separate", "tile": (16, 32)},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True, "rowsperstrip": 8},
}


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "lzma", "zstd"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("depth", [8, 16])
def test_rgb_of_every_lossless_compression(tmp_path, picture, deep, compression, layout, depth):
    pixels = picture if depth == 8 else deep
    options = LAYOUTS[layout]
    stored = np.ascontiguousarray(pixels.transpose(2, 0, 1)) if "planarconfig" in options else pixels
    for predictor in (1, 2) if compression in ("lzw", "zlib", "lzma", "zstd") else (1,):
        path = tmp_path / f"{predictor}.tif"
        tifffile.imwrite(
            path,
            stored,
            photometric="rgb",
            compression=compression,
            predictor=predictor,
            metadata=None,
            **options,
        )
        photo = read(path)
        assert_array_equal(photo.pixels, pixels)
        assert (photo.bit_depth, photo.notes) == (depth, ())


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("layout", ["one strip", "tiles", "planes"])
@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_beside_grey_and_rgb(tmp_path, picture, deep, compression, layout, depth):
    """Laid on white by hand; OpenCV drops the second channel of grey, or fails."""
    pixels, top = (picture, 255) if depth == 8 else (deep, 65535)
    opacity = np.linspace(0, top, 46).astype(pixels.dtype)[None, :, None].repeat(31, 0)
    for colours, model in ((pixels[..., :1], "minisblack"), (pixels, "rgb")):
        stored = np.concatenate([colours, opacity], axis=2)
        if layout == "planes":
            stored = np.ascontiguousarray(stored.transpose(2, 0, 1))
        options = {"photometric": model, "extrasamples": ["unassalpha"], "compression": compression}
        tifffile.imwrite(tmp_path / "a.tif", stored, metadata=None, **options, **LAYOUTS[layout])
        share = opacity / top
        expected = np.broadcast_to(colours * share + top * (1 - share), pixels.shape)
        assert_allclose(read(tmp_path / "a.tif").pixels, expected, atol=0.51)


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", "<>")
def test_samples_of_other_depths(write, picture, bits, channels, order):
    """White stays white and every level its share of it; widths that do not fill a byte."""
    levels = np.rint(picture[:, :45, :channels] / 255 * (2**bits - 1)).astype(np.uint16)
    top = 255 if bits < 8 else 65535
    for compression in (1, 8):
        data = packed(levels, bits)
        data = zlib.compress(data) if compression == 8 else data
        path = write(tiff([(plain(31, 45, channels, bits, _259=(3, [compression])), [data])], order))
        expected = np.rint(np.repeat(levels, 3 // channels, axis=2) / (2**bits - 1) * top)
        assert_array_equal(read(path).pixels, expected)
        assert read(path).bit_depth == (8 if bits < 8 else 16)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("unit", [256, 257, 1])
def test_palettes(write, picture, bits, unit):
    """16-bit palettes by both habits of scaling, and 8-bit values in the 16-bit table, as libtiff takes them."""
    index = (picture[..., 0] >> (8 - bits)).astype(np.uint8)
    colours = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
    colours[0, 0] = 255
    table = (3, [int(v) * unit for v in colours.T.ravel()])
    path = write(tiff([(plain(31, 46, 1, bits, _262=(3, [3]), _320=table), [packed(index, bits)])]))
    assert_array_equal(read(path).pixels, colours[index])


@pytest.mark.parametrize("depth", [1, 4, 8, 16])
def test_white_is_zero(write, picture, depth):
    levels = np.rint(picture[..., :1] / 255 * (2**depth - 1)).astype(np.uint16)
    data = levels.astype("<u2").tobytes() if depth == 16 else packed(levels, depth)
    black, white = (
        write(tiff([(plain(31, 46, 1, depth, _262=(3, [m])), [data])])).read_bytes() for m in (1, 0)
    )
    top = 255 if depth <= 8 else 65535
    assert_array_equal(read(write(white)).pixels, top - read(write(black)).pixels)


def test_white_is_zero_beside_opacity(write, picture):
    """Only the grey is turned round, not the opacity."""
    data = np.stack([picture[..., 0], np.full_like(picture[..., 0], 255)], axis=2).tobytes()
    path = write(tiff([(plain(31, 46, 2, _262=(3, [0]), _338=(3, [2])), [data])]))
    assert_array_equal(read(path).pixels[..., 0], 255 - picture[..., 0])


@pytest.mark.parametrize("compression", ["lzw", "zip", "packbits", "none"])
def test_bits_in_the_reversed_order(write, picture, compression):
    """FillOrder 2, as fax machines write it: every byte's bits are turned round, also those of codes."""
    turn = (
        imagecodecs.bitorder_encode
        if hasattr(imagecodecs, "bitorder_encode")
        else imagecodecs.bitorder_decode
    )
    encode = {
        "lzw": (5, imagecodecs.lzw_encode),
        "zip": (8, zlib.compress),
        "packbits": (32773, imagecodecs.packbits_encode),
        "none": (1, bytes),
    }
    number, packing = encode[compression]
    data = bytes(turn(bytes(packing(picture.tobytes()))))
    path = write(tiff([(plain(31, 46, 3, _259=(3, [number]), _266=(3, [2])), [data])]))
    assert_array_equal(read(path).pixels, picture)


# JPEG, WebP and YCbCr, against libtiff.


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2), (4, 1)])
@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 16}, {"tile": (32, 32)}])
def test_jpeg_as_libtiff_decodes_it(tmp_path, picture, subsampling, layout):
    path = tmp_path / "a.tif"
    options = {"compression": "jpeg", "compressionargs": {"level": 92}, "subsampling": subsampling}
    tifffile.imwrite(path, picture, photometric="rgb", metadata=None, **options, **layout)
    assert_allclose(read(path).pixels, np.asarray(Image.open(path).convert("RGB")), atol=1)


@pytest.mark.parametrize("kind", ["L", "RGB", "CMYK"])
def test_jpeg_of_other_colour_models(tmp_path, picture, kind):
    """Written by libtiff with the tables apart; RGB is not YCbCr inside."""
    path = tmp_path / "a.tif"
    Image.fromarray(picture).convert(kind).save(path, compression="jpeg", quality=92)
    with tifffile.TiffFile(path) as file:
        assert 347 in file.pages[0].tags
    if kind == "CMYK":
        inks = 255 - np.asarray(Image.open(path)).astype(float)
        expected = inks[..., :3] * inks[..., 3:] / 255
    else:
        expected = np.asarray(Image.open(path).convert("RGB"))
    assert_allclose(read(path).pixels, expected, atol=1)


def test_a_jpeg_that_contradicts_its_tiff_is_refused(tmp_path, picture):
    """JFIF says YCbCr, TIFF says RGB: readers differ, some give a pink picture."""
    import io

    jfif = io.BytesIO()
    Image.fromarray(picture).save(jfif, "JPEG")
    (tmp_path / "a.tif").write_bytes(tiff([(plain(31, 46, 3, _259=(3, [7])), [jfif.getvalue()])]))
    assert refusal(tmp_path / "a.tif").startswith(
        "is a TIFF that says RGB of a JPEG that says YCbCr, which is not read"
    )
    (tmp_path / "a.tif").write_bytes(
        tiff([(plain(31, 46, 3, _259=(3, [7]), _262=(3, [6])), [jfif.getvalue()])])
    )
    assert_array_equal(read(tmp_path / "a.tif").pixels, np.asarray(Image.open(jfif)))


@pytest.mark.parametrize("alpha", [False, True])
def test_webp_without_loss(tmp_path, picture, alpha):
    opacity = np.full_like(picture[..., :1], 255)
    stored = np.concatenate([picture, opacity], axis=2) if alpha else picture
    options = {"compression": "webp", "compressionargs": {"lossless": True}, "rowsperstrip": 8}
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", metadata=None, **options)
    assert_array_equal(read(tmp_path / "a.tif").pixels, picture)


def in_units(ycc: np.ndarray, across: int, down: int) -> bytes:
    """Blocks of luma, each followed by its two differences (TIFF 6.0, Sec. 21)."""
    h, w = ycc.shape[:2]
    whole = np.pad(ycc, ((0, -h % down), (0, -w % across), (0, 0)), mode="edge")
    blocks = whole.reshape(whole.shape[0] // down, down, -1, across, 3).swapaxes(1, 2)
    luma = blocks[..., 0].reshape(*blocks.shape[:2], -1)
    return np.concatenate([luma, blocks[..., 1:].mean(axis=(2, 3))], axis=2).astype(np.uint8).tobytes()


@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4)])
@pytest.mark.parametrize("video", [False, True])
def test_ycbcr_in_bytes_as_libtiff_decodes_it(write, picture, across, down, video):
    """Strips of 16 rows, the last one short; the widths are no multiples of a block."""
    ycc = np.asarray(Image.fromarray(picture).convert("YCbCr")).astype(float)
    tags = {"_259": (3, [8]), "_262": (3, [6]), "_278": (4, [16]), "_530": (3, [across, down])}
    if video:
        ycc = np.array((16, 128, 128)) + (ycc - (0, 128, 128)) * (219 / 255, 224 / 255, 224 / 255)
        tags["_532"] = (5, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1])
    strips = [zlib.compress(in_units(ycc[y : y + 16], across, down)) for y in (0, 16)]
    path = write(tiff([(plain(31, 46, 3, **tags), strips)]))
    libtiff = np.asarray(Image.open(path).convert("RGB"))
    assert_allclose(
        read(path).pixels, libtiff, atol=3 if video else 1
    )  # libtiff cuts stretched values to whole ones


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("order", [1, 2])
def test_fax(tmp_path, picture, compression, order, capfd):
    """Written by libtiff; 60 damaged ones: what is kept is right but for a pixel in a thousand."""
    bits = np.kron(picture[..., 0] > 100, np.ones((4, 4), bool))
    path = tmp_path / "a.tif"
    Image.fromarray(bits).save(path, compression=compression, tiffinfo={266: order})
    assert_array_equal(read(path).pixels[..., 0], bits * np.uint8(255))
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        at, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    rng, refused = np.random.default_rng(1), 0
    for _ in range(60):
        data = bytearray(whole)
        data[at + rng.integers(count)] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            wrong = (read(path).pixels[..., 0] != bits * np.uint8(255)).mean()
        except UserError as error:
            refused += "is damaged inside: " in str(error)
        else:
            assert wrong < 0.02
    assert refused > 40
    assert capfd.readouterr() == ("", "")


def test_an_undeclared_fourth_channel(tmp_path, write, picture):
    """No ExtraSamples: libtiff, Pillow and libvips take it for opacity; that is a guess, and is said."""
    opacity = np.linspace(0, 255, 46).astype(np.uint8)[None, :, None].repeat(31, 0)
    stored = np.concatenate([picture, opacity], axis=2)
    photo = read(write(tiff([(plain(31, 46, 4), [stored.tobytes()])])))
    assert_allclose(photo.pixels, picture * (opacity / 255) + 255 - opacity, atol=0.51)
    assert "undeclared channel taken for opacity" in photo.notes


# Odd files, and two more of each kind.


def test_planes_of_16_bit_lzw(odd, tmp_path, deep):
    """OpenCV takes planes for interleaved samples."""
    photo = read(odd / "planar_lzw_rgb16.tif")
    assert_array_equal(photo.pixels, np.load(odd / "planar_lzw_rgb16.expected.npy"))
    planes = np.ascontiguousarray(deep.transpose(2, 0, 1))
    for options in ({"tile": (16, 16)}, {"rowsperstrip": 5, "byteorder": ">", "predictor": 2}):
        path = tmp_path / "a.tif"
        tifffile.imwrite(
            path,
            planes,
            photometric="rgb",
            planarconfig="separate",
            compression="lzw",
            metadata=None,
            **options,
        )
        assert_array_equal(read(path).pixels, deep)


def test_grey_and_alpha_of_16_bit_lzw(odd):
    photo = read(odd / "grey_plus_alpha_lzw16.tif", alpha="black")
    stored = tifffile.imread(odd / "grey_plus_alpha_lzw16.tif").astype(float)
    assert_allclose(photo.pixels[..., 1], stored[..., 0] * stored[..., 1] / 65535, atol=0.51)


def test_rgb_whose_colour_model_is_not_stated(odd, write, picture):
    photo = read(odd / "rgb_without_photometric.tif")
    assert_array_equal(photo.pixels[0, :2], [(200, 0, 30), (200, 4, 30)])
    assert_array_equal(photo.pixels, tifffile.imread(odd / "rgb_without_photometric.tif").reshape(48, 64, 3))
    assert photo.notes == ("colour model not stated, RGB assumed",)
    grey = read(write(tiff([(plain(31, 46, 1, _262=None), [picture[..., 0].tobytes()])])))
    assert_array_equal(grey.pixels, picture[..., :1].repeat(3, 2))
    assert "colour model not stated, grey assumed" in grey.notes
    path = write(tiff([(plain(31, 46, 3, _262=None, _259=(3, [7])), [b"\xff\xd8\xff\xd9"])]))
    assert "does not state its colour model" in refusal(path)


def test_a_preview_that_comes_first_is_passed_over(odd, tmp_path, picture):
    """DNG, scanners and viewers put the reduced picture first and say so (NewSubfileType 1)."""
    path = odd / "preview_page_first.tif"
    photo = read(path)
    assert photo.size_hw == read_size(path) == (96, 128)
    assert_array_equal(photo.pixels, tifffile.imread(path, key=1))
    assert photo.notes == ("picture in full size taken, a preview comes first",)
    small, path = picture[::4, ::4], tmp_path / "a.tif"
    for below in (False, True):  # the full picture behind the preview, or in a directory that it points to
        with tifffile.TiffWriter(path) as file:
            file.write(small, photometric="rgb", subfiletype=1, subifds=int(below), metadata=None)
            file.write(picture, photometric="rgb", compression="lzw", metadata=None)
        assert_array_equal(read(path).pixels, picture)
        assert read_size(path) == (31, 46)
    with tifffile.TiffWriter(path) as file:  # the old tag (255) says 2
        file.write(small, photometric="rgb", extratags=[(255, 3, 1, 2, True)], metadata=None)
        file.write(picture, photometric="rgb", metadata=None)
        file.write(picture[::2, ::2], photometric="rgb", metadata=None)
    assert_array_equal(read(path).pixels, picture)
    with tifffile.TiffWriter(path) as file:  # nothing else there
        file.write(small, photometric="rgb", subfiletype=1, metadata=None)
    assert read(path).notes == ("a preview by its own words",)
    assert_array_equal(read(path).pixels, small)


def test_several_full_pictures_stay_the_first(tmp_path, picture):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(picture[:8], photometric="rgb", metadata=None)
        file.write(picture, photometric="rgb", metadata=None)
    assert_array_equal(read(tmp_path / "a.tif").pixels, picture[:8])
    assert read(tmp_path / "a.tif").notes == ("first picture of several",)


def test_orientation_of_any_type_is_applied_once(odd, write, picture):
    path = odd / "orientation6_as_long_lzw8.tif"
    photo = read(path)
    assert_array_equal(photo.pixels, np.rot90(tifffile.imread(path), -1))
    assert photo.size_hw == read_size(path) == (100, 60)
    assert photo.orientation == 6
    for compression, packing in ((5, imagecodecs.lzw_encode), (8, zlib.compress)):
        for kind in (1, 4, 8):
            tags = plain(31, 46, 3, _259=(3, [compression]), _274=(kind, [8]))
            path = write(tiff([(tags, [packing(picture.tobytes())])]))
            assert_array_equal(read(path).pixels, np.rot90(picture))
            assert read_size(path) == (46, 31)


@pytest.mark.parametrize("stated", [(3, [9]), (3, [0]), (11, [6.0]), (8, [-1])])
def test_an_orientation_that_is_none_is_said(write, picture, stated):
    photo = read(write(tiff([(plain(31, 46, 3, _274=stated), [picture.tobytes()])])))
    assert_array_equal(photo.pixels, picture)
    assert photo.notes == ("orientation is damaged, taken for upright",)


def test_tags_of_other_colour_models_do_not_matter(write, picture):
    path = write(tiff([(plain(31, 46, 3, _530=(3, [3, 1])), [picture.tobytes()])]))
    assert_array_equal(read(path).pixels, picture)


# Kinds that are not read: the reason is the kind.


def test_jpeg_2000_is_named(odd, tmp_path, deep):
    words = "is a TIFF with compression 34712 (JPEG 2000), which is not read; convert it"
    assert refusal(odd / "jpeg2000_rgb8.tif").startswith(words)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", compression="jpeg2000")
    assert refusal(tmp_path / "a.tif").startswith(words)
    with pytest.raises(UserError, match="JPEG 2000"):
        read_size(tmp_path / "a.tif")


UNREAD = {
    "of 1 x 8-bit grey in CCITT G4 fax": {"_259": (3, [4])},
    "with compression 6 (JPEG of TIFF 6.0)": {"_259": (3, [6])},
    "with compression 34887 (LERC)": {"_259": (3, [34887])},
    "with compression 12345 (of an unknown kind)": {"_259": (3, [12345])},
    "of 8-bit signed samples": {"_339": (3, [2])},
    "of 32-bit floating-point samples": {"_339": (3, [3]), "_258": (3, [32])},
    "of 64-bit complex floating-point samples": {"_339": (3, [6]), "_258": (3, [64])},
    "of 32-bit samples": {"_258": (3, [32])},
    "of 5/6-bit samples": {"_258": (3, [5, 6, 5]), "_277": (3, [3]), "_262": (3, [2])},
    "of colour model 8 (CIE L*a*b*)": {"_262": (3, [8]), "_277": (3, [3])},
    "of colour model 32803 (colour filter array of a RAW)": {"_262": (3, [32803])},
    "of colour model 77 (of an unknown kind)": {"_262": (3, [77])},
    "of 16-bit CMYK": {"_262": (3, [5]), "_277": (3, [4]), "_258": (3, [16])},
    "of inks other than CMYK": {"_262": (3, [5]), "_277": (3, [4]), "_332": (3, [2])},
    "with 9 channels": {"_277": (3, [9])},
    "with 3 pictures in depth": {"_32997": (4, [3])},
    "with predictor 3": {"_317": (3, [3]), "_259": (3, [8])},
    "with a predictor without compression (PackBits)": {"_317": (3, [2]), "_259": (3, [32773])},
}


@pytest.mark.parametrize("words", UNREAD)
def test_what_is_not_read_is_named(write, words):
    path = write(tiff([(plain(4, 4, 1, **UNREAD[words]), [bytes(999)])]))
    assert refusal(path).startswith(f"is a TIFF {words}, which is not read; convert it")


# What is stated contradicts itself, or the file.

CONTRADICTIONS = {
    "states 1 channels for RGB": {"_262": (3, [2])},
    "states 2 channels for grey and 2 more": {"_277": (3, [2]), "_338": (3, [2, 0])},
    "states 3 channels for CMYK": {"_277": (3, [3]), "_262": (3, [5])},
    "states a strip without pixels": {"_278": (4, [0])},
    "states a picture without pixels": {"_256": (4, [0])},
    "states a subsampling of 3 x 1": {"_262": (3, [6]), "_277": (3, [3]), "_530": (3, [3, 1])},
    "is damaged: tag 259 is of a type (11)": {"_259": (11, [1.0])},
    "states -8 for tag 257": {"_257": (8, [-8])},
    "has a palette of 6 values where 768 are needed": {"_262": (3, [3]), "_320": (3, [1] * 6)},
    "is damaged: it has 1 strips where its size asks for 4": {"_278": (4, [1])},
    "is damaged: 999999 bytes for 16 bytes of pixels": {},
}


@pytest.mark.parametrize("words", CONTRADICTIONS)
def test_contradictions_are_damage(write, words):
    body = bytes(999999) if "999999" in words else bytes(16)
    path = write(tiff([(plain(4, 4, 1, **CONTRADICTIONS[words]), [body])]))
    assert refusal(path).startswith(words)


def test_strips_and_planes_that_are_missing(write, picture):
    """libtiff and tifffile fill them with black."""
    rows = [picture[y : y + 8].tobytes() for y in range(0, 31, 8)]
    whole = plain(31, 46, 3, _278=(4, [8]))
    assert_array_equal(read(write(tiff([(whole, rows)]))).pixels, picture)
    offsets = struct.unpack("<4I", read_tag(write(tiff([(whole, rows)])), 273))
    path = write(tiff([({**whole, 273: (4, [offsets[0], 0, offsets[2], offsets[3]])}, rows)]))
    assert refusal(path).startswith("is damaged: 1 of its 4 strips are missing; copy it")
    path = write(tiff([({**whole, 279: (4, [8 * 138, 0, 0, 7 * 138])}, rows)]))
    assert refusal(path).startswith("is damaged: 2 of its 4 strips are missing")
    path = write(tiff([(whole, rows[:3])]))
    assert refusal(path).startswith("is damaged: it has 3 strips where its size asks for 4")
    planes = [picture[..., c].tobytes() for c in (0, 1)]
    path = write(tiff([(plain(31, 46, 3, _284=(3, [2])), planes)]))
    assert refusal(path).startswith("is damaged: it has 2 strips where its size asks for 3")
    path = write(tiff([(whole, [*rows[:3], rows[3][:-1]])]))
    assert refusal(path).startswith("is damaged inside: a strip or tile ends after 965 of 966 bytes")


def read_tag(path: Path, number: int) -> bytes:
    data = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[number]
        return data[tag.valueoffset : tag.valueoffset + tag.valuebytecount]


@pytest.mark.parametrize("compression", [5, 8, 32773, 34925, 50000])
def test_compressed_strips_that_are_too_short_or_too_long(write, picture, compression):
    packing = {
        5: imagecodecs.lzw_encode,
        8: zlib.compress,
        32773: imagecodecs.packbits_encode,
        34925: imagecodecs.lzma_encode,
        50000: imagecodecs.zstd_encode,
    }[compression]
    tags = plain(31, 46, 3, _259=(3, [compression]))
    pixels = picture.tobytes()
    assert_array_equal(read(write(tiff([(tags, [packing(pixels)])]))).pixels, picture)
    for wrong in (
        packing(pixels[:-1]),
        packing(pixels)[:-900],
        b"",
        b"\x12\x34" * 50,
    ):
        path = write(tiff([(tags, [wrong])]))
        assert refusal(path).startswith(("is damaged inside: ", "is damaged: 1 of its 1 strips"))
        assert "Error" not in refusal(path)
    path = write(tiff([(tags, [packing(pixels + bytes(5000))])]))
    assert refusal(path).startswith("is damaged inside: a strip or tile holds more than the 4278 bytes")


def test_a_last_strip_padded_to_full_height_is_whole(write, picture):
    """Some writers fill the last strip up; the padding is left away."""
    rows = [zlib.compress(picture[y : y + 8].tobytes().ljust(8 * 138, b"\7")) for y in range(0, 31, 8)]
    path = write(tiff([(plain(31, 46, 3, _259=(3, [8]), _278=(4, [8])), rows)]))
    assert_array_equal(read(path).pixels, picture)


def test_damage_inside_a_jpeg_strip(tmp_path, picture, capfd):
    """libjpeg's own words; other readers give grey."""
    big = np.kron(picture, np.ones((6, 6, 1), np.uint8))
    path = tmp_path / "a.tif"
    Image.fromarray(big).save(path, compression="jpeg", quality=95)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        at, count = page.dataoffsets[0], page.databytecounts[0]
    data[at + count // 2 : at + count // 2 + 2] = b"\xff\x3b"
    path.write_bytes(data)
    assert refusal(path).startswith("is damaged inside: ")
    assert capfd.readouterr() == ("", "")


# Bytes are bounded by the header.

MEASURE = """if 1:
    import sys, time
    from pathlib import Path
    import imagecodecs, simplejpeg
    import numpy
    import PIL.Image
    from realdeg.errors import UserError
    from realdeg.io.photo import read
    peak = lambda: int([l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l][0].split()[1])
    for path in sys.argv[1:]:
        before, start = peak(), time.perf_counter()
        try:
            read(Path(path))
        except UserError as error:
            print(error)
        else:
            print("read")
        print(time.perf_counter() - start, (peak() - before) / 1024, sep="\\n")
"""


def deflate_bomb() -> bytes:
    """4 MB that inflate to 4 GB: one block again and again, none of which refers to another."""
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * 255 + packer.flush()


@pytest.fixture(scope="module")
def bombs(tmp_path_factory) -> list[Path]:
    """Small files that would take gigabytes."""
    folder = tmp_path_factory.mktemp("bombs")
    zeros = bytes(200 << 20)
    assert len(deflate_bomb()) < 4.2e6
    strips = {
        "deflate": (8, deflate_bomb()),
        "lzw": (5, bytes(imagecodecs.lzw_encode(zeros))),
        "lzma": (34925, bytes(imagecodecs.lzma_encode(zeros, level=0))),
        "zstd": (50000, bytes(imagecodecs.zstd_encode(zeros))),
        "jpeg": (7, bytes(imagecodecs.jpeg8_encode(np.zeros((16000, 16000), np.uint8)))),
    }
    files = {
        f"{name}{side}": tiff([(plain(side, side, 1, _259=(3, [number])), [data])])
        for name, (number, data) in strips.items()
        for side in (64, 1500)
    }
    vast = {"_322": (4, [2**31]), "_323": (4, [2**31]), "_278": None, "_259": (3, [8])}
    files["tile"] = tiff([(plain(64, 64, 1, **vast), [zlib.compress(bytes(99))])])
    many = plain(1_000_000, 1, 1, _278=(4, [1]), _259=(3, [8]))
    files["strips"] = tiff([({**many, 273: (4, [100] * 10**6), 279: (4, [9] * 10**6)}, [])])
    values = plain(64, 64, 1, _254=(4, [1]))
    files["values"] = tiff([({**values, 330: (4, [8] * 4_000_000)}, [bytes(4096)])])
    overlapping = plain(64_000, 64, 1, _278=(4, [1]), _259=(3, [8]))
    body = bytes(20 << 20)
    files["overlapping"] = (
        tiff([({**overlapping, 273: (4, [8] * 64_000), 279: (4, [20 << 20] * 64_000)}, [])]) + body
    )
    paths = []
    for name, data in files.items():
        (folder / f"{name}.tif").write_bytes(data)
        paths.append(folder / f"{name}.tif")
    return paths


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is measured on Linux")
def test_no_strip_tile_or_tag_inflates_beyond_what_the_header_states(bombs):
    out = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, bombs)], capture_output=True, text=True, check=True
    )
    lines = out.stdout.splitlines()
    assert len(lines) == 3 * len(bombs)
    for path, message, seconds, megabytes in zip(bombs, lines[::3], lines[1::3], lines[2::3], strict=True):
        assert message.startswith(f"{path}: ")
        assert float(seconds) < 2, message
        assert float(megabytes) < 150, message
    assert out.stderr == ""


def test_a_profile_beyond_the_limit_is_left_aside(write, picture):
    path = write(tiff([(plain(31, 46, 3), [picture.tobytes()])]))
    data = path.read_bytes()
    tags = plain(31, 46, 3, _34675=(1, [0] * (17 << 20)))
    photo = read(write(tiff([(tags, [picture.tobytes()])])))
    assert photo.notes == (f"embedded colour profile of {17 << 20} bytes left aside, sRGB assumed",)
    assert_array_equal(photo.pixels, read(write(data)).pixels)
