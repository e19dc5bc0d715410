"""HEVC pictures inside HEIF: bytes that no encoder writes.

It is the one sign of damage there is. HEVC's arithmetic decoder cannot fail, and libheif gives garbage
without a word: of 568 photos with one byte changed in their pixels it gave 568. A decoder that lost its way
may end before its data (changed last bytes then do not show) or need more than there are (bytes added behind
do): that was tried and told 9 and 25 of 100, for another decode each. What VP8 betrays by it (`webp.py`),
HEVC does not.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from realdeg.io.boxes import Items, read_items
from realdeg.io.header import damaged_inside
from realdeg.io.heif_parts import parts_of

FORBIDDEN = re.compile(rb"\x00\x00(?:[\x00-\x02]|\x03[\x04-\xff])")
"""What no NAL unit holds (H.265, 7.4.2): encoders break such rows up; lost sectors and filler make them."""


def check_coded(data: bytes) -> None:
    """Look through the coded pictures of a HEIF file's primary one.

    Raises:
        Broken: one holds bytes that cannot be there.
    """
    file = io.BytesIO(data)
    items = read_items(file)
    for tile in parts_of(file, items, items.primary).items:
        if any(FORBIDDEN.search(data, start, stop) for start, stop in _slices(data, items, tile)):
            raise damaged_inside("its coded picture holds bytes that none can hold")


def _slices(data: bytes, items: Items, item: int) -> Iterator[tuple[int, int]]:
    """First and last byte of a coded picture's slices, without the zero words that may pad them."""
    extents = items.extents.get(item, [])
    if len(extents) != 1:
        return
    length_bytes = 1 + ((items.first(item, b"hvcC") or bytes(22))[21] & 3)
    at, end = extents[0][0], sum(extents[0])
    while at + length_bytes <= end:
        start = at + length_bytes
        at = start + int.from_bytes(data[at:start])
        stop = min(at, end)
        if start < stop and data[start] >> 1 & 0x3F < 32:  # a slice (H.265, table 7-1)
            yield start, start + len(data[start:stop].rstrip(b"\0\3"))
