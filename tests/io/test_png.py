"""PNG: colours as stated, transparency within its depth, damage that checksums do not show."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageCms

from realdeg.errors import UserError
from realdeg.io.photo import read

P3 = bytes((12, 13, 0, 1))
P3_AND_SRGB = (  # Display P3 as stored and what it is in sRGB, by libheif's and LittleCMS's reckoning
    ((255, 0, 0), (255, 0, 0)),
    ((0, 255, 0), (0, 255, 0)),
    ((200, 120, 40), (213, 115, 0)),
    ((40, 160, 90), (0, 163, 82)),
    ((128, 128, 128), (128, 128, 128)),
)


def columns(colours: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array(colours, np.uint8).repeat(8, 0)[None].repeat(16, 0)


def test_cicp_is_converted_as_in_heif(tmp_path, png, odd):
    stored, right = (columns([pair[side] for pair in P3_AND_SRGB]) for side in (0, 1))
    (tmp_path / "a.png").write_bytes(png(stored, 2, 8, cICP=P3))
    photo = read(tmp_path / "a.png")
    assert photo.profile == "Display P3"
    assert np.abs(photo.pixels.astype(int) - right).max() <= 1
    assert read(odd / "cicp_display_p3.png").profile == "Display P3"
    assert read(odd / "cicp_display_p3.png").notes == ()


def test_cicp_at_16_bits(tmp_path, png):
    stored, right = (columns([pair[side] for pair in P3_AND_SRGB]) for side in (0, 1))
    (tmp_path / "a.png").write_bytes(png(stored.astype(np.uint16) * 257, 2, 16, cICP=P3))
    assert np.abs(read(tmp_path / "a.png").pixels.astype(int) - right.astype(int) * 257).max() <= 257


def test_cicp_outranks_an_embedded_profile(tmp_path, picture, png, matrix_profile):
    """PNG 3rd edition, 4.3; a copy of the file would keep both, and other readers may heed the profile."""
    wide = matrix_profile(np.array([[0.61, 0.2, 0.15], [0.31, 0.63, 0.06], [0.02, 0.06, 0.74]]), 2.2, "Wide")
    iccp = b"w\0\0" + zlib.compress(wide)
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, iCCP=iccp, cICP=bytes((1, 13, 0, 1))))
    photo = read(tmp_path / "a.png")
    assert_array_equal(photo.pixels, picture)
    assert photo.profile == "sRGB"
    assert photo.notes == ("embedded profile set aside, since cICP states the colours",)
    (tmp_path / "b.png").write_bytes(png(picture, 2, 8, iCCP=iccp))
    assert read(tmp_path / "b.png").profile == "Wide"


def test_a_narrow_range_is_refused(tmp_path, picture, png):
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, cICP=bytes((1, 13, 0, 0))))
    with pytest.raises(UserError, match=r"is coded in a narrow range .*, which is not read"):
        read(tmp_path / "a.png")


def test_unknown_primaries_are_said(tmp_path, picture, png):
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, cICP=bytes((77, 13, 0, 1))))
    assert read(tmp_path / "a.png").notes == ("colour primaries 77 are not known, sRGB's assumed",)


def test_other_corners_without_a_profile_are_said(tmp_path, picture, png):
    """Adobe RGB's in cHRM; ignored as by nearly all readers, but not in silence."""
    corners = struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, cHRM=corners))
    assert read(tmp_path / "a.png").notes == ("cHRM of other colours than sRGB's ignored, sRGB assumed",)
    (tmp_path / "b.png").write_bytes(png(picture, 2, 8, cHRM=corners, sRGB=b"\0"))
    assert read(tmp_path / "b.png").notes == ()


def test_gama_alone_is_ignored_and_said(odd):
    assert read(odd / "gama_linear.png").notes == ("gAMA 1 ignored, sRGB assumed",)


