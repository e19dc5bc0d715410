"""What HEIF and AVIF are made of: boxes, and the items that the `meta` box lists.

ISO/IEC 14496-12 (boxes, `iloc`, `iinf`, `iref`, `pitm`) and 23008-12 (`iprp`). Only what describes still
pictures is looked at, and no more of the file is read than its `meta` box and what its items begin with.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from realdeg.io.header import ENDED, Broken, Unsupported, exactly

MAX_META_BYTES = 16 << 20
MAX_BOXES = 10_000  # at the top of a file; photos have a handful
Extent = tuple[int, int]  # offset in the file and length, bytes


@dataclass
class Items:
    """What a `meta` box lists, by item number.

    Attributes:
        primary: the picture to show.
        kinds: four letters each, e.g. b"hvc1", b"grid", b"Exif".
        properties: name and body, in the order in which they apply.
        references: targets by (source, name), e.g. the tiles of a grid by (grid, b"dimg").
        extents: where an item's bytes are in the file.
        meta: where the body of the box lies in the file.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    properties: dict[int, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    references: dict[tuple[int, bytes], list[int]] = field(default_factory=dict)
    extents: dict[int, list[Extent]] = field(default_factory=dict)
    meta: Extent = (0, 0)

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


class Stretch:
    """An item's bytes from the front, wherever in the file they lie.

    Attributes:
        left: bytes that are still to come.
    """

    def __init__(self, file: IO[bytes], extents: list[Extent]) -> None:
        self.file = file
        self.extents = list(reversed(extents))
        self.left = sum(size for _, size in extents)

    def take(self, count: int) -> bytes:
        """The next `count` bytes.

        Raises:
            Broken: there are fewer.
        """
        parts = []
        for at, size in self._passed(count):
            self.file.seek(at)
            parts.append(exactly(self.file, size))
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over the next `count` bytes.

        Raises:
            Broken: there are fewer.
        """
        for _ in self._passed(count):
            pass

    def _passed(self, count: int) -> Iterator[Extent]:
        if count > self.left:
            raise Broken(ENDED)
        self.left -= count
        while count:
            at, size = self.extents.pop()
            used = min(size, count)
            if used < size:
                self.extents.append((at + used, size - used))
            count -= used
            yield at, used


def read_items(file: IO[bytes]) -> Items:
    """Items of a file.

    Raises:
        Broken: no `meta` box, a damaged one, or items that reach beyond the end of the file.
        Unsupported: moving pictures only.
    """
    end = file.seek(0, 2)
    start, body = _meta(file, end)
    items = Items(meta=(start, len(body)))
    inner: Extent = (0, 0)
    kept: dict[int, list[Extent]] = {}
    for name, at, size in _placed(body, 4):
        cursor = Cursor(body[at : at + size])
        if name == b"idat":
            inner = (start + at, size)
            continue
        version = cursor.number(4) >> 24
        if name == b"pitm":
            items.primary = cursor.number(4 if version else 2)
        elif name == b"iinf":
            cursor.take(4 if version else 2)
            items.kinds = dict(_kinds(cursor.data[cursor.at :]))
        elif name == b"iref":
            _add_references(items, cursor.data[4:], 4 if version else 2)
        elif name == b"iprp":
            items.properties = _properties(cursor.data)
        elif name == b"iloc":
            for item, method, parts in _extents(cursor, version):
                (items.extents if method == 0 else kept)[item] = parts
    needed = max((at + size for parts in items.extents.values() for at, size in parts), default=0)
    if needed > end:
        raise Broken(f"is cut short ({end} of {needed} bytes)")
    for item, parts in kept.items():
        if any(at + size > inner[1] for at, size in parts):
            raise Broken(ENDED)
        items.extents[item] = [(inner[0] + at, size) for at, size in parts]
    if any(sum(size for _, size in parts) > end for parts in items.extents.values()):
        raise Broken("lists more bytes of a picture than it has")
    return items


def item_bytes(file: IO[bytes], items: Items, item: int) -> bytes:
    """An item's own bytes.

    Raises:
        Broken: there are absurdly many.
    """
    stretch = Stretch(file, items.extents.get(item, []))
    if stretch.left > MAX_META_BYTES:
        raise Broken(f"has {stretch.left} bytes of metadata, which is absurd")
    return stretch.take(stretch.left)


def _meta(file: IO[bytes], end: int) -> tuple[int, bytes]:
    """Where the body of the `meta` box begins, and that body."""
    at, moving = 0, False
    for _ in range(MAX_BOXES):
        if at >= end:
            break
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
            return at + head, exactly(file, size - head)
        moving |= name == b"moov"
        at += size
    if moving:
        raise Unsupported("holds moving pictures only, which are not read")
    raise Broken("holds no picture")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each box in a row of them."""
    for name, at, size in _placed(data, 0):
        yield name, data[at : at + size]


def _placed(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Name of each box in a row of them from `at` on; where its body begins, and how long that is."""
    while at < len(data):
        cursor = Cursor(data[at : at + 16])
        size, name = cursor.number(4), cursor.take(4)
        if size == 1:
            size = cursor.number(8)
        size = size or len(data) - at
        if size < cursor.at or at + size > len(data):
            raise Broken(ENDED)
        yield name, at + cursor.at, size - cursor.at
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


def _extents(cursor: Cursor, version: int) -> Iterator[tuple[int, int, list[Extent]]]:
    """Item, where its offsets count from (0 the file, 1 the `idat` box), and its parts."""
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
        if method > 1:
            raise Unsupported("keeps a picture inside another one, which is not read")
        yield item, method, parts
