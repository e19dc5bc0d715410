"""Whether the last bytes of HEVC pictures were needed: what libheif does not say, its pixels do.

HEVC's arithmetic decoder cannot fail, and libde265 does not report where it ended. Of 300 files with bytes
changed in their pixels libheif gave 300 without a word, 293 of them garbage. But a decoder that has lost its
way often meets an end of slice by chance (one block in some 200), and leaves the rest of its bytes unread.
So the file is decoded again with the last bytes of each coded picture changed. Where a tile of an intact file
ends, that must show; where nothing does, the tile had ended before. It takes twice the time, and is no proof:
on photos of much detail it saw nearly all damage, on smooth pictures little. Rows of bytes that HEVC forbids
are looked for too.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from realdeg.io.boxes import Items, read_items
from realdeg.io.header import damaged_inside
from realdeg.io.heif_parts import clean_part, parts_of, stated_size
from realdeg.io.orientation import turned_view

Array = np.ndarray[Any, Any]
CHANGED = 10
"""Bytes changed at the end. They hold some 60 bits of the last blocks: that others mean the same pixels has a
chance of 2 ** -60. Fewer are better, as a decoder that has lost its way may end near the end. Of 123 whole
files of public suites (1,807 tiles) none was unmoved."""
UNDONE = {6: 8, 8: 6}
"""Orientation that undoes another one, where that is not itself."""
FORBIDDEN = re.compile(rb"\x00\x00(?:[\x00-\x02]|\x03[\x04-\xff])")
"""What no coded picture holds (H.265, 7.4.2): encoders break such rows of bytes up, damage makes them."""
Region = tuple[slice, slice]


@dataclass(frozen=True)
class Tails:
    """A file whose coded pictures end otherwise, and where that must show.

    Attributes:
        other: the changed file.
        regions: rows and columns of each tile, before turning; None where a change need not show.
    """

    other: bytes
    regions: tuple[Region | None, ...]


def tails_of(data: bytes) -> Tails:
    """The file with the ends of its primary picture's tiles changed.

    Raises:
        Broken: a tile holds bytes that cannot be there.
    """
    file = io.BytesIO(data)
    items = read_items(file)
    parts = parts_of(file, items, items.primary)
    other, regions = bytearray(data), _regions(items, parts.items)
    for index, tile in enumerate(parts.items):
        slices = list(_slices(data, items, tile))
        if any(FORBIDDEN.search(data, start, stop) for start, stop in slices):
            raise damaged_inside("its coded picture holds bytes that none can hold")
        start, stop = slices[-1] if slices else (0, 0)
        if stop - start < 10 * CHANGED or parts.coded[index].cut:
            regions[index] = None
            continue
        other[stop - CHANGED : stop] = bytes(byte ^ 0x5A for byte in data[stop - CHANGED : stop])
    return Tails(bytes(other), tuple(regions))


def marks_of(pixels: Array, orientation: int, regions: tuple[Region | None, ...]) -> list[int | None]:
    """A checksum of each tile.

    Args:
        pixels: (H, W, C), upright.
        orientation: that was applied.
        regions: rows and columns before it was.
    """
    stored = turned_view(pixels, UNDONE.get(orientation, orientation))
    return [None if region is None else _mark(stored[region]) for region in regions]


def _regions(items: Items, tiles: tuple[int, ...]) -> list[Region | None]:
    """Where each tile lies in what is shown; None where its end is cut off."""
    shown = clean_part(items, items.primary)
    height, width = stated_size(items, tiles[0])
    columns = -(-stated_size(items, items.primary)[1] // width)
    return [
        _region(index // columns * height, index % columns * width, (height, width), shown)
        for index in range(len(tiles))
    ]


def _region(top: int, left: int, size_hw: tuple[int, int], shown: tuple[slice, slice]) -> Region | None:
    found = []
    for start, side, part in zip((top, left), size_hw, shown, strict=True):
        if not part.start < start + side <= part.stop:
            return None
        found.append(slice(max(start - part.start, 0), start + side - part.start))
    return found[0], found[1]


def _mark(part: Array) -> int:
    mark = 0
    for row in part:
        mark = zlib.crc32(row.tobytes(), mark)
    return mark


def _slices(data: bytes, items: Items, item: int) -> Iterator[tuple[int, int]]:
    """First and last byte of a coded picture's slices, without the zero words that may pad them."""
    extents = items.extents.get(item, [])
    if len(extents) != 1:
        return
    length_bytes = 1 + ((items.first(item, b"hvcC") or bytes(22))[21] & 3)
    for start, stop in _units(data, extents[0], length_bytes):
        if start < stop and data[start] >> 1 & 0x3F < 32:  # a slice (H.265, table 7-1)
            yield start, start + len(data[start:stop].rstrip(b"\0\3"))


def _units(data: bytes, extent: tuple[int, int], length_bytes: int) -> Iterator[tuple[int, int]]:
    at, end = extent[0], sum(extent)
    while at + length_bytes <= end:
        length = int.from_bytes(data[at : at + length_bytes])
        at += length_bytes
        yield at, min(at + length, end)
        at += length
