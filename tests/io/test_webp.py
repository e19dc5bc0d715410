"""WebP. Truth: Pillow's pixels (libwebp's animation decoder, another path), and the bytes that were damaged."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from realdeg.errors import UserError
from realdeg.io.photo import read, read_size


def webp(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", **options)
    return buffer.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(192, 256, 4) uint8: a ramp with noise, half of it half transparent."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:192, :256]
    colours = np.stack([x, y, (x + y) // 2], axis=-1) + rng.normal(0, 16, (192, 256, 3))
    opacity = np.where(x < 128, 255, 100)[..., None]
    return np.concatenate([colours, opacity], axis=2).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 30}, {"quality": 95, "method": 6}])
@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_are_pillow_s(tmp_path, scene, options, channels):
    data = webp(scene[..., :channels], **options)
    photo = read(put(tmp_path / "a.webp", data), alpha="black")
    with Image.open(io.BytesIO(data)) as image:
        black = Image.new("RGBA", image.size, "black")
        expected = np.asarray(Image.alpha_composite(black, image.convert("RGBA")).convert("RGB"))
    assert np.abs(photo.pixels.astype(int) - expected).max() <= (0 if channels == 3 else 1)
    assert photo.notes == (() if channels == 3 else ("alpha flattened on black",))


@pytest.mark.parametrize("lossless", [True, False])
def test_the_first_picture_of_an_animation(tmp_path, scene, lossless):
    frames = [Image.fromarray(scene), Image.fromarray(scene[::-1].copy())]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=lossless)
    photo = read(put(tmp_path / "a.webp", buffer.getvalue()), alpha="black")
    with Image.open(buffer) as image:
        black = Image.new("RGBA", image.size, "black")
        expected = np.asarray(Image.alpha_composite(black, image.convert("RGBA")).convert("RGB"))
    assert np.abs(photo.pixels.astype(int) - expected).max() <= 1
    assert photo.notes == ("first picture of an animation", "alpha flattened on black")


def test_a_picture_smaller_than_its_canvas_lies_in_its_place(tmp_path, scene):
    """Rows 10 on and columns 20 on of a canvas that is transparent elsewhere, as Pillow shows it."""
    coded = webp(scene[:40, :50, :3], lossless=True)[12:]
    place = b"".join(number.to_bytes(3, "little") for number in (10, 5, 49, 39, 100)) + b"\0"
    frame = struct.pack("<4sI", b"ANMF", 16 + len(coded)) + place + coded
    canvas = (127).to_bytes(3, "little") + (95).to_bytes(3, "little")
    head = b"VP8X" + struct.pack("<I", 10) + b"\x12\0\0\0" + canvas
    body = b"WEBP" + head + struct.pack("<4sIIH", b"ANIM", 6, 0, 0) + frame
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    photo = read(put(tmp_path / "a.webp", data))
    expected = np.full((96, 128, 3), 255, np.uint8)
    expected[10:50, 20:70] = scene[:40, :50, :3]
    assert_array_equal(photo.pixels, expected)
    with Image.open(io.BytesIO(data)) as image:
        assert_array_equal(np.asarray(image.convert("RGBA"))[10:50, 20:70, :3], scene[:40, :50, :3])
    wide = data.replace(place, b"\xff" + place[1:])
    with pytest.raises(UserError, match="has a picture that reaches beyond its canvas; "):
        read(put(tmp_path / "b.webp", wide))


def test_a_canvas_that_lies(tmp_path, scene):
    """The decoder goes by the picture's own header, which may be far larger than the canvas."""
    data = bytearray(webp(scene, lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"))
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (15).to_bytes(3, "little") * 2
    put(tmp_path / "a.webp", bytes(data))
    assert read_size(tmp_path / "a.webp") == (16, 16)
    with pytest.raises(UserError, match="decodes to another size than its header says; "):
        read(tmp_path / "a.webp")


@pytest.mark.parametrize("options", [{"quality": 30}, {"quality": 90}, {"quality": 90, "method": 6}])
@pytest.mark.parametrize("channels", [3, 4])
def test_garbage_that_libwebp_gives_without_a_word_is_refused(tmp_path, scene, options, channels):
    """Bytes are changed in the middle of the colours; libwebp decodes nearly all such files."""
    data = webp(scene[..., :channels], **options)
    assert read(put(tmp_path / "a.webp", data)).size_hw == (192, 256)
    at = data.index(b"VP8 ") + 8
    rng = random.Random(3)
    refused = 0
    for _ in range(40):
        changed = bytearray(data)
        changed[rng.randrange(at + 30, at + (len(data) - at) // 2)] ^= rng.randrange(1, 256)
        put(tmp_path / "a.webp", bytes(changed))
        try:
            read(tmp_path / "a.webp")
        except UserError as error:
            assert "a.webp: is damaged inside: " in str(error)  # noqa: PT017
            refused += 1
    assert refused >= 37  # where a decoder ends is chance: near the right end in 3 of 100


def test_a_cut_inside_the_last_chunk_is_seen(tmp_path, scene):
    """The lengths of the file and of the chunk put right, as recovery tools do."""
    for options in ({"quality": 80}, {"lossless": True}):
        data = webp(scene[..., :3], **options)
        kept = data[20 : len(data) * 2 // 3]
        kept += bytes(len(kept) % 2)
        body = b"WEBP" + data[12:16] + struct.pack("<I", len(kept)) + kept
        put(tmp_path / "a.webp", b"RIFF" + struct.pack("<I", len(body)) + body)
        with pytest.raises(UserError, match="is damaged inside: libwebp cannot decode its pixels; "):
            read(tmp_path / "a.webp")


def test_small_and_flat_pictures_are_whole(tmp_path):
    """What takes few bytes must not look like damage; noise of any size neither."""
    rng = np.random.default_rng(1)
    for h, w in ((1, 1), (2, 300), (17, 16), (64, 64), (200, 3)):
        for pixels in (np.full((h, w, 3), 77, np.uint8), rng.integers(0, 256, (h, w, 3)).astype(np.uint8)):
            for options in ({"lossless": True}, {"quality": 5}, {"quality": 100}):
                photo = read(put(tmp_path / "a.webp", webp(pixels, **options)))
                assert photo.size_hw == (h, w)
                if options == {"lossless": True}:
                    assert_array_equal(photo.pixels, pixels)
