"""JPEG: what libjpeg doubts is refused, whatever the end marker says; what is harmless is read."""

from __future__ import annotations

import io
import random
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.photo import read

DATA = Path(__file__).resolve().parents[1] / "data" / "jpeg"
KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restart": {"restart_marker_rows": 1},
    "4:4:4": {"subsampling": 0},
    "grey": {},
}


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    """(240, 320, 3) uint8 with detail everywhere: damage shows wherever it strikes."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:240, :320]
    waves = 127 + 60 * np.sin(x / 5) * np.cos(y / 7) + rng.normal(0, 12, (240, 320))
    return np.stack([waves, np.roll(waves, 31, 1), 255 - waves], -1).clip(0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels[..., 0] if kind == "grey" else pixels)
    image.save(buffer, "JPEG", quality=90, **KINDS[kind])
    return buffer.getvalue()


def scan_start(data: bytes) -> int:
    return data.index(b"\xff\xda") + 14


@pytest.mark.parametrize("name", ["cut_60_percent_end_marker_put_back.jpg", "stray_marker_in_scan.jpg"])
def test_damage_behind_an_intact_end_marker(odd, name, capfd):
    with pytest.raises(UserError, match=rf"{name}: is damaged inside: .*premature end.*; copy it from"):
        read(odd / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_that_a_recovery_tool_closed(tmp_path, large, kind, share):
    data = jpeg(large, kind)
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert read(path).size_hw == (240, 320)
    path.write_bytes(data[: int(len(data) * share)] + b"\xff\xd9")
    with pytest.raises(UserError, match="is damaged inside: "):
        read(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("marker", [b"\xff\x3b", b"\xff\x02", b"\xff\xc0", b"\xff\xd8", b"\xff\xf0"])
def test_a_stray_marker_in_the_scan(tmp_path, large, kind, marker):
    data = jpeg(large, kind)
    at = scan_start(data) + (len(data) - scan_start(data)) // 5
    (tmp_path / "a.jpg").write_bytes(data[:at] + marker + data[at + 2 :])
    with pytest.raises(UserError, match="is damaged inside: "):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["baseline", "restart", "grey"])
def test_a_block_of_the_file_is_zero(tmp_path, large, kind):
    """A lost sector: 512 bytes of zeros."""
    data = jpeg(large, kind)
    at = len(data) // 2
    (tmp_path / "a.jpg").write_bytes(data[:at] + bytes(512) + data[at + 512 :])
    with pytest.raises(UserError, match="is damaged inside: "):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padding", [bytes(100), b"\xff" * 100, bytes(3), b"\0\0\0\0\0\0\0\0\0\0"])
def test_padding_behind_the_picture_is_harmless(tmp_path, large, kind, padding, capfd):
    data = jpeg(large, kind)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.jpg").write_bytes(data[:-2] + padding + data[-2:])
    np.testing.assert_array_equal(read(tmp_path / "a.jpg").pixels, read(tmp_path / "b.jpg").pixels)
    assert capfd.readouterr() == ("", "")


def test_padding_does_not_hide_damage(tmp_path, large):
    data = bytearray(jpeg(large, "restart"))
    at = scan_start(data) + 4000
    data[at : at + 200] = bytes(200)
    (tmp_path / "a.jpg").write_bytes(data[:-2] + bytes(100) + data[-2:])
    with pytest.raises(UserError, match="is damaged inside: "):
        read(tmp_path / "a.jpg")


def test_picture_data_that_is_left_over_is_damage(tmp_path, large):
    """The sign of a decoder that lost its place: the picture ends before its bytes do."""
    data = jpeg(large, "baseline")
    rest = random.Random(3).randbytes(100).replace(b"\xff", b"\x11")
    (tmp_path / "a.jpg").write_bytes(data[:-2] + rest + data[-2:])
    with pytest.raises(UserError, match=r"is damaged inside: \d+ bytes are left over"):
        read(tmp_path / "a.jpg")


def test_stray_bytes_before_the_scan_do_not_hide_damage(tmp_path, large):
    data = jpeg(large, "baseline")
    at = data.index(b"\xff\xdb")
    cut = data[:at] + b"stray" + data[at : len(data) // 2] + b"\xff\xd9"
    (tmp_path / "a.jpg").write_bytes(cut)
    with pytest.raises(UserError, match=r"is damaged inside: .*premature end"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["arithmetic.jpg", "sampling_3x1.jpg", "sampling_2x2_1x2_1x1.jpg"])
def test_rare_kinds_decode_as_in_pillow(name):
    np.testing.assert_array_equal(read(DATA / name).pixels, np.asarray(Image.open(DATA / name)))


def test_damage_is_seen_in_rare_samplings_too(tmp_path, capfd):
    data = (DATA / "sampling_3x1.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) * 4 // 5] + b"\xff\xd9")
    with pytest.raises(UserError, match="is damaged inside: Corrupt JPEG data: premature end"):
        read(tmp_path / "a.jpg")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b"\xff\xc3", "of the lossless kind"),
        (b"\xff\xc5", "of the hierarchical kind"),
        (b"\xff\xcb", "of the lossless arithmetic kind"),
        (b"\xff\xf7", "of the JPEG-LS kind"),
    ],
)
def test_codings_that_are_not_read_are_named(tmp_path, large, frame, words):
    data = jpeg(large, "baseline").replace(b"\xff\xc0", frame, 1)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(UserError, match=f"is a JPEG {words}, which is not read; convert it"):
        read(tmp_path / "a.jpg")


def patched(data: bytes, *, depth: int = 8, height: int | None = None, width: int | None = None) -> bytes:
    """With other numbers in its frame header."""
    at = re.search(rb"\xff[\xc0-\xc2]", data).start() + 4
    old = struct.unpack_from(">BHH", data, at)
    new = (depth, old[1] if height is None else height, old[2] if width is None else width)
    return data[:at] + struct.pack(">BHH", *new) + data[at + 5 :]


def test_twelve_bits_and_a_height_at_the_end_are_named(tmp_path, large):
    data = jpeg(large, "baseline")
    (tmp_path / "a.jpg").write_bytes(patched(data, depth=12))
    with pytest.raises(UserError, match=r"is a JPEG with 3 x 12 bits a pixel, which is not read; convert"):
        read(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(patched(data, height=0))
    with pytest.raises(UserError, match=r"states its height behind the pixels \(DNL\), which is not read"):
        read(tmp_path / "b.jpg")


def test_thousands_of_scans_are_refused_before_they_are_decoded(tmp_path, large):
    """Each scan touches every block of a picture that may be large: minutes of work in a few kB."""
    data = jpeg(large, "progressive")
    last = data.rindex(b"\xff\xda")
    many = data[:last] + data[last:-2] * 1000 + b"\xff\xd9"
    (tmp_path / "a.jpg").write_bytes(patched(many, height=8000, width=8000))
    with pytest.raises(UserError, match=r"has 10\d\d scans of 64 million pixels each, which take minutes"):
        read(tmp_path / "a.jpg")


def test_metadata_in_disorder_costs_no_pixel(tmp_path, large, capfd):
    """A profile behind the frame header, numbered wrongly: libjpeg warns, and the picture is whole."""
    data = jpeg(large, "baseline")
    body = b"ICC_PROFILE\0" + bytes((7, 3)) + b"no profile"
    segment = b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
    at = data.index(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.jpg").write_bytes(data[:at] + segment + data[at:])
    np.testing.assert_array_equal(read(tmp_path / "b.jpg").pixels, read(tmp_path / "a.jpg").pixels)
    assert "embedded colour profile is damaged" in read(tmp_path / "b.jpg").notes[0]
    assert capfd.readouterr() == ("", "")


def xmp(orientation: int, style: str) -> bytes:
    stated = f'tiff:Orientation="{orientation}"' if style == "attribute" else ""
    inner = f"<tiff:Orientation>{orientation}</tiff:Orientation>" if style == "element" else ""
    return f"<x:xmpmeta><rdf:Description {stated}>{inner}</rdf:Description></x:xmpmeta>".encode()


@pytest.mark.parametrize("style", ["attribute", "element"])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_an_orientation_of_xmp_alone_is_said(tmp_path, large, png, suffix, style):
    for orientation, notes in ((6, ("orientation 6 of XMP alone ignored",)), (1, ())):
        if suffix == ".jpg":
            body = b"http://ns.adobe.com/xap/1.0/\0" + xmp(orientation, style)
            data = jpeg(large, "baseline")
            data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
        else:
            data = png(large, 2, 8, iTXt=b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(orientation, style))
        (tmp_path / f"a{suffix}").write_bytes(data)
        photo = read(tmp_path / f"a{suffix}")
        assert (photo.size_hw, photo.notes) == ((240, 320), notes)
