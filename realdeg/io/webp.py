"""WebP: a RIFF container around one of two codecs, and pixels of which the last byte was needed.

libwebp decodes what it is given to the last pixel and never asks whether the data ended there: of 300 files
with bytes changed in their pixels it believed all (lossy) or 232 (lossless). But it does refuse data that
end too early. So a picture is decoded again without its last bytes: where that succeeds, the decoder had
lost its way and was through before its time.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.io.exif import read_facts
from realdeg.io.header import ENDED, Broken, Header, damaged_inside, exactly

Array = np.ndarray[Any, Any]
Chunk = tuple[bytes, int, int]  # name, where its body begins, length of that
CODINGS = (b"VP8 ", b"VP8L")
CUTS = (12, 16)
"""Bytes left out at the end; both cuts must go unnoticed. Of 700 intact pictures one was complete without its
last 9 bytes and none with fewer: what the decoder makes up for missing bytes may decode to less."""
SMALL = 64  # bytes of a coded picture that is too short for that


def webp_header(file: IO[bytes]) -> Header:
    """Header of a WebP; all chunks are walked, since EXIF stands behind the pixels."""
    file.seek(4)
    end = 8 + struct.unpack("<I", exactly(file, 4))[0]
    if file.seek(0, 2) < end:
        raise Broken(f"is cut short ({file.tell()} of {end} bytes)")
    size: tuple[int, int] | None = None
    alpha, kept, notes = False, {}, []
    for name, start, length in _chunks(file, 12, end):
        if name == b"VP8X":
            body = exactly(file, 10)
            alpha = bool(body[0] & 0x10)
            size = (_number(body[7:10]), _number(body[4:7]))
            notes += ["first picture of an animation"] if body[0] & 2 else []
        elif name in CODINGS and size is None:
            size, alpha = _coded_size(file, (name, start, length))
        elif name in (b"EXIF", b"ICCP"):
            kept[name] = exactly(file, length)
    if size is None:
        raise Broken(ENDED)
    facts = read_facts(kept.get(b"EXIF", b""))
    channels = 4 if alpha or notes else 3
    return Header("WebP", *size, 8, channels, facts, kept.get(b"ICCP"), notes=tuple(notes))


def decode_webp(path: Path, header: Header) -> tuple[Array, str]:
    """Pixels of a WebP, of an animation the first picture: (H, W, 3 or 4) uint8, and "RGB" or "RGBA".

    Raises:
        Broken: damaged, or of another size than its header says.
    """
    data = path.read_bytes()
    file = io.BytesIO(data)
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    chunks = list(_chunks(file, 12, end))
    first = next((chunk for chunk in chunks if chunk[0] == b"ANMF"), None)
    left, top, size_hw = 0, 0, (header.height, header.width)
    if first is not None:
        left, top, width, height = (_number(data[at : at + 3]) for at in range(first[1], first[1] + 12, 3))
        left, top, size_hw = 2 * (left - 1), 2 * (top - 1), (height, width)
        chunks = list(_chunks(file, first[1] + 16, first[1] + first[2]))
    coded = _picture(file, chunks, size_hw)
    parts = [(name, data[at : at + length]) for name, at, length in coded]
    pixels = _decoded(parts, size_hw)
    if pixels is None:
        raise damaged_inside("libwebp cannot decode its pixels")
    if any(_needless_end(parts, index, size_hw) for index in range(len(parts))):
        raise damaged_inside("its pixels are complete before its data end")
    if size_hw != (header.height, header.width):
        pixels = _on_canvas(pixels, top, left, (header.height, header.width))
    return pixels, "RGB" if pixels.shape[2] == 3 else "RGBA"


def _chunks(file: IO[bytes], at: int, end: int) -> Iterator[Chunk]:
    """Chunks in a row; the file stands at the body of each."""
    while at + 8 <= end:
        file.seek(at)
        name, length = struct.unpack("<4sI", exactly(file, 8))
        if at + 8 + length > end:
            raise Broken(ENDED)
        yield name, at + 8, length
        at += 8 + length + length % 2


def _number(three: bytes) -> int:
    return 1 + int.from_bytes(three, "little")


def _coded_size(file: IO[bytes], chunk: Chunk) -> tuple[tuple[int, int], bool]:
    """Height and width that a codec's header states, px, and whether it has transparency of its own."""
    name, start, _ = chunk
    file.seek(start)
    if name == b"VP8 ":
        width, height = struct.unpack("<HH", exactly(file, 10)[6:])
        return (height & 0x3FFF, width & 0x3FFF), False
    bits = int.from_bytes(exactly(file, 5)[1:], "little")
    return (1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)), bool(bits >> 28 & 1)


def _picture(file: IO[bytes], chunks: list[Chunk], size_hw: tuple[int, int]) -> list[Chunk]:
    """The chunks of one picture: its transparency, where that lies apart, and its colours."""
    colours = [chunk for chunk in chunks if chunk[0] in CODINGS]
    if len(colours) != 1:
        raise Broken(ENDED)
    if _coded_size(file, colours[0])[0] != size_hw:
        raise Broken("decodes to another size than its header says")
    opacity = [chunk for chunk in chunks if chunk[0] == b"ALPH" and colours[0][0] == b"VP8 "]
    return opacity[:1] + colours


def _decoded(parts: list[tuple[bytes, bytes]], size_hw: tuple[int, int]) -> Array | None:
    """Pixels of a file of these chunks alone; None where libwebp refuses them."""
    from imagecodecs import WebpError, webp_decode

    if len(parts) > 1:
        height, width = ((side - 1).to_bytes(3, "little") for side in size_hw)
        parts = [(b"VP8X", b"\x10\0\0\0" + width + height), *parts]
    body = b"".join(name + struct.pack("<I", len(part)) + part + bytes(len(part) % 2) for name, part in parts)
    try:
        pixels: Array = webp_decode(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body)
    except WebpError:
        return None
    return pixels


def _needless_end(parts: list[tuple[bytes, bytes]], index: int, size_hw: tuple[int, int]) -> bool:
    """Whether a chunk's last bytes are of no use to the decoder."""
    name, body = parts[index]
    if len(body) < SMALL or (name == b"ALPH" and not body[0] & 3):
        return False
    shorter = ([*parts[:index], (name, body[:-cut]), *parts[index + 1 :]] for cut in CUTS)
    return all(_decoded(one, size_hw) is not None for one in shorter)


def _on_canvas(pixels: Array, top: int, left: int, size_hw: tuple[int, int]) -> Array:
    """A picture of an animation in its place; the rest is transparent, as browsers and libwebp have it."""
    height, width = pixels.shape[:2]
    if top + height > size_hw[0] or left + width > size_hw[1]:
        raise Broken("has a picture that reaches beyond its canvas")
    canvas = np.zeros((*size_hw, 4), np.uint8)
    part = canvas[top : top + height, left : left + width]
    part[..., :3], part[..., 3] = pixels[..., :3], 255
    if pixels.shape[2] == 4:
        part[..., 3] = pixels[..., 3]
    return canvas
