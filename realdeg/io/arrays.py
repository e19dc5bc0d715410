"""Arrays of numbers in .npy and .npz files, read without trust: types, sizes and bytes are known beforehand.

NumPy's own reader allocates whatever a header claims, and a zip of 3 MB may hold zeros for 7 GB. Here a
member is read only if its type is one of numbers or text, its shape needs just the bytes that it has, and all
of a file together stays within its `room`. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from realdeg.arraytypes import Array

KINDS = "fiubcUS"  # of dtypes: numbers and text
ROOM = 128 << 20  # bytes that any file may inflate to
RATIO = 16  # larger files may inflate to so many times their size: noise to 1.1, kernels to 10
PART = 1 << 20  # bytes inflated at a time
MOST_AXES = 8


class Unreadable(ValueError):
    """The text says why, and continues "FILE: cannot be read (...)"."""


def room(size: int) -> int:
    """Bytes that the arrays of a file of `size` bytes may take."""
    return max(ROOM, RATIO * size)


def too_much(size: int) -> Unreadable:
    """The error for a file of `size` bytes whose arrays would take more than its `room`."""
    return Unreadable(f"its {size >> 10:,} kB would take more than {room(size) >> 20:,} MB")


def read_npy(path: Path) -> Array:
    """The array of an .npy file.

    Raises:
        Unreadable: it is none, holds other than numbers or text, or not the bytes that its shape needs.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _array(file, path.stat().st_size)


def map_npy(path: Path) -> Array:
    """The same, mapped into memory and read when it is looked at; not to be written to.

    Raises:
        Unreadable, OSError: as `read_npy`; an array of no elements is not mapped.
    """
    with path.open("rb") as file:
        dtype, shape, fortran, header = _header(file)
        wanted, there = math.prod(shape) * dtype.itemsize, path.stat().st_size - header
        if wanted != there or not wanted:
            raise Unreadable(f"its header tells of {wanted:,} bytes, there are {there:,}")
        return np.memmap(file, dtype, "r", header, shape, "F" if fortran else "C")


class Npz:
    """The arrays of an .npz file by name, each read when it is asked for; a context manager.

    Args:
        source: the file, or its bytes.

    Raises:
        Unreadable: here and for each array: it is no zip of arrays, or its arrays would take too much.
        OSError: it cannot be read.
    """

    def __init__(self, source: Path | bytes) -> None:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        except OSError:
            raise
        except Exception as error:  # zipfile raises anything at all on broken archives
            raise Unreadable(_text(error)) from None
        members = self._zip.infolist()
        self._members = {one.filename.removesuffix(".npy"): one for one in members}
        wanted = sum(one.file_size for one in members)
        problem: Unreadable | None = None
        if others := [one.filename for one in members if not one.filename.endswith(".npy")]:
            problem = Unreadable(f"holds {others[0][:60]!r}, which is no array")
        elif len(self._members) < len(members):
            problem = Unreadable("holds two arrays of one name")
        elif wanted > room(size):
            problem = too_much(size)
        if problem:
            self._zip.close()
            raise problem

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arrays, in the file's order."""
        return tuple(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, name: str) -> Array:
        if name not in self._members:
            raise Unreadable(f"holds no array {name!r}")
        member = self._members[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable(f"array {name!r} is compressed in a way that NumPy does not write")
        try:
            with self._zip.open(member) as file:
                return _array(file, member.file_size)  # zipfile gives no more than that, and checks the sum
        except Unreadable as error:
            raise Unreadable(f"array {name!r}: {error}") from None
        except MemoryError:
            raise
        except Exception as error:
            raise Unreadable(f"array {name!r}: {_text(error)}") from None

    def text(self, name: str) -> str:
        """An array that is one text."""
        array = self[name]
        if array.dtype.kind != "U" or array.ndim:
            raise Unreadable(f"array {name!r} is no text")
        return str(array)

    def __enter__(self) -> Npz:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()


def _array(file: IO[bytes], size: int) -> Array:
    """The array in a stream of `size` bytes, to the last."""
    dtype, shape, fortran, header = _header(file)
    wanted = math.prod(shape) * dtype.itemsize
    if wanted != size - header:
        raise Unreadable(f"its header tells of {wanted:,} bytes, there are {size - header:,}")
    flat = np.empty(math.prod(shape), dtype)
    whole = memoryview(flat.view(np.uint8).data) if wanted else memoryview(b"")
    at = 0
    while at < wanted:
        part = file.read(min(PART, wanted - at))
        if not part:
            raise Unreadable("is cut short")
        whole[at : at + len(part)] = part
        at += len(part)
    if file.read(1):  # the end of a zip's member is also where its checksum is looked at
        raise Unreadable("holds more bytes than its header tells of")
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _header(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Type, shape, whether columns come first, and the bytes that say so."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read[version](file)
    except Exception as error:  # NumPy raises anything at all on broken headers
        raise Unreadable(f"is no array ({_text(error)})") from None
    if dtype.kind not in KINDS or (dtype.itemsize < 1 and dtype.kind not in "US"):
        raise Unreadable("no array of numbers")
    if len(shape) > MOST_AXES or any(not 0 <= side < 2**48 for side in shape):
        raise Unreadable(f"has the shape {str(shape)[:60]}")
    return dtype, shape, fortran, file.tell()


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or "damaged"
