"""TIFF's skeleton: directories of tags, read with a few reads and never beyond the file.

TIFF 6.0, Sec. 2, and BigTIFF. RAW files of most makers and DNG have the same skeleton.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from typing import IO

from realdeg.io.header import ENDED, Broken

TYPE_BYTES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},
}
WHOLE = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
RATIONAL = 5
SUBFILE, OLD_SUBFILE = 254, 255
STRIPS, STRIP_BYTES, TILES, TILE_BYTES, SUB_IFDS = 273, 279, 324, 325, 330
MAX_TAGS = 4096
MAX_NUMBERS = 1 << 20
"""Values of one tag that are read; the longest lists are those of strips and tiles."""
MAX_DIRECTORIES = 64


@dataclass(frozen=True)
class Entry:
    """One tag: where its values lie."""

    kind: int
    count: int
    offset: int


@dataclass(frozen=True)
class Directory:
    """One image file directory, all of whose values lie inside the file.

    Attributes:
        order: "<" or ">", as `struct` writes it.
        tags: by number.
        next: offset of the following directory; 0 = none.
    """

    order: str
    tags: dict[int, Entry]
    next: int

    def numbers(self, file: IO[bytes], tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Whole numbers of a tag; `default` where it is absent or empty.

        Raises:
            Broken: of another type, negative, or more than a million. A wrong type is damage: with a default
                in its place pixels would be misread.
        """
        entry = self.tags.get(tag)
        if entry is None or not entry.count:
            return default
        code = WHOLE.get(entry.kind)
        if code is None:
            raise Broken(f"is damaged: tag {tag} is of a type ({entry.kind}) that it cannot have")
        if entry.count > MAX_NUMBERS:
            raise Broken(f"states {entry.count} values for tag {tag}, more than any picture needs")
        values = struct.unpack(f"{self.order}{entry.count}{code}", self.stored(file, tag))
        if min(values) < 0:
            raise Broken(f"states {min(values)} for tag {tag}")
        return values

    def number(self, file: IO[bytes], tag: int, default: int) -> int:
        """First number of a tag."""
        return (*self.numbers(file, tag), default)[0]

    def fractions(self, file: IO[bytes], tag: int, default: tuple[float, ...]) -> tuple[float, ...]:
        """Unsigned fractions of a tag, as many as `default` has; `default` where they are not there.

        Raises:
            Broken: a denominator is 0.
        """
        entry = self.tags.get(tag)
        if entry is None or entry.kind != RATIONAL or entry.count != len(default):
            return default
        parts = struct.unpack(f"{self.order}{2 * entry.count}I", self.stored(file, tag))
        if 0 in parts[1::2]:
            raise Broken(f"states a fraction over 0 for tag {tag}")
        return tuple(above / below for above, below in zip(parts[::2], parts[1::2], strict=True))

    def stored(self, file: IO[bytes], tag: int) -> bytes:
        """A tag's values as they are stored; empty where it is absent."""
        entry = self.tags.get(tag)
        if entry is None:
            return b""
        file.seek(entry.offset)
        return file.read(TYPE_BYTES.get(entry.kind, 0) * entry.count)

    def is_secondary(self, file: IO[bytes]) -> bool:
        """Whether it says of itself that it is a reduced picture or a mask (tags 254 and 255)."""
        return bool(self.number(file, SUBFILE, 0) & 0b101) or self.number(file, OLD_SUBFILE, 1) == 2


class Skeleton:
    """Where the directories of an open TIFF lie."""

    def __init__(self, file: IO[bytes]) -> None:
        file.seek(0)
        start = file.read(16)
        if len(start) < 16:
            raise Broken(ENDED)
        self.file, self.size = file, file.seek(0, 2)
        self.order = "<" if start[:2] == b"II" else ">"
        self.big = start[2:4] in (b"+\0", b"\0+")
        code, at = ("Q", 8) if self.big else ("I", 4)
        self.first: int = struct.unpack_from(self.order + code, start, at)[0]

    def directory(self, offset: int) -> Directory:
        """The directory at an offset.

        Raises:
            Broken: it, or one of its values, lies outside the file.
        """
        count_bytes, entry_bytes, inline, word = (8, 20, 8, "Q") if self.big else (2, 12, 4, "I")
        if not 8 <= offset <= self.size - count_bytes:
            raise Broken(ENDED)
        self.file.seek(offset)
        (count,) = struct.unpack(f"{self.order}{'Q' if self.big else 'H'}", self.file.read(count_bytes))
        body = self.file.read(count * entry_bytes + inline) if count <= MAX_TAGS else b""
        if len(body) < count * entry_bytes + inline:
            raise Broken(ENDED)
        tags: dict[int, Entry] = {}
        for i in range(count):
            tag, kind, number = struct.unpack_from(f"{self.order}HH{word}", body, i * entry_bytes)
            length = TYPE_BYTES.get(kind, 0) * number
            at = offset + count_bytes + (i + 1) * entry_bytes - inline
            if length > inline:
                at = struct.unpack_from(f"{self.order}{word}", body, (i + 1) * entry_bytes - inline)[0]
                if at + length > self.size:
                    raise Broken(ENDED)
            tags.setdefault(tag, Entry(kind, number, at))
        return Directory(
            self.order, tags, struct.unpack_from(f"{self.order}{word}", body, count * entry_bytes)[0]
        )

    def subs(self, directory: Directory) -> list[Directory]:
        """Directories that a tag of this one points to: smaller sizes, or where a RAW keeps its pixels."""
        return [self.directory(offset) for offset in directory.numbers(self.file, SUB_IFDS)[:16]]

    def following(self, directory: Directory) -> list[Directory]:
        """Directories chained behind this one, at most 64.

        Raises:
            Broken: one of them lies outside the file.
        """
        found: list[Directory] = []
        seen = {0}
        while directory.next not in seen and len(found) < MAX_DIRECTORIES:
            seen.add(directory.next)
            directory = self.directory(directory.next)
            found.append(directory)
        return found

    def check_extents(self, directory: Directory) -> None:
        """Raises Broken where a strip or a tile ends behind the file's end."""
        for where, count in ((STRIPS, STRIP_BYTES), (TILES, TILE_BYTES)):
            offsets = directory.numbers(self.file, where)
            counts = directory.numbers(self.file, count)
            end = max((o + n for o, n in zip(offsets, counts, strict=False)), default=0)
            if end > self.size:
                raise Broken(f"is cut short ({self.size} of at least {end} bytes)")


def directories(file: IO[bytes]) -> list[Directory]:
    """All directories of a RAW that is a TIFF: the first, those it points to, those chained behind.

    Raises:
        Broken: the first directory, one it points to, a value, a strip or a tile lies outside the file.
    """
    skeleton = Skeleton(file)
    main = skeleton.directory(skeleton.first)
    found = [main, *skeleton.subs(main)]
    with contextlib.suppress(Broken):  # some cameras leave any number where the chain should end
        found += skeleton.following(main)
    for directory in found:
        skeleton.check_extents(directory)
    return found
