"""BMP: size, length, colours; bit fields are unpacked here, Pillow does the rest.

Microsoft's BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER; OS/2's first header.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.io.header import ENDED, MAX_ICC_BYTES, Broken, Header, Unsupported, damaged_inside, exactly

Array = np.ndarray[Any, Any]
PLAIN, RLE8, RLE4, BIT_FIELDS, ALPHA_FIELDS = 0, 1, 2, 3, 6
PACKINGS = {4: "JPEG", 5: "PNG", 11: "CMYK", 12: "CMYK with run lengths", 13: "CMYK with run lengths"}
"""Packings that are not read, by their number (MS-WMF, 2.1.1.7)."""
DEPTHS = {PLAIN: (1, 4, 8, 16, 24, 32), RLE8: (8,), RLE4: (4,), BIT_FIELDS: (16, 32), ALPHA_FIELDS: (16, 32)}


@dataclass(frozen=True)
class _Layout:
    """How rows of pixels lie in the file."""

    at: int
    width: int
    height: int  # negative = from the top down
    bits: int
    masks: tuple[int, ...]  # red, green, blue, and opacity where there is one; () = not bit fields

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, padded to 4."""
        return (self.width * self.bits + 31) // 32 * 4


def bmp_header(file: IO[bytes]) -> Header:
    """Header of a BMP."""
    layout, packing = _layout(file)
    if packing in (PLAIN, BIT_FIELDS, ALPHA_FIELDS):  # some writers leave the file's size field 0
        needed = layout.at + layout.row_bytes * abs(layout.height)
        if file.seek(0, 2) < needed:
            raise Broken(f"is cut short ({file.tell()} of {needed} bytes)")
    icc, notes = _colours(file)
    depth = 16 if any(_width(mask) > 8 for mask in layout.masks) else min(layout.bits, 8)
    channels = len(layout.masks) or 3
    return Header(
        "BMP",
        abs(layout.height),
        layout.width,
        depth,
        channels,
        icc=icc,
        palette=layout.bits <= 8,
        notes=notes,
    )


def decode_bmp(path: Path, header: Header) -> tuple[Array, str]:
    """Pixels (H, W, C) uint8, or uint16 where bit fields have more than 8 bits, and their model."""
    data = path.read_bytes()
    layout, _ = _layout(io.BytesIO(data))
    if layout.masks:
        return _of_fields(data, layout, 65535 if header.depth == 16 else 255)
    from PIL import BmpImagePlugin

    from realdeg.io.pillow import plain

    try:
        pixels, model = plain(BmpImagePlugin.BmpImageFile(io.BytesIO(data)))
    except (OSError, ValueError, SyntaxError) as error:
        raise damaged_inside(str(error)) from None
    if pixels.shape[:2] != (header.height, header.width):
        raise Broken("decodes to another size than its header says")
    return pixels, model


def _layout(file: IO[bytes]) -> tuple[_Layout, int]:
    file.seek(10)
    at, size = struct.unpack("<II", exactly(file, 8))
    packing = PLAIN
    masks: tuple[int, ...] = ()
    if size == 12:
        width, height, _, bits = struct.unpack("<HHHH", exactly(file, 8))
    elif size in (40, 52, 56, 64, 108, 124):
        width, height, _, bits, packing = struct.unpack("<iiHHI", exactly(file, 16))
    else:
        raise Unsupported(f"is a BMP with a header of {size} bytes, which is not read")
    if packing in PACKINGS or (size == 64 and packing > RLE4):
        raise Unsupported(f"is a BMP packed as {PACKINGS.get(packing, packing)}, which is not read")
    if bits not in DEPTHS.get(packing, ()):
        raise Unsupported(f"is a BMP of {bits} bits a pixel with packing {packing}, which is not read")
    if width < 1 or not height:
        raise Broken(ENDED)
    if packing in (BIT_FIELDS, ALPHA_FIELDS):
        file.seek(54)  # inside the longer headers, behind the shortest
        count = 4 if packing == ALPHA_FIELDS or size >= 56 else 3
        masks = struct.unpack(f"<{count}I", exactly(file, 4 * count))
        masks = masks if masks[-1] else masks[:3]
        if not all(0 < _width(mask) <= 16 for mask in masks) or max(masks).bit_length() > bits:
            raise Unsupported("is a BMP with bit fields of an unusual kind, which is not read")
    return _Layout(at, width, height, bits, masks), packing


def _width(mask: int) -> int:
    """Bits of a mask; 0 where they have gaps."""
    bits = mask >> _lowest(mask)
    return bits.bit_length() if bits & (bits + 1) == 0 else 0


def _lowest(mask: int) -> int:
    return max((mask & -mask).bit_length() - 1, 0)


def _of_fields(data: bytes, layout: _Layout, top: int) -> tuple[Array, str]:
    rows = np.frombuffer(data, np.uint8, layout.row_bytes * abs(layout.height), layout.at)
    words = rows.view("<u2" if layout.bits == 16 else "<u4").reshape(abs(layout.height), -1)
    words = words[:: 1 if layout.height < 0 else -1, : layout.width]
    pixels = np.empty((*words.shape, len(layout.masks)), np.uint8 if top == 255 else np.uint16)
    for i, mask in enumerate(layout.masks):
        most = mask >> _lowest(mask)
        table = (np.arange(most + 1, dtype=np.uint32) * top + most // 2) // most
        pixels[..., i] = table.astype(pixels.dtype)[(words >> _lowest(mask)) & most]
    return pixels, "RGB" if len(layout.masks) == 3 else "RGBA"


def _colours(file: IO[bytes]) -> tuple[bytes | None, tuple[str, ...]]:
    """Profile of the colours and notes (BITMAPV4HEADER and V5 alone say something)."""
    file.seek(14)
    header = file.read(124)
    size = int.from_bytes(header[:4], "little")
    if size < 108 or len(header) < size:
        return None, ()
    space = header[56:60]
    if size == 124 and space == b"DEBM":
        at, length = struct.unpack_from("<II", header, 112)
        file.seek(14 + at)
        return file.read(length) if length <= MAX_ICC_BYTES else b"", ()
    if space == b"KNIL":
        return None, ("a profile in another file is named, sRGB assumed",)
    if space == bytes(4) and any(header[60:108]):
        return None, ("calibrated colours ignored, sRGB assumed",)
    return None, ()
