"""Strips and tiles of a TIFF, decompressed within the size that the header states.

imagecodecs decodes into a buffer of stated size, so what a few bytes inflate to beyond it is never made.
"""

from __future__ import annotations

import io
import logging
import struct
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from realdeg.io.header import Broken, Unsupported, damaged_inside
from realdeg.io.jpeg import decode_stream, jpeg_header
from realdeg.io.tiff_directory import STRIP_BYTES, STRIPS
from realdeg.io.tiff_picture import (
    BITS,
    BYTEWISE,
    CMYK,
    COMPRESSION,
    FAX,
    FAX_OPTIONS,
    FILL_ORDER,
    GREY,
    HEIGHT,
    JPEG,
    PHOTOMETRIC,
    PLAIN,
    RGB,
    ROWS_PER_STRIP,
    SAMPLES,
    WEBP,
    WIDTH,
    YCBCR,
    Picture,
)

Array = np.ndarray[Any, Any]
FULL = ("INSUFFICIENT_SPACE", "OUTPUT_TOO_SMALL", "Destination buffer is too small")
"""What libdeflate, imagecodecs and zstd say where the buffer does not suffice; the others stop silently."""
HEADROOM = 1 << 16
"""Bytes of a strip beyond twice its pixels: tables of JPEG, blocks that do not compress."""
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
"""Start of the marker that tells libjpeg which colour model it decodes; one byte follows."""


def room_for(picture: Picture) -> bytearray:
    """Room for a decompressed strip or tile, and a little more, so that more is seen."""
    compressed = picture.compression in BYTEWISE.keys() - {PLAIN}
    return bytearray(picture.bytes_of(picture.segment_hw[0]) + 1 if compressed else 0)


def longest(picture: Picture) -> int:
    """Most bytes that a strip or tile of this picture may have in the file."""
    whole = picture.bytes_of(picture.segment_hw[0])
    return whole if picture.compression == PLAIN else 2 * whole + HEADROOM


def decompressed(picture: Picture, data: bytes, rows: int, tables: bytes, room: bytearray) -> Array:
    """Samples of the first `rows` rows of one strip or tile.

    Args:
        picture: what the header states.
        data: as it lies in the file.
        rows: those that the picture needs of it.
        tables: JPEG's, shared by all strips; empty where there are none.
        room: of `room_for` bytes, for one strip or tile after the other; the result may lie in it.

    Returns:
        (rows, W, C) uint8 or uint16 sample values; (bytes,) uint8 where the colour model is YCbCr in bytes.

    Raises:
        Broken: fewer or more bytes than the header asks for, or the decoder complains.
    """
    if picture.compression == JPEG:
        return _jpeg(picture, data, rows, tables)
    if picture.compression in FAX:
        return _fax(picture, data, rows)
    import imagecodecs

    if picture.reversed_bits:
        data = bytes(imagecodecs.bitorder_decode(data))
    if picture.compression == WEBP:
        return _webp(picture, data, rows)
    stored = _inflated(picture.compression, data, room)
    needed = picture.bytes_of(rows)
    if len(stored) < needed:
        raise damaged_inside(f"a strip or tile ends after {len(stored)} of {needed} bytes")
    samples = _unpacked(picture, stored, needed)
    if picture.colour == YCBCR:
        return samples
    samples = samples.reshape(rows, picture.segment_hw[1], picture.channels_in_segment)
    if picture.predictor == 2:
        imagecodecs.delta_decode(samples, axis=-2, out=samples)
    return samples


def _inflated(compression: int, data: bytes, room: bytearray) -> bytes | memoryview:
    """Decompressed bytes, no more than there is room for."""
    if compression == PLAIN:
        return data
    bound = len(room) - 1
    too_much = damaged_inside(f"a strip or tile holds more than the {bound} bytes that the header states")
    decode = _decoders()[compression]
    try:
        inflated = memoryview(decode(data, out=memoryview(room)))
    except (RuntimeError, ValueError) as error:
        if any(words in str(error) for words in FULL):
            raise too_much from None
        raise damaged_inside(str(error)) from None
    if len(inflated) > bound:
        raise too_much
    return inflated


def _decoders() -> dict[int, Callable[..., bytes | bytearray]]:
    import imagecodecs

    return {
        5: imagecodecs.lzw_decode,
        8: imagecodecs.deflate_decode,
        32946: imagecodecs.deflate_decode,
        32773: imagecodecs.packbits_decode,
        34925: imagecodecs.lzma_decode,
        50000: imagecodecs.zstd_decode,
    }