def test_a_grey_profile_on_grey_with_alpha(tmp_path, odd):
    with_alpha = read(odd / "grey_alpha_with_grey_profile.png")
    stored = Image.open(odd / "grey_alpha_with_grey_profile.png")
    column = int(np.flatnonzero(np.asarray(stored)[0, :, 0] == 128)[0])
    assert with_alpha.pixels[0, column].tolist() == [146, 146, 146]
    profile = stored.info["icc_profile"]
    stored.getchannel("L").save(tmp_path / "grey.png", icc_profile=profile)
    assert_array_equal(with_alpha.pixels, read(tmp_path / "grey.png").pixels)
    assert with_alpha.profile == read(tmp_path / "grey.png").profile != "sRGB"


@pytest.mark.parametrize("alpha", [255, 100])
def test_a_grey_profile_at_16_bits_and_through_transparency(tmp_path, odd, png, alpha):
    profile = Image.open(odd / "grey_alpha_with_grey_profile.png").info["icc_profile"]
    grey = np.full((8, 8, 2), (128 * 257, alpha * 257), np.uint16)
    iccp = b"g\0\0" + zlib.compress(profile)
    (tmp_path / "a.png").write_bytes(png(grey, 4, 16, iCCP=iccp))
    right = 146 * alpha / 255 + 255 - alpha
    assert np.abs(read(tmp_path / "a.png").pixels / 257 - right).max() < 0.6


@pytest.mark.parametrize(("depth", "key"), [(8, 0x0101), (8, 0x3001), (4, 0x0011), (2, 0x7FFD)])
def test_a_transparent_grey_beyond_its_depth(tmp_path, png, depth, key):
    """Only the lowest bits count (PNG 3rd edition, 11.3.1.1); grey 1 is meant in all four."""
    levels = np.arange(4, dtype=np.uint8)[None].repeat(4, 0)
    packed = (
        levels
        if depth == 8
        else np.packbits(np.unpackbits(levels[..., None], axis=2)[..., -depth:].reshape(4, -1), axis=1)
    )
    data = bytearray(png(packed, 0, depth, tRNS=struct.pack(">H", key)))
    data[16:20] = struct.pack(">I", 4)  # `png` takes bytes for pixels
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    photo = read(tmp_path / "a.png", alpha="black")
    top = 2**depth - 1
    assert photo.pixels[0, :, 0].tolist() == [0, 0, 2 * 255 // top, 3 * 255 // top]
    assert "alpha flattened on black" in photo.notes


def test_transparent_colours_beyond_their_depth(tmp_path, png):
    pixels = np.array([[[1, 2, 3], [9, 8, 7]]], np.uint8)
    (tmp_path / "a.png").write_bytes(png(pixels, 2, 8, tRNS=struct.pack(">3H", 0x101, 0xFF02, 0x3)))
    assert read(tmp_path / "a.png", alpha="white").pixels.tolist() == [[[255] * 3, [9, 8, 7]]]


def with_stream(picture: np.ndarray, stream: bytes, png) -> bytes:
    """A PNG whose pixel stream is `stream`, checksums right."""
    data = png(picture, 2, 8)
    at = data.index(b"IDAT") - 4
    body = b"IDAT" + stream
    end = b"IEND"
    return (
        data[:at]
        + struct.pack(">I", len(stream)) + body + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 0) + end + struct.pack(">I", zlib.crc32(end))
    )  # fmt: skip


