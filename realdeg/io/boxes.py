"""What HEIF and AVIF are made of: boxes, and the items that the `meta` box lists.

ISO/IEC 14496-12 (boxes, `iloc`, `iinf`, `iref`, `pitm`) and 23008-12 (`iprp`). Only what describes still
pictures is looked at, and no more of the file is read than its `meta` box.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from realdeg.io.header import ENDED, Broken, exactly

MAX_META_BYTES = 16 << 20
Extent = tuple[int, int]  # offset in the file and length, bytes


@dataclass
class Items:
    """What a `meta` box lists, by item number.

    Attributes:
        primary: the picture to show.
        kinds: four letters each, e.g. b"hvc1", b"grid", b"Exif".
        properties: name and body, in the order in which they apply.
        references: targets by (source, name), e.g. the tiles of a grid by (grid, b"dimg").
        extents: where an item's bytes are; those kept inside `meta` are left out.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    properties: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    references: dict[tuple[int, bytes], list[int]] = field(default_factory=dict)
    extents: dict[int, list[Extent]] = field(default_factory=dict)

    def first(self, item: int, name: bytes) -> bytes | None:
        """Body of an item's first property of that name."""
        return next((body for found, body in self.properties.get(item, []) if found == name), None)


class Cursor:
    """Big-endian numbers from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises:
            Broken: there are fewer.
        """
        if self.at + count > len(self.data):
            raise Broken(ENDED)
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size))


def read_items(file: IO[bytes]) -> Items:
    """Items of a file.

    Raises:
        Broken: no `meta` box, a damaged one, or items that reach beyond the end of the file.
    """
    end = file.seek(0, 2)
    items = Items()
    for name, body in _boxes(_meta(file, end)[4:]):
        cursor = Cursor(body)
        version = cursor.number(4) >> 24
        if name == b"pitm":
            items.primary = cursor.number(4 if version else 2)
        elif name == b"iinf":
            cursor.take(4 if version else 2)
            items.kinds = dict(_kinds(body[cursor.at :]))
        elif name == b"iref":
            _add_references(items, body[4:], 4 if version else 2)
        elif name == b"iprp":
            items.properties = _properties(body)
        elif name == b"iloc":
            items.extents = dict(_extents(cursor, version))
    needed = max((at + size for parts in items.extents.values() for at, size in parts), default=0)
    if needed > end:
        raise Broken(f"is cut short ({end} of {needed} bytes)")
    return items


def item_bytes(file: IO[bytes], items: Items, item: int) -> bytes:
    """An item's own bytes; empty where they are kept inside `meta`."""
    parts = []
    for at, size in items.extents.get(item, []):
        file.seek(at)
        parts.append(exactly(file, min(size, MAX_META_BYTES)))
    return b"".join(parts)


def _meta(file: IO[bytes], end: int) -> bytes:
    at = 0
    while at < end:
        file.seek(at)
        size, name = struct.unpack(">I4s", exactly(file, 8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", exactly(file, 8))[0], 16
        size = size or end - at
        if size < head:
            raise Broken(ENDED)
        if at + size > end:
            raise Broken(f"is cut short ({end} of {at + size} bytes)")
        if name == b"meta":
            if size > MAX_META_BYTES:
                raise Broken(f"has {size} bytes of metadata, which is absurd")
            return exactly(file, size - head)
        at += size
    raise Broken("holds no picture")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each box in a row of them."""
    at = 0
    while at < len(data):
        cursor = Cursor(data[at : at + 16])
        size, name = cursor.number(4), cursor.take(4)
        if size == 1:
            size = cursor.number(8)
        size = size or len(data) - at
        if size < cursor.at or at + size > len(data):
            raise Broken(ENDED)
        yield name, data[at + cursor.at : at + size]
        at += size


def _kinds(data: bytes) -> Iterator[tuple[int, bytes]]:
    for name, body in _boxes(data):
        cursor = Cursor(body)
        version = cursor.number(4) >> 24
        if name == b"infe" and version >= 2:
            item = cursor.number(2 if version == 2 else 4)
            cursor.take(2)
            yield item, cursor.take(4)


def _add_references(items: Items, data: bytes, width: int) -> None:
    for name, body in _boxes(data):
        cursor = Cursor(body)
        source, count = cursor.number(width), cursor.number(2)
        targets = [cursor.number(width) for _ in range(count)]
        items.references.setdefault((source, name), []).extend(targets)


def _properties(data: bytes) -> dict[int, list[tuple[bytes, bytes]]]:
    parts = list(_boxes(data))
    shelf = [one for name, body in parts if name == b"ipco" for one in _boxes(body)]
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    for _, body in (part for part in parts if part[0] == b"ipma"):
        cursor = Cursor(body)
        version, flags, count = cursor.number(1), cursor.number(3), cursor.number(4)
        width = 2 if flags & 1 else 1
        for _ in range(count):
            item = cursor.number(4 if version else 2)
            for _ in range(cursor.number(1)):
                index = cursor.number(width) & (0x7FFF if width == 2 else 0x7F)  # without "essential"
                if index > len(shelf):
                    raise Broken(ENDED)
                if index:
                    found.setdefault(item, []).append(shelf[index - 1])
    return found


def _extents(cursor: Cursor, version: int) -> Iterator[tuple[int, list[Extent]]]:
    sizes = cursor.number(2)
    of_offset, of_length, of_base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    of_index = sizes & 15 if version else 0
    if not of_length:
        raise Broken(ENDED)  # "the whole file": no picture is
    wide = 4 if version == 2 else 2
    for _ in range(cursor.number(wide)):
        item = cursor.number(wide)
        method = cursor.number(2) & 15 if version else 0
        cursor.take(2)
        base = cursor.number(of_base)
        parts = []
        for _ in range(cursor.number(2)):
            cursor.take(of_index)
            parts.append((base + cursor.number(of_offset), cursor.number(of_length)))
        if method == 0:
            yield item, parts