def _unpacked(picture: Picture, stored: bytes | memoryview, needed: int) -> Array:
    """(samples,) numbers of the first `needed` bytes, in this machine's byte order."""
    import imagecodecs

    if picture.bits == 8:
        return np.frombuffer(stored, np.uint8, needed)
    if picture.bits == 16:
        samples = np.frombuffer(stored, picture.order + "u2", needed // 2)
        return samples.astype(np.uint16, copy=False)
    kind = np.uint8 if picture.bits < 8 else np.uint16
    a_row = picture.segment_hw[1] * picture.channels_in_segment
    try:
        return imagecodecs.packints_decode(bytes(stored[:needed]), kind, picture.bits, runlen=a_row)
    except (RuntimeError, ValueError):
        raise damaged_inside(f"samples of {picture.bits} bits do not fill their rows") from None


def _fax(picture: Picture, data: bytes, rows: int) -> Array:
    """Single bits by libtiff, in a TIFF made around them: imagecodecs' own decoders pass over bad codes."""
    import imagecodecs

    height = picture.segment_hw[0] if picture.tiled else rows
    tags = [
        *((WIDTH, picture.segment_hw[1]), (HEIGHT, height), (BITS, 1), (COMPRESSION, picture.compression)),
        *((PHOTOMETRIC, GREY), (FILL_ORDER, 1 + picture.reversed_bits), (STRIPS, 0), (SAMPLES, 1)),
        *((ROWS_PER_STRIP, height), (STRIP_BYTES, len(data)), (FAX_OPTIONS, picture.fax_options)),
    ]
    start = 8 + 2 + 12 * len(tags) + 4
    table = [(tag, 4, 1, start if tag == STRIPS else value) for tag, value in sorted(tags)]
    around = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    around += b"".join(struct.pack("<HHII", *entry) for entry in table) + bytes(4)
    log, complaints = logging.getLogger("imagecodecs"), _Complaints()
    log.addFilter(complaints)
    try:
        samples = imagecodecs.tiff_decode(around + data, verbose=2)
    except (RuntimeError, ValueError):
        raise damaged_inside("libtiff cannot decode a strip of fax") from None
    finally:
        log.removeFilter(complaints)
    if complaints.lines:
        raise damaged_inside(complaints.lines[0])
    return samples.reshape(height, picture.segment_hw[1], 1)[:rows].view(np.uint8)


class _Complaints(logging.Filter):
    """Takes what this thread logs, so that it is judged here and goes nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()
        self.lines: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self.thread:
            return True
        self.lines.append(record.getMessage())
        return False


def _webp(picture: Picture, data: bytes, rows: int) -> Array:
    import imagecodecs

    height = picture.segment_hw[0] if picture.tiled else rows
    samples = np.empty((height, picture.segment_hw[1], picture.samples), np.uint8)
    try:
        imagecodecs.webp_decode(data, hasalpha=picture.samples == 4, out=samples)
    except (RuntimeError, ValueError) as error:
        raise damaged_inside(str(error)) from None
    return samples[:rows]


def _jpeg(picture: Picture, data: bytes, rows: int, tables: bytes) -> Array:
    """A JPEG of one strip or tile; libjpeg is told which colour model it decodes, as TIFF states it."""
    model, name, transform = _jpeg_model(picture)
    if data[:2] != b"\xff\xd8":
        raise damaged_inside("a strip or tile is no JPEG")
    shared = tables[2:-2] if tables[:2] == b"\xff\xd8" and tables[-2:] == b"\xff\xd9" else b""
    whole = data[:2] + ADOBE + bytes([transform]) + shared + data[2:]
    try:
        inside = jpeg_header(io.BytesIO(whole))
    except Unsupported as error:
        raise Unsupported(f"is a TIFF of strips or tiles each of which {error}") from None
    height, width = inside.height, inside.width
    if inside.channels != picture.channels_in_segment:
        raise damaged_inside(f"a strip or tile is a JPEG of {inside.channels} channels")
    if not rows <= height <= picture.segment_hw[0] or width != picture.segment_hw[1]:
        raise damaged_inside(f"a strip or tile is a JPEG of {width} x {height} pixels")
    if (found := _stated_inside(whole)) not in (name, ""):
        raise Unsupported(f"is a TIFF that says {name} of a JPEG that says {found}, which is not read")
    return decode_stream(whole, height, width, model)[:rows]


def _stated_inside(whole: bytes) -> str:
    """Colour model that libjpeg gathers from markers: JFIF's, or the last of Adobe's; "" where unknown."""
    import simplejpeg

    try:
        found: str = simplejpeg.decode_jpeg_header(whole, strict=False)[2]
    except ValueError:
        return ""
    return found


def _jpeg_model(picture: Picture) -> tuple[str, str, int]:
    """What to decode to, what the JPEG is to be taken for, and Adobe's number for that."""
    if picture.channels_in_segment == 1:
        return "L", "Gray", 0
    if picture.colour == YCBCR:
        return "RGB", "YCbCr", 1
    if picture.colour == RGB:
        return "RGB", "RGB", 0
    if picture.colour == CMYK:
        return "CMYK", "CMYK", 0
    raise Broken("states channels that a JPEG cannot have")
