"""PNG: all chunks walked, checksums compared."""

from __future__ import annotations

import struct
import zlib
from typing import IO

from realdeg.io.exif import read_facts
from realdeg.io.header import ENDED, MAX_ICC_BYTES, PNG_SIGNATURE, Broken, Header, exactly

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def png_header(file: IO[bytes]) -> Header:
    """Header of a PNG; the chunks after the pixels are walked too, since EXIF may stand there."""
    file.seek(8)
    length, name = struct.unpack(">I4s", exactly(file, 8))
    if name != b"IHDR" or length != 13:
        raise Broken(ENDED)
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", exactly(file, 13))
    if colour not in CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise Broken(ENDED)
    file.seek(4, 1)
    end = file.seek(0, 2)
    file.seek(33)
    kept: dict[bytes, bytes] = {}
    while name != b"IEND":
        length, name = struct.unpack(">I4s", exactly(file, 8))
        if file.tell() + length + 4 > end:
            raise Broken(ENDED)
        if name in (b"iCCP", b"eXIf", b"tRNS", b"gAMA", b"sRGB", b"acTL", b"cICP"):
            kept[name] = exactly(file, length)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
    notes = ["first picture of an animation"] if b"acTL" in kept else []
    gamma = int.from_bytes(kept.get(b"gAMA", b""), "big")
    if gamma and not {b"sRGB", b"iCCP"} & kept.keys() and abs(gamma - 45455) > 1000:
        notes.append(f"gAMA {gamma / 1e5:g} ignored, sRGB assumed")
    if (coding := kept.get(b"cICP", b"\1\r")[:2]) != b"\1\r":  # 1, 13 is sRGB (ITU-T H.273)
        notes.append(f"cICP {'/'.join(str(code) for code in coding)} ignored, sRGB assumed")
    key = kept.get(b"tRNS", b"")
    samples = struct.unpack(f">{len(key) // 2}H", key) if colour in (0, 2) and len(key) in (2, 6) else None
    icc = _inflate(kept[b"iCCP"]) if b"iCCP" in kept else None
    facts = read_facts(kept.get(b"eXIf", b""))
    return Header(
        "PNG", height, width, depth, CHANNELS[colour], facts, icc, colour == 3, samples, tuple(notes)
    )


def png_core(data: bytes) -> bytes:
    """The chunks that hold pixels, nothing else; every checksum of theirs is compared.

    What OpenCV makes of the other chunks (rotation, warnings about profiles) differs by version.

    Raises:
        Broken: a checksum differs.
    """
    parts, position, name = [PNG_SIGNATURE], 8, b""
    while name != b"IEND":
        if position + 12 > len(data):
            raise Broken(ENDED)
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise Broken(ENDED)
        if name in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != int.from_bytes(
                data[end - 4 : end], "big"
            ):
                raise Broken("is damaged (a checksum differs)")
            parts.append(data[position:end])
        position = end
    return b"".join(parts)


def _inflate(chunk: bytes) -> bytes | None:
    """Profile of an iCCP chunk; b"" when it is damaged or absurdly large."""
    try:
        inflater = zlib.decompressobj()
        profile = inflater.decompress(chunk.split(b"\0", 1)[1][1:], MAX_ICC_BYTES)
    except (zlib.error, IndexError):
        return b""
    return profile if inflater.eof else b""
