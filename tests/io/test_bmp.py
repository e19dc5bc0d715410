"""BMP: bit fields, reserved bytes, profiles, and the kinds that are not read, by name."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.photo import read


def bmp(
    words: np.ndarray,
    bits: int,
    *,
    packing: int = 3,
    masks: tuple[int, ...] = (),
    header: int = 40,
    down: bool = False,
    reserved: bytes = bytes(4),
    tail: bytes = b"",
    further: bytes = b"",
) -> bytes:
    """`words`: (H, W) unsigned of `bits`; `further`: the header from byte 40 + 16 on."""
    h, w = words.shape
    rows = words.astype(f"<u{bits // 8}")
    rows = rows if down else rows[::-1]
    stride = (w * bits + 31) // 32 * 4
    body = b"".join(row.tobytes().ljust(stride, b"\0") for row in rows)
    fields = struct.pack(f"<{len(masks)}I", *masks)
    info = struct.pack("<IiiHHIIiiII", header, w, -h if down else h, 1, bits, packing, len(body), 0, 0, 0, 0)
    info += (
        fields
        if header == 40
        else (fields.ljust(16, b"\0") + further)[: header - 40].ljust(header - 40, b"\0")
    )
    start = (
        struct.pack("<2sI", b"BM", 14 + len(info) + len(body)) + reserved + struct.pack("<I", 14 + len(info))
    )
    return start + info + body + tail


def test_reserved_bytes_may_be_used(tmp_path, odd, picture):
    photo = read(odd / "reserved_bytes_used.bmp")
    assert_array_equal(photo.pixels, np.asarray(Image.open(odd / "reserved_bytes_used.bmp")))
    Image.fromarray(picture).save(tmp_path / "a.bmp")
    data = bytearray((tmp_path / "a.bmp").read_bytes())
    for reserved in (b"abcd", b"\xff\xff\0\0"):
        data[6:10] = reserved
        (tmp_path / "a.bmp").write_bytes(data)
        assert_array_equal(read(tmp_path / "a.bmp").pixels, picture)


def packed(picture: np.ndarray, masks: tuple[int, ...]) -> np.ndarray:
    """Each channel's highest bits where its mask is."""
    words = np.zeros(picture.shape[:2], np.uint64)
    for channel, mask in zip(np.moveaxis(picture, 2, 0), masks, strict=False):
        low = (mask & -mask).bit_length() - 1
        bits = (mask >> low).bit_length()
        values = channel.astype(np.uint64) * 257 >> np.uint64(16 - bits)
        words |= values << np.uint64(low)
    return words


@pytest.mark.parametrize(
    ("bits", "masks", "step"),
    [
        (32, (0xFF000000, 0xFF0000, 0xFF00), 0),  # RGBX
        (32, (0xFF, 0xFF00, 0xFF0000), 0),
        (32, (0xFF0000, 0xFF00, 0xFF), 0),
        (16, (0xF800, 0x7E0, 0x1F), 8.3),
        (16, (0x7C00, 0x3E0, 0x1F), 8.3),
        (16, (0xF00, 0xF0, 0xF), 17),
    ],
)
@pytest.mark.parametrize("down", [False, True])
def test_bit_fields(tmp_path, picture, bits, masks, step, down):
    (tmp_path / "a.bmp").write_bytes(bmp(packed(picture, masks), bits, masks=masks, down=down))
    photo = read(tmp_path / "a.bmp")
    assert photo.pixels.dtype == np.uint8
    assert np.abs(photo.pixels.astype(int) - picture).max() <= step
    assert (photo.pixels.max(), photo.pixels.min()) == (255, 0) or step < 9


def test_fields_of_ten_bits_keep_them(tmp_path, deep):
    masks = (0x3FF00000, 0xFFC00, 0x3FF)
    words = np.zeros(deep.shape[:2], np.uint64)
    for channel, shift in zip(np.moveaxis(deep >> 6, 2, 0), (20, 10, 0), strict=True):
        words |= channel.astype(np.uint64) << np.uint64(shift)
    (tmp_path / "a.bmp").write_bytes(bmp(words, 32, masks=masks))
    assert_array_equal(read(tmp_path / "a.bmp").pixels, np.rint((deep >> 6) * (65535 / 1023)))


