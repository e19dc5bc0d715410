"""Matrices and cell arrays of MATLAB 5 files (-v6, -v7), read within bounds.

Kernels come as .mat files from KernelGAN, KAIR and others. The format (MathWorks, "MAT-File Format", level
5): 128 bytes of text, version and byte order; then elements of a type, a length and their bytes. An element
is a matrix, or a matrix deflated. A matrix is flags, dimensions, a name and numbers, by columns, which may be
stored in a smaller type than their class; or it is a cell array, and matrices follow in place of numbers.

SciPy's reader inflates whatever there is, and makes objects by the million of some kB; this one counts both.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.io.arrays import Unreadable, room, too_much
from realdeg.io.header import Unsupported

STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
CELL, SPARSE = 1, 5
OTHERS = {
    2: "a struct",
    3: "an object",
    4: "text",
    SPARSE: "a sparse matrix",
    16: "a function",
    17: "an object",
}
MATRIX, DEFLATED = 14, 15
COMPLEX = 0x0800
HEADER = 128
MOST_CELLS = 100_000
DEEPEST = 4  # cells in cells


def read_mat(path: Path) -> dict[str, Array]:
    """Numeric matrices and cell arrays of a file by name; cell arrays have dtype object.

    Other variables (text, structs) are not among them where there are matrices too.

    Raises:
        Unsupported: a file of version 4 or 7.3, or no MATLAB file.
        Unreadable: damaged, too large, or without any matrix.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if data.startswith(b"MATLAB 7.3") or data.startswith(b"\x89HDF"):
        raise Unsupported("is a MATLAB 7.3 file")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None and data.startswith(b"MATLAB 5"):
        raise Unreadable("is cut short or damaged")
    if order is None:
        raise Unsupported("is no MATLAB file of version 5 to 7")
    left = room(len(data))
    reader = _Reader(order, len(data), left)
    found: dict[str, Array] = {}
    others: list[str] = []
    try:
        for kind, content in _elements(order, data[HEADER:], padded=False):
            if kind == DEFLATED:
                content = _inflated(content, left, len(data))
                left -= len(content)
                kind, content = next(_elements(order, content, padded=False))
            if kind != MATRIX:
                continue
            name, value = reader.matrix(content, 0)
            if isinstance(value, str):
                others.append(f"{name[:40]!r} is {value}")
            else:
                found[name] = value
    except (struct.error, zlib.error, StopIteration, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("is cut short or damaged") from None
    if not found:
        raise Unreadable(f"{others[0]}, no matrix" if others else "holds no matrix")
    return found


def _inflated(content: bytes, left: int, size: int) -> bytes:
    """Deflated bytes, no more than `left` of them."""
    stream = zlib.decompressobj()
    whole = stream.decompress(content, left + 1)
    if len(whole) > left:
        raise too_much(size)
    if not stream.eof:
        raise Unreadable("is cut short or damaged")
    return whole


def _elements(order: str, data: bytes, *, padded: bool) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of the elements that follow each other; inside of a matrix they fill up 8 bytes."""
    view, at = memoryview(data), 0
    while at < len(view):
        kind, length = struct.unpack_from(f"{order}II", view, at)
        start = at + 8
        if kind >> 16:  # 4 bytes or less lie in the tag itself
            kind, length, start = kind & 0xFFFF, kind >> 16, at + 4
            at += 8
        else:
            at = start + length + (-length % 8 if padded else 0)
        if start + length > len(view) or (start == at - 4 and length > 4):
            raise Unreadable("is cut short or damaged")
        yield kind, bytes(view[start : start + length])


@dataclass
class _Reader:
    """Matrices of one file of `size` bytes; counts the bytes that are left for numbers, and the cells."""

    order: str
    size: int
    left: int
    cells: int = 0

    def matrix(self, data: bytes, depth: int) -> tuple[str, Array | str]:
        """Name and content of a matrix, or in words what it is instead."""
        if not data:  # an empty cell
            return "", np.empty((0, 0))
        parts = _elements(self.order, data, padded=True)
        flags = struct.unpack_from(f"{self.order}I", next(parts)[1])[0]
        kind = flags & 0xFF
        if kind == 17:
            return "", OTHERS[kind]
        sides = next(parts)[1]
        shape = struct.unpack(f"{self.order}{len(sides) // 4}i", sides)
        if any(side < 0 for side in shape) or len(shape) > 8:
            raise Unreadable("is damaged: it holds a matrix of negative size")
        name = next(parts)[1].decode("latin-1")
        if kind == CELL:
            return name, self._cells(parts, shape, depth)
        if kind in OTHERS:
            return name, OTHERS[kind]
        if kind not in CLASSES:
            raise Unreadable(f"is damaged: it holds a matrix of class {kind}")
        if flags & COMPLEX:
            return name, "complex"
        return name, self._numbers(next(parts), kind, shape)

    def _numbers(self, part: tuple[int, bytes], kind: int, shape: tuple[int, ...]) -> Array:
        stored, data = part
        if stored not in STORED:
            raise Unreadable("is damaged: a matrix holds no numbers")
        found = np.frombuffer(data, np.dtype(self.order + STORED[stored]))
        if len(found) != math.prod(shape):
            raise Unreadable(f"is damaged: a matrix of {math.prod(shape):,} numbers holds {len(found):,}")
        dtype = np.dtype(CLASSES[kind])
        self.left -= len(found) * dtype.itemsize
        if self.left < 0:  # whole numbers of 8 bits may stand for numbers of 64
            raise too_much(self.size)
        return found.astype(dtype).reshape(shape, order="F")

    def _cells(self, parts: Iterator[tuple[int, bytes]], shape: tuple[int, ...], depth: int) -> Array:
        count = math.prod(shape)
        self.cells += count
        if self.cells > MOST_CELLS or depth > DEEPEST:
            raise Unreadable(f"holds more than {MOST_CELLS:,} cells, or cells {DEEPEST} deep")
        found: Any = np.empty(count, object)
        for place in range(count):
            kind, data = next(parts)
            if kind != MATRIX:
                raise Unreadable("is damaged: a cell holds no matrix")
            value = self.matrix(data, depth + 1)[1]
            if isinstance(value, str):
                raise Unreadable(f"a cell is {value}, no matrix")
            found[place] = value
        return found.reshape(shape, order="F")
