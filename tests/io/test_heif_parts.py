"""Where HEIF states colours and sizes, and damage that libheif does not see.

Truth: patches whose sRGB values were computed when the file was made; libheif's own report of a profile;
ffmpeg's reading of the same HEVC header; the size and pixels that were written.
"""

from __future__ import annotations

import io
import random
import struct
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from realdeg.errors import UserError
from realdeg.io.av1 import av1_headers
from realdeg.io.boxes import Stretch, item_bytes, read_items
from realdeg.io.hevc import hevc_headers, sequence_header
from realdeg.io.photo import read, read_size

pillow_heif = pytest.importorskip("pillow_heif", reason="the extra `heif` is not installed")
ODD = Path(__file__).resolve().parents[1] / "data/odd_files"


def heif(pixels: np.ndarray, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": -1, "chroma": 444, **options}
    pillow_heif.encode(mode, pixels.shape[1::-1], np.ascontiguousarray(pixels).tobytes(), buffer, **options)
    return buffer.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def renamed(data: bytes, old: bytes, new: bytes) -> bytes:
    """The same file with one box or property under another name."""
    assert data.count(old) == 1
    return data.replace(old, new)


def on_tiles(data: bytes) -> bytes:
    """A grid file whose `colr` belongs to its tiles instead of to the grid."""
    items = read_items(io.BytesIO(data))
    grid, tiles = items.primary, items.references[(items.primary, b"dimg")]
    shelf, at = [], data.index(b"ipco") + 4
    while len(shelf) < 20 and data[at + 4 : at + 8] != b"ipma":
        size = struct.unpack_from(">I", data, at)[0]
        shelf.append(data[at + 4 : at + 8])
        at += size
    colour = 1 + shelf.index(b"colr")
    start = data.index(b"ipma") - 4
    length, _, flags, count = struct.unpack_from(">I4sII", data, start)
    assert flags == 0
    entries, at = {}, start + 16
    for _ in range(count):
        item, kept = struct.unpack_from(">HB", data, at)
        entries[item] = list(data[at + 3 : at + 3 + kept])
        at += 3 + kept
    entries[grid] = [entry for entry in entries[grid] if entry & 0x7F != colour]
    for tile in tiles:
        entries[tile] = [entry for entry in entries[tile] if entry & 0x7F != colour] + [colour]
    body = b"".join(struct.pack(">HB", item, len(kept)) + bytes(kept) for item, kept in entries.items())
    return resized(data, start, struct.pack(">I4sII", 16 + len(body), b"ipma", 0, count) + body, length)


def resized(data: bytes, start: int, box: bytes, length: int) -> bytes:
    """A box inside `iprp` replaced; the boxes around it and the offsets into `mdat` follow."""
    more = len(box) - length
    out = bytearray(data[:start] + box + data[start + length :])
    for name in (b"meta", b"iprp"):
        at = data.index(name) - 4
        struct.pack_into(">I", out, at, struct.unpack_from(">I", data, at)[0] + more)
    at = data.index(b"iloc") + 4
    version, sizes = data[at], struct.unpack_from(">H", data, at + 4)[0]
    assert (version, sizes) == (1, 0x4440)
    at += 8
    for _ in range(struct.unpack_from(">H", data, at - 2)[0]):
        _, method, _, base, parts = struct.unpack_from(">HHHIH", data, at)
        if method == 0:
            struct.pack_into(">I", out, at + 6, base + more)
        at += 12 + 8 * parts
    return bytes(out)


# Colour where it really is.


def test_the_profile_on_the_tiles_of_an_iphone():
    """Patches as the maker of the file computed them; libheif names the same profile."""
    photo = read(ODD / "iphone_grid_p3_on_tiles.heic")
    patches = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (213, 115, 0), (128, 128, 128), (0, 163, 82)]
    assert_array_equal(photo.pixels[64, 16::32], patches)
    profile = pillow_heif.open_heif(ODD / "iphone_grid_p3_on_tiles.heic").info["icc_profile"]
    assert "Display P3".encode("utf-16-be") in profile or b"Display P3" in profile
    assert (photo.profile, photo.notes) == ("Display P3", ())


