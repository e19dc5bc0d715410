"""TIFF: the directory read and checked by hand, the pixels through tifffile, Pillow or OpenCV.

tifffile decodes what needs no codec of its own (plain, Deflate, PackBits) at any depth. LZW, JPEG and
CCITT would need another 20 MB of codecs: Pillow reads those at 8 bits, OpenCV 16-bit LZW.
"""

from __future__ import annotations

import io
import logging
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.io.exif import ORIENTATION, read_facts
from realdeg.io.header import ENDED, MAX_ICC_BYTES, Broken, Header, Unsupported

TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIPS, SAMPLES, STRIP_BYTES, TILES, TILE_BYTES = 273, 277, 279, 324, 325
SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT, ICC = 330, 338, 339, 34675
PLAIN = (1, 8, 32946, 32773)
COLOURS = {0: "white is zero", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr"}

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its warnings become our errors


@dataclass(frozen=True)
class Entry:
    """One tag: where its values lie."""

    kind: int
    count: int
    offset: int


@dataclass(frozen=True)
class Directory:
    """One image file directory, all of whose values lie inside the file."""

    order: str
    tags: dict[int, Entry]
    next: int

    def numbers(self, file: IO[bytes], tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Unsigned whole numbers of a tag."""
        entry = self.tags.get(tag)
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(entry.kind if entry else 0)
        if entry is None or code is None:
            return default
        file.seek(entry.offset)
        data = file.read(TYPE_BYTES[entry.kind] * entry.count)
        return struct.unpack(f"{self.order}{entry.count}{code}", data)

    def number(self, file: IO[bytes], tag: int, default: int) -> int:
        """First number of a tag."""
        return (*self.numbers(file, tag), default)[0]


def directories(file: IO[bytes]) -> list[Directory]:
    """First directory of a TIFF, then those it points to (sub-images, where a RAW keeps its pixels).

    Raises:
        Broken: a directory, a value, a strip or a tile lies outside the file: it is cut short.
    """
    file.seek(0)
    start = file.read(16)
    size = file.seek(0, 2)
    order = "<" if start[:2] == b"II" else ">"
    big = start[2:4] in (b"+\0", b"\0+")
    if len(start) < 16:
        raise Broken(ENDED)
    first = (
        struct.unpack_from(f"{order}Q", start, 8)[0] if big else struct.unpack_from(f"{order}I", start, 4)[0]
    )
    main = _directory(file, order, big, first, size)
    subs = main.numbers(file, SUB_IFDS)
    found = [main, *(_directory(file, order, big, offset, size) for offset in subs[:16])]
    for directory in found:
        for where, count in ((STRIPS, STRIP_BYTES), (TILES, TILE_BYTES)):
            offsets, counts = directory.numbers(file, where), directory.numbers(file, count)
            end = max((o + n for o, n in zip(offsets, counts, strict=False)), default=0)
            if end > size:
                raise Broken(f"is cut short ({size} of at least {end} bytes)")
    return found


def _directory(file: IO[bytes], order: str, big: bool, offset: int, size: int) -> Directory:
    count_bytes, entry_bytes, inline, word = (8, 20, 8, "Q") if big else (2, 12, 4, "I")
    if not 8 <= offset <= size - count_bytes:
        raise Broken(ENDED)
    file.seek(offset)
    (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", file.read(count_bytes))
    body = file.read(count * entry_bytes + inline) if count <= 4096 else b""
    if len(body) < count * entry_bytes + inline:
        raise Broken(ENDED)
    tags: dict[int, Entry] = {}
    for i in range(count):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", body, i * entry_bytes)
        length = TYPE_BYTES.get(kind, 0) * number
        at = offset + count_bytes + (i + 1) * entry_bytes - inline
        if length > inline:
            at = struct.unpack_from(f"{order}{word}", body, (i + 1) * entry_bytes - inline)[0]
            if at + length > size:
                raise Broken(ENDED)
        if length:
            tags.setdefault(tag, Entry(kind, number, at))
    return Directory(order, tags, struct.unpack_from(f"{order}{word}", body, count * entry_bytes)[0])


def tiff_header(file: IO[bytes]) -> Header:
    """Header of the first picture of a TIFF."""
    main = directories(file)[0]
    number = {tag: main.number(file, tag, 1) for tag in (WIDTH, HEIGHT, SAMPLES, COMPRESSION, SAMPLE_FORMAT)}
    bits = set(main.numbers(file, BITS, (1,)))
    colour = main.number(file, PHOTOMETRIC, 1)
    if WIDTH not in main.tags or HEIGHT not in main.tags:
        raise Broken(ENDED)
    if colour not in COLOURS or number[SAMPLE_FORMAT] != 1 or not bits <= {1, 2, 4, 8, 16} or len(bits) != 1:
        raise Unsupported(
            f"is a TIFF of another kind (colour model {colour}, sample format {number[SAMPLE_FORMAT]}, "
            f"{'/'.join(str(b) for b in sorted(bits))} bits)"
        )
    icc = None
    if (profile := main.tags.get(ICC)) and profile.count <= MAX_ICC_BYTES:
        file.seek(profile.offset)
        icc = file.read(profile.count)
    notes = ("first picture of several",) * bool(main.next)
    extra = main.numbers(file, EXTRA_SAMPLES)
    notes += ("extra channels dropped",) * (len(extra) > 1 or bool({*extra} - {1, 2}))
    facts = replace(read_facts(file), orientation=_orientation(main, file))
    depth = bits.pop()
    return Header(
        "TIFF", number[HEIGHT], number[WIDTH], depth, number[SAMPLES], facts, icc, colour == 3, notes
    )


def _orientation(main: Directory, file: IO[bytes]) -> int:
    value = main.number(file, ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def decode_tiff(path: Path, header: Header) -> tuple[np.ndarray[Any, Any], str]:
    """Pixels of the first picture as stored (orientation not applied), and their colour model.

    Returns:
        (H, W) or (H, W, C) uint8 or uint16, and "L", "RGB", "LA", "RGBA", or "CMYK".
    """
    with path.open("rb") as file:
        main = directories(file)[0]
        compression = main.number(file, COMPRESSION, 1)
        colour = main.number(file, PHOTOMETRIC, 1)
        extra = main.numbers(file, EXTRA_SAMPLES)
        upright = main.tags.get(ORIENTATION)
    colours = {0: 1, 1: 1, 2: 3}.get(colour, 0)
    if colours and header.depth in (8, 16) and compression in PLAIN:
        pixels = _by_tifffile(path, header)
    elif header.depth == 16:
        if not colours or compression != 5:
            raise Unsupported(
                f"is a 16-bit {COLOURS[colour]} TIFF with compression {compression}, which is not read"
            )
        pixels = _by_opencv(_turned_upright(path, main.order, upright))
    else:
        return _by_pillow(_turned_upright(path, main.order, upright))
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.shape[:2] != (header.height, header.width) or pixels.dtype.itemsize * 8 != header.depth:
        raise Broken("decodes to another size or depth than its header says")
    if colour == 0:
        pixels = np.iinfo(pixels.dtype).max - pixels
    has_alpha = bool(extra) and extra[0] in (1, 2) and pixels.shape[2] > colours
    if has_alpha and extra[0] == 1:  # stored premultiplied
        alpha = pixels[..., colours : colours + 1].astype(np.float32) / np.iinfo(pixels.dtype).max
        plain = pixels[..., :colours] / np.maximum(alpha, 1e-6)
        pixels = pixels.copy()
        pixels[..., :colours] = np.rint(plain.clip(0, np.iinfo(pixels.dtype).max))
    return pixels[..., : colours + has_alpha], ("L" if colours == 1 else "RGB") + "A" * has_alpha


def _by_tifffile(path: Path, header: Header) -> np.ndarray[Any, Any]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        pixels: np.ndarray[Any, Any] = page.asarray()
        if page.planarconfig == 2 and pixels.ndim == 3:
            pixels = pixels.transpose(1, 2, 0)
    return pixels


def _turned_upright(path: Path, order: str, entry: Entry | None) -> bytes:
    """The file with its orientation set to 1: Pillow and OpenCV turn pixels or fail, by version."""
    data = bytearray(path.read_bytes())
    if entry is not None and entry.kind == 3:
        struct.pack_into(f"{order}H", data, entry.offset, 1)
    return bytes(data)


def _by_opencv(data: bytes) -> np.ndarray[Any, Any]:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise Broken(ENDED)
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return pixels


def _by_pillow(data: bytes) -> tuple[np.ndarray[Any, Any], str]:
    from PIL import TiffImagePlugin

    from realdeg.io.pillow import plain

    return plain(TiffImagePlugin.TiffImageFile(io.BytesIO(data)))
