"""JPEG: the segments before the pixels, and whether the end is there."""

from __future__ import annotations

import re
import struct
from typing import IO

from realdeg.io.exif import read_facts
from realdeg.io.header import ENDED, Broken, Header, Unsupported, exactly

MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
METADATA = (*range(0xE1, 0xEE), 0xEF, 0xFE)  # not APP0 and APP14, which name the colour model


def jpeg_header(file: IO[bytes]) -> Header:
    """Header of a JPEG, from the segments before the first scan."""
    file.seek(2)
    exif, icc, frame = b"", {}, None
    while (marker := _next_marker(file)) != 0xDA:
        if marker in (0xD8, 0x01, *range(0xD0, 0xD8)):
            continue
        if marker == 0xD9:
            raise Broken("holds no image data")
        length = struct.unpack(">H", exactly(file, 2))[0] - 2
        if length < 0:
            raise Broken(ENDED)
        if marker in range(0xC0, 0xD0) and marker not in (0xC4, 0xC8, 0xCC):
            frame = struct.unpack(">BHHB", exactly(file, length)[:6])
        elif marker == 0xE1 and not exif:
            body = exactly(file, length)
            exif = body if body.startswith(b"Exif\0\0") else b""
        elif marker == 0xE2:
            body = exactly(file, length)
            if body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
                icc[body[12]] = body[14:]
        else:
            file.seek(length, 1)
    if frame is None:
        raise Broken(ENDED)
    depth, height, width, channels = frame
    if depth != 8 or channels not in (1, 3, 4):
        raise Unsupported(f"is a JPEG with {channels} x {depth} bits a pixel, which is not read")
    profile = b"".join(part for _, part in sorted(icc.items())) or None
    return Header("JPEG", height, width, 8, channels, read_facts(exif), profile)


def jpeg_core(data: bytes) -> bytes:
    """The segments that hold the picture, up to its end marker; a second picture (Ultra HDR) may follow.

    Comments, metadata and stray bytes stay behind: OpenCV turns pixels by them or complains on stderr.

    Raises:
        Broken: the end marker is not there.
    """
    parts, position, scan = [b"\xff\xd8"], 2, False
    while True:
        found = MARKER.search(data, position)
        if found is None or (found.end() + 2 > len(data) and found[1] != b"\xd9"):
            raise Broken("is cut short (its end marker is missing)")
        if scan:
            parts.append(data[position : found.start()])
        marker, position = found[1][0], found.end()
        if marker == 0xD9:
            return b"".join([*parts, b"\xff\xd9"])
        if marker in (0xD8, 0x01):
            continue
        end = position + struct.unpack_from(">H", data, position)[0]
        if marker not in METADATA:
            parts += [b"\xff", data[position - 1 : end]]
        position, scan = end, marker == 0xDA


def _next_marker(file: IO[bytes]) -> int:
    byte = exactly(file, 1)
    while byte != b"\xff":  # stray bytes between segments are allowed by every decoder
        byte = exactly(file, 1)
    while byte == b"\xff":
        byte = exactly(file, 1)
    return byte[0]