@pytest.mark.parametrize("depth", [8, 10])
def test_code_points_on_the_tiles(tmp_path, picture, depth):
    """The same colours as with `colr` where it belongs, by conversion of pixels that are equal."""
    large = np.tile(picture, (3, 3, 1))
    mode = "RGB"
    if depth == 10:
        large, mode = large.astype(np.uint16) << 8, "RGB;16"
    data = heif(large, mode, tile_size=64, color_primaries=12, transfer_characteristics=13)
    moved = on_tiles(data)
    assert (moved != data, pillow_heif.open_heif(moved).info["nclx_profile"]["color_primaries"]) == (True, 12)
    photo = read(put(tmp_path / "tiles.heic", moved))
    assert photo.profile == "Display P3"
    assert_array_equal(photo.pixels, read(put(tmp_path / "grid.heic", data)).pixels)


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_on_the_tiles_is_refused(tmp_path, picture, transfer):
    large = np.tile(picture, (3, 3, 1))
    data = on_tiles(heif(large, tile_size=64, color_primaries=9, transfer_characteristics=transfer))
    with pytest.raises(UserError, match=r"a\.hif: is coded for HDR displays"):
        read(put(tmp_path / "a.hif", data))


@pytest.mark.parametrize(("primaries", "name"), [(12, "Display P3"), (9, "BT.2020"), (1, "sRGB")])
@pytest.mark.parametrize("tile", [0, 64])
def test_colours_in_the_codec_s_header_alone(tmp_path, picture, primaries, name, tile):
    """As if the container had said the same."""
    large = np.tile(picture, (3, 3, 1))
    options = {"tile_size": tile} if tile else {}
    data = heif(large, color_primaries=primaries, transfer_characteristics=13, **options)
    photo = read(put(tmp_path / "a.heic", renamed(data, b"colrnclx", b"freenclx")))
    assert photo.profile == name
    assert photo.notes == (() if primaries == 1 else ("colours as its codec states them",))
    assert_array_equal(photo.pixels, read(put(tmp_path / "b.heic", data)).pixels)


def test_the_container_supersedes_the_codec(tmp_path, picture):
    data = heif(picture, color_primaries=12, transfer_characteristics=13)
    at = data.index(b"colrnclx") + 8
    for points, name in (((1, 13), "sRGB"), ((2, 2), "Display P3")):  # 2/2: not stated
        changed = data[:at] + struct.pack(">HH", *points) + data[at + 4 :]
        assert read(put(tmp_path / "a.heic", changed)).profile == name


def test_hdr_in_the_codec_s_header_alone_is_refused(tmp_path, picture):
    data = heif(picture, color_primaries=9, transfer_characteristics=16)
    put(tmp_path / "a.hif", renamed(data, b"colrnclx", b"freenclx"))
    with pytest.raises(UserError, match=r"a\.hif: is coded for HDR displays \(PQ\)"):
        read_size(tmp_path / "a.hif")


def test_tiles_that_disagree_are_refused(tmp_path, picture):
    """One tile's sequence header says BT.2020; all others, Display P3."""
    first, second = (
        heif(
            np.tile(picture, (3, 3, 1)), tile_size=64, color_primaries=primaries, transfer_characteristics=13
        )
        for primaries in (12, 9)
    )
    first = renamed(first, b"colrnclx", b"freenclx")
    items = read_items(io.BytesIO(first))
    codes = {name: body for name, body in items.properties[items.references[(items.primary, b"dimg")][0]]}
    assert codes[b"hvcC"] in first
    other = dict(_first_tile(second))[b"hvcC"]
    start = first.index(codes[b"hvcC"]) - 8
    shelf = first[start : start + 8] + codes[b"hvcC"]
    assert len(other) == len(codes[b"hvcC"])
    put(tmp_path / "a.heic", first.replace(shelf, shelf[:8] + other))
    assert read(tmp_path / "a.heic").profile == "BT.2020"  # all tiles share one box
    tile = items.references[(items.primary, b"dimg")][-1]
    data = on_tiles(heif(np.tile(picture, (3, 3, 1)), tile_size=64, color_primaries=12))
    at = data.index(b"ipma") + 12
    entry = data.index(struct.pack(">H", tile), at)
    changed = bytearray(data)
    changed[entry + 2 + data[entry + 2]] = 0  # the last property, `colr`, is none
    put(tmp_path / "b.heic", bytes(changed))
    with pytest.raises(UserError, match="states different colours for its tiles, which is not read"):
        read(tmp_path / "b.heic")


