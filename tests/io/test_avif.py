"""AVIF. Truth: Pillow's pixels (libavif with dav1d, where we have libaom), and the bytes that were damaged."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.boxes import read_items
from realdeg.io.photo import read, read_size

ODD = Path(__file__).resolve().parents[1] / "data/odd_files"


def avif(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "AVIF", **{"quality": 90, "speed": 9, **options})
    return buffer.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def shown(data: bytes, background: str = "white") -> np.ndarray:
    """Pillow's idea of the first picture."""
    with Image.open(io.BytesIO(data)) as image:
        behind = Image.new("RGBA", image.size, background)
        return np.asarray(Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB"))


def exif_last(data: bytes) -> bytes:
    """The same file with a copy of the Exif item's bytes at the end, where its location points to."""
    items = read_items(io.BytesIO(data))
    item = next(item for item, kind in items.kinds.items() if kind == b"Exif")
    ((at, size),) = items.extents[item]
    old = struct.pack(">II", at, size)
    assert data.count(old) == 1
    body = data[at : at + size]
    tail = struct.pack(">I4s", 8 + 600 + size, b"mdat") + bytes(600) + body
    return data.replace(old, struct.pack(">II", len(data) + 608, size)) + tail


# Exif behind the pixels.


def test_exif_behind_the_pixels():
    photo = read(ODD / "exif_behind_pixels.avif")
    assert (photo.size_hw, photo.camera) == ((96, 128), "Maker Model")
    assert_array_equal(photo.pixels, shown((ODD / "exif_behind_pixels.avif").read_bytes()))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_exif_behind_the_pixels_of_others(tmp_path, picture, subsampling):
    block = Image.Exif()
    block[0x010F], block[0x0110] = "Maker", "Model"
    data = exif_last(avif(Image.fromarray(picture), exif=block, subsampling=subsampling))
    photo = read(put(tmp_path / "a.avif", data))
    assert photo.camera == "Maker Model"
    assert_array_equal(photo.pixels, shown(data))


# Channels, alpha, sequences, crops.


@pytest.mark.parametrize("premultiplied", [False, True])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_as_pillow_shows_it(tmp_path, picture, mode, premultiplied):
    opacity = np.tile(np.linspace(40, 255, picture.shape[1]).astype(np.uint8), (len(picture), 1))
    colours = [picture[..., 0]] if mode == "LA" else list(np.moveaxis(picture, 2, 0))
    image = Image.merge(mode, [Image.fromarray(np.ascontiguousarray(one)) for one in [*colours, opacity]])
    options = {"subsampling": "4:0:0"} if mode == "LA" else {}
    data = avif(image, alpha_premultiplied=premultiplied, **options)
    photo = read(put(tmp_path / "a.avif", data))
    assert np.abs(photo.pixels.astype(int) - shown(data)).max() <= (2 if premultiplied else 1)
    assert "alpha flattened on white" in photo.notes


def test_the_still_picture_of_a_sequence(tmp_path, picture):
    """Brand "avis": a track, whose first picture is the still one."""
    other = Image.fromarray(255 - picture)
    data = avif(Image.fromarray(picture), save_all=True, append_images=[other])
    assert data[8:12] == b"avis"
    photo = read(put(tmp_path / "a.avif", data))
    assert_array_equal(photo.pixels, shown(data))


def test_cropped_by_its_header(tmp_path, picture):
    """`clap` in place of another property that no pixel depends on; libavif leaves cropping to its callers."""
    data = avif(Image.fromarray(picture), subsampling="4:4:4")
    whole = read(put(tmp_path / "a.avif", data)).pixels
    at = data.index(b"colrnclx") - 4
    clap = struct.pack(">4siiiiiiii", b"clap", 40, 1, 20, 1, -1, 1, -3, 2)  # middle moved by (-1, -1.5)
    size = struct.unpack_from(">I", data, at)[0]
    grown = data[:at] + struct.pack(">I", 4 + len(clap)) + clap + data[at + size :]
    more = 4 + len(clap) - size
    changed = bytearray(grown)
    for name in (b"meta", b"iprp", b"ipco"):
        place = grown.index(name) - 4
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", grown, place)[0] + more)
    changed[_entry_of(data, b"colr") + more] |= 0x80  # essential, as what changes a picture must be
    items = read_items(io.BytesIO(data))
    ((offset, length),) = items.extents[items.primary]
    changed = bytes(changed).replace(
        struct.pack(">II", offset, length), struct.pack(">II", offset + more, length)
    )
    photo = read(put(tmp_path / "b.avif", changed))
    assert photo.size_hw == read_size(tmp_path / "b.avif") == (20, 40)
    assert_array_equal(photo.pixels, whole[4:24, 2:42])


@pytest.mark.parametrize("in_container", [True, False])
@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_of_narrow_range(tmp_path, picture, mode, in_container):
    """Black is 16 and white 235, as the container says or the codec alone."""
    bands = [Image.fromarray(np.ascontiguousarray(picture[..., 0]))]
    bands += [Image.fromarray(np.full(picture.shape[:2], 200, np.uint8))] * (mode == "LA")
    data = avif(Image.merge(mode, bands), subsampling="4:0:0", range="limited")
    if not in_container:
        data = data.replace(b"colrnclx", b"freenclx")
    photo = read(put(tmp_path / "a.avif", data))
    assert np.abs(photo.pixels.astype(int) - shown(data)).max() <= 1
    assert photo.pixels.min() < 16 or mode == "LA"


# Damage and lies.


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("grey", [False, True])
def test_garbage_that_dav1d_gives_without_a_word_is_refused(tmp_path, depth, grey):
    rng = np.random.default_rng(2)
    coarse = cv2.resize(rng.integers(0, 256, (24, 32, 3)).astype(np.uint8), (256, 192))
    samples = coarse if depth == 8 else coarse.astype(np.uint16) << 2
    if grey:
        data = avif(Image.fromarray(coarse[..., 1]), subsampling="4:0:0")
    else:
        flags = [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_SPEED, 9]
        data = cv2.imencode(".avif", samples, flags)[1].tobytes()
    assert read(put(tmp_path / "a.avif", data)).size_hw == (192, 256)
    at = data.index(b"mdat") + 100
    silent = 0
    for _ in range(20):
        changed = bytearray(data)
        changed[rng.integers(at, len(data))] ^= rng.integers(1, 256)
        put(tmp_path / "a.avif", bytes(changed))
        with Image.open(tmp_path / "a.avif") as image:
            try:
                image.load()
                silent += 1
            except (OSError, RuntimeError):
                pass
        with pytest.raises(
            UserError, match=r"a\.avif: is damaged inside: libavif with libaom cannot decode it; "
        ):
            read(tmp_path / "a.avif")
    assert silent > 10


def test_a_small_stated_size_of_a_large_coded_picture(tmp_path):
    data = avif(Image.fromarray(np.zeros((512, 512, 3), np.uint8)))
    at = data.index(b"ispe") + 8
    put(tmp_path / "a.avif", data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :])
    with pytest.raises(UserError, match="states 64 x 64 px for a picture that is coded as 512 x 512; "):
        read_size(tmp_path / "a.avif")


