"""WebP: a RIFF container around one of two codecs."""

from __future__ import annotations

import struct
from typing import IO

from realdeg.io.exif import read_facts
from realdeg.io.header import ENDED, Broken, Header, exactly


def webp_header(file: IO[bytes]) -> Header:
    """Header of a WebP; all chunks are walked, since EXIF stands behind the pixels."""
    file.seek(4)
    end = 8 + struct.unpack("<I", exactly(file, 4))[0]
    if file.seek(0, 2) < end:
        raise Broken(f"is cut short ({file.tell()} of {end} bytes)")
    file.seek(12)
    size: tuple[int, int] | None = None
    alpha, kept, notes = False, {}, []
    while file.tell() + 8 <= end:
        name, length = struct.unpack("<4sI", exactly(file, 8))
        start = file.tell()
        if start + length > end:
            raise Broken(ENDED)
        if name == b"VP8X":
            body = exactly(file, 10)
            alpha = bool(body[0] & 0x10)
            size = (1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little"))
            notes += ["first picture of an animation"] if body[0] & 2 else []
        elif name == b"VP8L" and size is None:
            bits = int.from_bytes(exactly(file, 5)[1:], "little")
            size, alpha = (1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)), bool(bits >> 28 & 1)
        elif name == b"VP8 " and size is None:
            width, height = struct.unpack("<HH", exactly(file, 10)[6:])
            size = (height & 0x3FFF, width & 0x3FFF)
        elif name in (b"EXIF", b"ICCP"):
            kept[name] = exactly(file, length)
        file.seek(start + length + length % 2)
    if size is None:
        raise Broken(ENDED)
    facts = read_facts(kept.get(b"EXIF", b""))
    return Header("WebP", *size, 8, 4 if alpha else 3, facts, kept.get(b"ICCP"), notes=tuple(notes))