def test_damage_under_right_checksums(tmp_path, picture, png, capfd):
    """As after a repair tool, or from a writer with bad memory."""
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    whole = zlib.compress(rows)
    wrong_filter = bytearray(rows)
    wrong_filter[(picture.shape[1] * 3 + 1) * 5] = 9
    streams = {
        "cut": whole[: len(whole) // 2],
        "no checksum": whole[:-4],
        "another checksum": whole[:-1] + bytes([whole[-1] ^ 1]),
        "rows missing": zlib.compress(rows[: len(rows) // 2]),
        "filter": zlib.compress(bytes(wrong_filter)),
    }
    for name, stream in streams.items():
        (tmp_path / f"{name}.png").write_bytes(with_stream(picture, stream, png))
        with pytest.raises(UserError, match=rf"{name}\.png: is damaged inside: \S.*; copy it"):
            read(tmp_path / f"{name}.png")
    (tmp_path / "more.png").write_bytes(with_stream(picture, zlib.compress(rows + bytes(500)), png))
    assert_array_equal(read(tmp_path / "more.png").pixels, picture)  # harmless: libpng warns of it
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [b"iCCP", b"cICP", b"tRNS", b"gAMA"])
def test_a_wrong_checksum_of_what_states_colours(tmp_path, picture, png, name):
    bodies = {
        b"iCCP": b"x\0\0" + zlib.compress(b"profile"),
        b"cICP": P3,
        b"tRNS": bytes(6),
        b"gAMA": bytes(4),
    }
    data = bytearray(png(picture, 2, 8, **{name.decode(): bodies[name]}))
    data[data.index(name) + 4 + len(bodies[name])] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UserError, match=rf"is damaged \(a checksum differs, of its chunk {name.decode()}\)"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
def test_kinds_are_read_as_by_pillow(tmp_path, picture, mode):
    image = Image.fromarray(picture)
    image = image.quantize(20) if mode == "P" else image.convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    image.save(tmp_path / "a.png")
    right = Image.open(tmp_path / "a.png")
    expected = np.asarray(right) / 257 if mode == "I;16" else np.asarray(right.convert("RGB"))
    found = read(tmp_path / "a.png").pixels / (257 if mode == "I;16" else 1)
    if mode == "I;16":
        expected = expected[..., None].repeat(3, axis=2)
    assert_array_equal(found, expected)


def test_a_profile_of_its_own_is_still_heeded(tmp_path, picture):
    """Through LittleCMS by another road."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", icc_profile=lab.tobytes())
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    assert_array_equal(read(tmp_path / "a.png").pixels, picture)


@pytest.mark.parametrize("name", ["Raw profile type exif", "Raw profile type APP1"])
@pytest.mark.parametrize("chunk", ["tEXt", "zTXt"])
def test_exif_in_a_text_as_imagemagick_wrote_it(tmp_path, picture, png, name, chunk):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    block = exif.tobytes()
    digits = block.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    text = f"\nexif\n{len(block):8}\n{lines}\n".encode()
    body = name.encode() + b"\0" + (b"\0" + zlib.compress(text) if chunk == "zTXt" else text)
    (tmp_path / "a.png").write_bytes(png(picture, 2, 8, **{chunk: body}))
    photo = read(tmp_path / "a.png")
    assert (photo.orientation, photo.camera) == (6, "Maker")
    assert_array_equal(photo.pixels, np.rot90(picture, -1))
    (tmp_path / "b.png").write_bytes(png(picture, 2, 8, tEXt=name.encode() + b"\0\nexif\n 7\nno digits"))
    assert_array_equal(read(tmp_path / "b.png").pixels, picture)


def test_a_picture_that_is_transparent_everywhere_is_none(tmp_path, picture, png):
    four = np.concatenate([picture, np.zeros_like(picture[..., :1])], axis=2)
    (tmp_path / "a.png").write_bytes(png(four, 6, 8))
    with pytest.raises(UserError, match=r"a\.png: is transparent everywhere; flatten it"):
        read(tmp_path / "a.png")


def test_a_profile_for_colours_on_grey_is_said(tmp_path, picture, matrix_profile):
    wide = matrix_profile(
        np.array([[0.61, 0.2, 0.15], [0.31, 0.63, 0.06], [0.02, 0.06, 0.74]]), 1.0, "Linear"
    )
    Image.fromarray(picture[..., 0]).save(tmp_path / "a.png", icc_profile=wide)
    photo = read(tmp_path / "a.png")
    assert photo.notes == ("profile Linear for colours applied to grey", "grey expanded to RGB")
    assert photo.profile == "Linear"