def test_fields_with_opacity(tmp_path, picture):
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    four = np.concatenate([picture, np.full((*picture.shape[:2], 1), 51, np.uint8)], axis=2)
    (tmp_path / "a.bmp").write_bytes(bmp(packed(four, masks), 32, masks=masks, header=108))
    photo = read(tmp_path / "a.bmp", alpha="black")
    assert np.abs(photo.pixels - picture * 0.2).max() <= 0.5 + 1e-4
    assert "alpha flattened on black" in photo.notes


def test_fields_of_a_v4_header_without_opacity_are_as_pillows(tmp_path, picture):
    masks = (0xFF0000, 0xFF00, 0xFF, 0)
    (tmp_path / "a.bmp").write_bytes(bmp(packed(picture, masks), 32, masks=masks, header=108))
    assert_array_equal(
        read(tmp_path / "a.bmp").pixels, np.asarray(Image.open(tmp_path / "a.bmp").convert("RGB"))
    )


def test_an_embedded_profile_is_heeded(tmp_path, picture, matrix_profile):
    profile = matrix_profile(
        np.array([[0.61, 0.2, 0.15], [0.31, 0.63, 0.06], [0.02, 0.06, 0.74]]), 2.2, "Wide"
    )
    masks = (0xFF0000, 0xFF00, 0xFF, 0)
    plain = bmp(packed(picture, masks), 32, masks=masks, header=124)
    data = bytearray(plain + profile)
    data[14 + 56 : 14 + 60] = b"DEBM"
    struct.pack_into("<II", data, 14 + 112, len(plain) - 14, len(profile))
    (tmp_path / "a.bmp").write_bytes(data)
    Image.fromarray(picture).save(tmp_path / "a.png", icc_profile=profile)
    assert read(tmp_path / "a.bmp").profile == read(tmp_path / "a.png").profile == "Wide"
    assert_array_equal(read(tmp_path / "a.bmp").pixels, read(tmp_path / "a.png").pixels)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bmp(np.zeros((4, 4)), 32, packing=4), "packed as JPEG"),
        (bmp(np.zeros((4, 4)), 32, packing=5), "packed as PNG"),
        (bmp(np.zeros((4, 4)), 32, packing=11), "packed as CMYK"),
        (bmp(np.zeros((4, 4)), 32, masks=(0xF0F0, 0xFF, 0xFF00)), "with bit fields of an unusual kind"),
        (bmp(np.zeros((4, 4)), 32, masks=(0, 0, 0)), "with bit fields of an unusual kind"),
    ],
)
def test_kinds_that_are_not_read_are_named(tmp_path, data, words):
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(UserError, match=rf"a\.bmp: is a BMP {words}, which is not read; convert it"):
        read(tmp_path / "a.bmp")


def test_text_that_begins_like_one_is_no_image(tmp_path):
    (tmp_path / "a.bmp").write_bytes(b"BM is how this sentence about pictures begins" * 4)
    with pytest.raises(UserError, match="is not an image"):
        read(tmp_path / "a.bmp")


def test_opacity_that_a_program_left_0_is_none(tmp_path, picture):
    """Else the picture would be a white page."""
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    (tmp_path / "a.bmp").write_bytes(bmp(packed(picture, masks[:3]), 32, masks=masks, header=108))
    photo = read(tmp_path / "a.bmp")
    assert_array_equal(photo.pixels, picture)
    assert photo.notes == ("opacity of 0 everywhere taken for none",)


def test_a_bmp_without_its_file_header_is_named(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.bmp")
    (tmp_path / "a.dib").write_bytes((tmp_path / "a.bmp").read_bytes()[14:])
    with pytest.raises(
        UserError, match=r"is a BMP without its file header \(DIB\), which is not read; convert"
    ):
        read(tmp_path / "a.dib")