def _first_tile(data: bytes) -> list[tuple[bytes, bytes]]:
    items = read_items(io.BytesIO(data))
    return items.properties[items.references[(items.primary, b"dimg")][0]]


# Headers of codecs.


@pytest.mark.parametrize("mode", ["RGB", "L", "RGB;16"])
@pytest.mark.parametrize("chroma", [420, 422, 444])
def test_hevc_headers_say_what_was_written(picture, mode, chroma):
    pixels = picture[..., 1] if mode == "L" else picture
    pixels = pixels.astype(np.uint16) << 8 if mode.endswith("16") else pixels
    data = heif(pixels, mode, chroma=chroma, color_primaries=9, transfer_characteristics=14)
    items = read_items(io.BytesIO(data))
    setup = items.first(items.primary, b"hvcC") or b""
    (found,) = hevc_headers(setup, Stretch(io.BytesIO(data), items.extents[items.primary]))
    assert found.depth == (10 if mode.endswith("16") else 8)
    assert found.grey == (mode == "L")
    assert (found.primaries, found.transfer) == ((2, 2) if mode == "L" else (9, 14))  # as libheif writes it
    assert (found.height, found.width) == (64, 64)  # of which 31 x 46 are shown


def test_hevc_colours_as_ffmpeg_reads_them(picture):
    av = pytest.importorskip("av")
    data = heif(picture, color_primaries=12, transfer_characteristics=13, matrix_coefficients=1)
    items = read_items(io.BytesIO(data))
    setup = items.first(items.primary, b"hvcC") or b""
    decoder = av.CodecContext.create("hevc", "r")
    decoder.extradata = setup
    body = item_bytes(io.BytesIO(data), items, items.primary)
    frame = (decoder.decode(av.Packet(body)) + decoder.decode(None))[0]
    (found,) = hevc_headers(setup, Stretch(io.BytesIO(data), []))
    assert (found.height, found.width) == (frame.height, frame.width)
    assert (found.primaries, found.transfer) == (int(frame.color_primaries), int(frame.color_trc)) == (12, 13)


def test_av1_headers_say_what_was_written(picture):
    for depth in (8, 10, 12):
        samples = picture if depth == 8 else picture.astype(np.uint16) << (depth - 8)
        flags = [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_SPEED, 9]
        data = cv2.imencode(".avif", samples, flags)[1].tobytes()
        items = read_items(io.BytesIO(data))
        (found,) = av1_headers(Stretch(io.BytesIO(data), items.extents[items.primary]))
        assert (found.height, found.width, found.depth, found.grey) == (31, 46, depth, False)


def test_damaged_sequence_headers_are_errors_or_numbers(picture):
    """Whatever 2,000 damaged headers hold, they end soon."""
    data = heif(picture)
    items = read_items(io.BytesIO(data))
    setup = items.first(items.primary, b"hvcC") or b""
    unit = setup[setup.index(b"\x42\x01") :]
    rng, start = random.Random(4), time.perf_counter()
    results = set()
    for _ in range(2000):
        changed = bytearray(unit[: rng.randrange(3, 60)])
        changed[rng.randrange(2, len(changed))] = rng.randrange(256)
        try:
            found = sequence_header(bytes(changed))
        except Exception as error:
            assert type(error).__name__ == "Broken"  # noqa: PT017
            results.add("broken")
        else:
            assert found.height > 0
            results.add(found.width)
    assert len(results) > 3
    assert time.perf_counter() - start < 5


# Sizes that lie.


def test_a_small_stated_size_of_a_large_coded_picture(tmp_path):
    """Refused before anything is decoded: the decoder would allocate what the codec's header says."""
    data = heif(np.zeros((1024, 1024, 3), np.uint8))
    at = data.index(b"ispe") + 8
    put(tmp_path / "a.heic", data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :])
    with pytest.raises(UserError, match="states 64 x 64 px for a picture that is coded as 1024 x 1024; "):
        read_size(tmp_path / "a.heic")


