"""BMP: size and length; Pillow does the rest."""

from __future__ import annotations

import struct
from typing import IO

from realdeg.io.header import ENDED, Broken, Header, exactly


def bmp_header(file: IO[bytes]) -> Header:
    """Header of a BMP."""
    file.seek(14)
    size = struct.unpack("<I", exactly(file, 4))[0]
    packing = 0
    if size == 12:
        width, height, _, bits = struct.unpack("<HHHH", exactly(file, 8))
    elif 40 <= size <= 256:
        width, height, _, bits, packing = struct.unpack("<iiHHI", exactly(file, 16))
    else:
        raise Broken(ENDED)
    if packing in (0, 3):  # plain rows, padded to 4 bytes; some writers leave the file's size field 0
        file.seek(10)
        needed = struct.unpack("<I", exactly(file, 4))[0] + (width * bits + 31) // 32 * 4 * abs(height)
        if file.seek(0, 2) < needed:
            raise Broken(f"is cut short ({file.tell()} of {needed} bytes)")
    return Header("BMP", abs(height), width, min(bits, 8), 3, palette=bits <= 8)
