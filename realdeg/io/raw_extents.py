"""How long a camera RAW must be by its own directories, where it is no plain TIFF.

LibRaw fills what is missing at the end with zeros, or develops whatever lies there. So each container that
states where its samples lie is walked before LibRaw sees it; what is not recognised is left to the other
checks. Layouts: ExifTool's tables of tags, "X3F File Format", "CIFF Specification 1.0", ISO/IEC 14496-12.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable
from typing import IO

from realdeg.io.header import ENDED, Broken
from realdeg.io.tiff_directory import STRIP_BYTES, STRIPS, Skeleton, directories
from realdeg.io.tiff_picture import BITS, COMPRESSION, HEIGHT, PLAIN, SAMPLES, WIDTH

TIFF_LIKE = (b"II*\0", b"MM\0*", b"IIRO", b"IIRS", b"MMOR", b"MMSR")
"""TIFF, and Olympus's ORF, which differs from it by these letters alone."""
DNG_VERSION = 50706
RW2_WIDTH, RW2_HEIGHT, RW2_OFFSET = 2, 3, 280
LEAST_BITS = 2
"""Bits a pixel below which no camera compresses without loss, for RW2 files that do not state their bytes."""
NESTED = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
MAX_ENTRIES = 4096


def check_extents(file: IO[bytes]) -> None:
    """Compare what the container states with the size of the file.

    Raises:
        Broken: samples, or what leads to them, lie behind the end.
    """
    file.seek(0)
    start = file.read(16)
    size = file.seek(0, 2)
    for mark, at, walk in WALKERS:
        if start[at : at + len(mark)] == mark:
            try:
                needed = walk(file, size)
            except struct.error:
                raise Broken(ENDED) from None
            if needed > size:
                raise Broken(f"is cut short ({size} of at least {needed} bytes)")
            return


def dng_compression(file: IO[bytes]) -> int:
    """TIFF's number for how the samples of a DNG are coded; 0 where the file is none, or damaged."""
    file.seek(0)
    if file.read(4) not in TIFF_LIKE[:2]:
        return 0
    with contextlib.suppress(Broken, struct.error):
        found = directories(file)
        if DNG_VERSION in found[0].tags:
            full = [one for one in found if not one.is_secondary(file)] or found
            largest = max(full, key=lambda one: one.number(file, WIDTH, 0) * one.number(file, HEIGHT, 0))
            return largest.number(file, COMPRESSION, 0)
    return 0


def _tiff(file: IO[bytes], size: int) -> int:
    """All strips lie in the file; those of an uncompressed DNG hold as many bytes as its pixels take."""
    found = directories(file)
    for one in found if DNG_VERSION in found[0].tags else ():
        numbers = [one.number(file, tag, 1) for tag in (HEIGHT, WIDTH, SAMPLES, BITS)]
        held = sum(one.numbers(file, STRIP_BYTES))
        if held and one.number(file, COMPRESSION, 1) == PLAIN and held < math.prod(numbers) // 8:
            raise Broken(f"is cut short (its strips hold {held} of {math.prod(numbers) // 8} bytes)")
    return 0