@pytest.mark.parametrize(("primaries", "name"), [(12, "Display P3"), (9, "BT.2020"), (1, "sRGB")])
def test_colours_in_the_codec_s_header_alone(tmp_path, picture, primaries, name):
    """The container's code points renamed away; libaom's encoder repeats them in the sequence header."""
    data = avif(Image.fromarray(picture))
    at = data.index(b"colrnclx")
    points = struct.unpack_from(">HHH", data, at + 8)
    old = _bits(*points)
    stream = data.index(b"mdat") + 4
    head = int.from_bytes(data[stream : stream + 24])
    place = next(shift for shift in range(24 * 8 - 24, -1, -1) if head >> shift & 0xFFFFFF == old)
    head += (_bits(primaries, 13, points[2]) - old) << place
    changed = data[:stream] + head.to_bytes(24) + data[stream + 24 :]
    changed = changed.replace(b"colrnclx", b"freenclx")
    photo = read(put(tmp_path / "a.avif", changed))
    assert (photo.profile, photo.notes) == (
        name,
        () if primaries == 1 else ("colours as its codec states them",),
    )


def _entry_of(data: bytes, name: bytes) -> int:
    """Where the first item of `ipma` names a property."""
    at, index = data.index(b"ipco") + 4, 1
    while data[at + 4 : at + 8] != name:
        at, index = at + struct.unpack_from(">I", data, at)[0], index + 1
    start = data.index(b"ipma") + 4 + 8 + 2 + 1
    return next(place for place in range(start, start + 20) if data[place] & 0x7F == index)


def _bits(primaries: int, transfer: int, matrix: int) -> int:
    return primaries << 16 | transfer << 8 | matrix


def test_damaged_files_give_one_line(tmp_path, picture, capfd):
    data = avif(Image.fromarray(picture), exif=Image.Exif())
    rng = random.Random(5)
    for _ in range(100):
        changed = bytearray(data)
        for _ in range(3):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        put(tmp_path / "a.avif", bytes(changed))
        try:
            read(tmp_path / "a.avif", max_pixels=1_000_000)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017
    assert capfd.readouterr() == ("", "")