@pytest.mark.parametrize("shape", [(1, 2), (8, 8)])
def test_a_grid_of_other_rows_and_columns(tmp_path, picture, shape):
    data = heif(np.tile(picture, (3, 3, 1)), tile_size=64)
    items = read_items(io.BytesIO(data))
    at = items.extents[items.primary][0][0]
    assert data[at : at + 4] == bytes((0, 0, 1, 2))
    changed = data[: at + 2] + bytes(side - 1 for side in shape) + data[at + 4 :]
    with pytest.raises(UserError, match="has tiles that do not make up its size; "):
        read_size(put(tmp_path / "a.heic", changed))


def test_a_file_that_claims_many_items_is_quick(tmp_path, picture):
    data = heif(picture)
    for name, at in ((b"iinf", 8), (b"iloc", 10)):
        place = data.index(name) + at
        changed = data[:place] + b"\xff\xff" + data[place + 2 :]
        start = time.perf_counter()
        with pytest.raises(UserError, match=r"a\.heic: "):
            read_size(put(tmp_path / "a.heic", changed[:1500]))
        assert time.perf_counter() - start < 1


def test_an_item_listed_over_and_over_is_refused(tmp_path, picture):
    """Each part is within the file; all together they would fill the memory."""
    many = 40_000
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    parts = struct.pack(">II", 0, 300_000) * many
    location = b"\0\0\0\0" + b"\x44\x00" + struct.pack(">HHHH", 1, 1, 0, many) + parts
    boxes = struct.pack(">I4s", 8 + len(location), b"iloc") + location
    meta = struct.pack(">I4sI", 12 + len(boxes), b"meta", 0) + boxes
    put(tmp_path / "a.heic", head + meta)
    with pytest.raises(UserError, match="lists more bytes of a picture than it has; "):
        read_size(tmp_path / "a.heic")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (b"unci", r"uncompressed samples \('unci'\)"),
        (b"vvc1", r"VVC \('vvc1'\)"),
        (b"iovl", r"an overlay of pictures \('iovl'\)"),
        (b"xyz\xff", r"a picture of kind 'xyz\\xff'"),
    ],
)
def test_kinds_that_are_not_read_are_named(tmp_path, picture, kind, words):
    put(tmp_path / "a.heif", heif(picture).replace(b"hvc1", kind))
    with pytest.raises(UserError, match=rf"a\.heif: holds {words}, which is not read; convert it"):
        read_size(tmp_path / "a.heif")


def test_moving_pictures_without_a_still_one(tmp_path):
    put(tmp_path / "a.heics", b"\0\0\0\x18ftyphevc\0\0\0\0msf1hevc" + b"\0\0\0\x10moov" + bytes(8))
    with pytest.raises(UserError, match="holds moving pictures only, which are not read; convert it"):
        read_size(tmp_path / "a.heics")


# Damage that libheif does not see.


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(256, 384, 3): texture down to the last corner."""
    rng = np.random.default_rng(2)
    coarse = cv2.resize(rng.integers(0, 256, (32, 48, 3)).astype(np.uint8), (384, 256))
    return np.clip(coarse + rng.normal(0, 10, coarse.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("erased", [b"\0", b"\0\0\1", b"\0\0\3\x99"])
def test_bytes_that_no_coded_picture_holds(tmp_path, scene, erased):
    """A sector that a disk lost, on a smooth picture, where the end of the data tells nothing."""
    smooth = cv2.GaussianBlur(scene, (0, 0), 6)
    data = heif(smooth, quality=95)
    items = read_items(io.BytesIO(data))
    at, length = items.extents[items.primary][0]
    start = at + length // 2
    lost = (erased * 64)[:64]
    put(tmp_path / "a.heic", data)
    assert read(tmp_path / "a.heic").size_hw == scene.shape[:2]
    put(tmp_path / "b.heic", data[:start] + lost + data[start + 64 :])
    with pytest.raises(
        UserError, match="is damaged inside: its coded picture holds bytes that none can hold"
    ):
        read(tmp_path / "b.heic")