def _rw2(file: IO[bytes], size: int) -> int:
    """Panasonic: a TIFF whose offset of samples has a tag of its own; older ones do not state their bytes."""
    skeleton = Skeleton(file)
    main = skeleton.directory(skeleton.first)
    pixels = main.number(file, RW2_WIDTH, 0) * main.number(file, RW2_HEIGHT, 0)
    offset = main.number(file, RW2_OFFSET, 0) or main.number(file, STRIPS, 0)
    count = main.number(file, STRIP_BYTES, 0)
    return max(offset + count, offset + pixels * LEAST_BITS // 8) if offset < 2**32 - 1 else 0


def _raf(file: IO[bytes], size: int) -> int:
    """Fujifilm: offset and length of preview, tags and samples at fixed places."""
    places = struct.unpack(">6I", _at(file, 84, 24))
    return max(offset + length for offset, length in zip(places[::2], places[1::2], strict=True))


def _cr3(file: IO[bytes], size: int) -> int:
    """Canon: boxes of ISO media files, which name the place and size of each sample."""
    return _boxes(file, 0, size, [])


def _boxes(file: IO[bytes], start: int, end: int, chunks: list[int]) -> int:
    """Where the last of the boxes between two offsets ends, or a sample that they speak of."""
    needed, at, entries = end, start, 0
    while at + 8 <= end and entries < MAX_ENTRIES:
        entries += 1
        length, name = struct.unpack(">I4s", _at(file, at, 8))
        head = 8
        if length == 1:
            (length,) = struct.unpack(">Q", _at(file, at + 8, 8))
            head = 16
        length = length or end - at
        if length < head:
            raise Broken(ENDED)
        needed = max(needed, at + length)
        inside = min(at + length, end)
        if name in NESTED:
            needed = max(needed, _boxes(file, at + head, inside, [] if name == b"trak" else chunks))
        elif name in (b"co64", b"stco"):
            chunks.append(_first(file, at + head + 4, ">Q" if name == b"co64" else ">I"))
        elif name == b"stsz":
            chunks.append(_first_size(file, at + head + 4))
        at += length
    return max(needed, sum(chunks)) if len(chunks) == 2 else needed


def _first(file: IO[bytes], at: int, code: str) -> int:
    """First number of a table that begins with its count; 0 where it is empty."""
    (count,) = struct.unpack(">I", _at(file, at, 4))
    if not count:
        return 0
    return struct.unpack(code, _at(file, at + 4, struct.calcsize(code)))[0]


def _first_size(file: IO[bytes], at: int) -> int:
    """Size of the first sample: one for all, or the first of a table."""
    (common,) = struct.unpack(">I", _at(file, at, 4))
    return common or _first(file, at + 4, ">I")


def _x3f(file: IO[bytes], size: int) -> int:
    """Sigma: the last four bytes say where the directory lies; it names all sections before it."""
    (directory,) = struct.unpack("<I", _at(file, size - 4, 4))
    name, _, count = struct.unpack("<4sII", _at(file, directory, 12))
    if name != b"SECd" or count > MAX_ENTRIES:
        raise Broken("is cut short (its directory, which ends the file, is not there)")
    entries = struct.iter_unpack("<II4s", _at(file, directory + 12, 12 * count))
    return max((offset + length for offset, length, _ in entries), default=0)


def _mrw(file: IO[bytes], size: int) -> int:
    """Minolta: blocks of tags, then the samples, whose number the first block states."""
    order = ">" if _at(file, 3, 1) == b"M" else "<"
    (tags,) = struct.unpack(f"{order}I", _at(file, 4, 4))
    name, height, width, storage = struct.unpack(f"{order}4s12xHH6xB", _at(file, 8, 27))
    if name != b"\0PRD":
        return 8 + tags
    bits = 12 if storage == 0x59 else 16  # 0x52: each sample fills two bytes
    return int(8 + tags + height * width * bits // 8)


def _crw(file: IO[bytes], size: int) -> int:
    """Canon's CIFF: the last four bytes say where the directory lies, counted from the end of the header."""
    order = "<" if _at(file, 0, 2) == b"II" else ">"
    (heap,) = struct.unpack(f"{order}I", _at(file, 2, 4))
    (directory,) = struct.unpack(f"{order}I", _at(file, size - 4, 4))
    (count,) = struct.unpack(f"{order}H", _at(file, heap + directory, 2))
    if not 0 < count <= MAX_ENTRIES:
        raise Broken("is cut short (its directory, which ends the file, is not there)")
    entries = struct.iter_unpack(f"{order}HII", _at(file, heap + directory + 2, 10 * count))
    return max((heap + at + length for tag, length, at in entries if not tag & 0xC000), default=0)


def _at(file: IO[bytes], offset: int, count: int) -> bytes:
    """Bytes at an offset.

    Raises:
        Broken: they are not all there.
    """
    if offset < 0:
        raise Broken(ENDED)
    file.seek(offset)
    data = file.read(count)
    if len(data) < count:
        raise Broken(ENDED)
    return data


WALKERS: tuple[tuple[bytes, int, Callable[[IO[bytes], int], int]], ...] = (
    *((mark, 0, _tiff) for mark in TIFF_LIKE),
    (b"IIU\0", 0, _rw2),
    (b"FUJIFILM", 0, _raf),
    (b"ftypcrx ", 4, _cr3),
    (b"FOVb", 0, _x3f),
    (b"\0MRM", 0, _mrw),
    (b"\0MRI", 0, _mrw),
    (b"HEAPCCDR", 6, _crw),
)
"""Start of a file, where it stands, and what walks such files."""
