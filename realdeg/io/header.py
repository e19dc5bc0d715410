"""What a file says of itself before a pixel is decoded, and whether it is all there.

Every decoder in reach lies about some broken file: OpenCV fills the missing part of a JPEG with grey,
Pillow gives 8 bits of a 16-bit PNG. So the containers are walked here, in Python, with a few reads.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import IO

from realdeg.io.exif import Facts, read_facts

MAX_ICC_BYTES = 16 << 20
JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ENDED = "is cut short or damaged"
OTHERS = (
    (b"GIF8", 0, "GIF"),
    (b"ftypavif", 4, "AVIF"),
    (b"ftyphei", 4, "HEIF"),
    (b"ftypmif1", 4, "HEIF"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"JXL ", 4, "JPEG XL"),
    (b"jP  ", 4, "JPEG 2000"),
    (b"8BPS", 0, "Photoshop"),
    (b"%PDF", 0, "PDF"),
    (b"v/1\x01", 0, "OpenEXR"),
)
"""Start of a file, its offset, and the kind it gives away."""


class Broken(Exception):
    """The file is not what it claims to be; the text continues "FILE: ..." and has no remedy yet."""


class Unsupported(Broken):
    """The file is whole, but of a kind that is not read."""


class TooLarge(Broken):
    """More pixels than the caller wants to decode."""


@dataclass(frozen=True)
class Header:
    """Facts of the container.

    Attributes:
        kind: "JPEG", "PNG", "TIFF", "WebP" or "BMP".
        height, width: as stored, before orientation, px.
        depth: bits per sample as stored.
        channels: as stored: 1 grey or palette, 2 grey + alpha, 3 RGB, 4 RGBA (JPEG: CMYK).
        facts: from EXIF.
        icc: embedded colour profile.
        palette: samples are indices.
        colour_key: PNG's transparent colour, samples at `depth`.
        notes: what the reader should know.
    """

    kind: str
    height: int
    width: int
    depth: int = 8
    channels: int = 3
    facts: Facts = field(default_factory=Facts)
    icc: bytes | None = None
    palette: bool = False
    colour_key: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()


def sniff(start: bytes) -> str:
    """Kind of a file from its first 16 bytes.

    Raises:
        Unsupported: an image of another kind.
        Broken: no image at all.
    """
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(PNG_SIGNATURE):
        return "PNG"
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[:2] == b"BM" and start[6:10] == b"\0\0\0\0":
        return "BMP"
    for mark, at, name in OTHERS:
        if start[at : at + len(mark)] == mark:
            raise Unsupported(f"is a {name} file, which is not read")
    raise Broken("is not an image")


def jpeg_header(file: IO[bytes]) -> Header:
    """Header of a JPEG, from the segments before the first scan."""
    file.seek(2)
    exif, icc, frame = b"", {}, None
    while (marker := _next_marker(file)) != 0xDA:
        if marker in (0xD8, 0x01, *range(0xD0, 0xD8)):
            continue
        if marker == 0xD9:
            raise Broken("holds no image data")
        length = struct.unpack(">H", _exactly(file, 2))[0] - 2
        if length < 0:
            raise Broken(ENDED)
        if marker in range(0xC0, 0xD0) and marker not in (0xC4, 0xC8, 0xCC):
            frame = struct.unpack(">BHHB", _exactly(file, length)[:6])
        elif marker == 0xE1 and not exif:
            body = _exactly(file, length)
            exif = body if body.startswith(b"Exif\0\0") else b""
        elif marker == 0xE2:
            body = _exactly(file, length)
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


def jpeg_end(data: bytes) -> int:
    """Offset just after a JPEG's end marker; data of a second picture (Ultra HDR) may follow.

    Raises:
        Broken: the end marker is not there.
    """
    position = 2
    while True:
        found = JPEG_MARKER.search(data, position)
        if found is None:
            raise Broken("is cut short (its end marker is missing)")
        marker, position = found.group(1)[0], found.end()
        if marker == 0xD9:
            return position
        if marker not in (0xD8, 0x01):
            if position + 2 > len(data):
                raise Broken("is cut short (its end marker is missing)")
            position += struct.unpack_from(">H", data, position)[0]


def _next_marker(file: IO[bytes]) -> int:
    byte = _exactly(file, 1)
    while byte != b"\xff":  # stray bytes between segments are allowed by every decoder
        byte = _exactly(file, 1)
    while byte == b"\xff":
        byte = _exactly(file, 1)
    return byte[0]


def png_header(file: IO[bytes]) -> Header:
    """Header of a PNG; the chunks after the pixels are walked too, since EXIF may stand there."""
    file.seek(8)
    length, name = struct.unpack(">I4s", _exactly(file, 8))
    if name != b"IHDR" or length != 13:
        raise Broken(ENDED)
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", _exactly(file, 13))
    if colour not in PNG_CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise Broken(ENDED)
    file.seek(4, 1)
    end = file.seek(0, 2)
    file.seek(33)
    kept: dict[bytes, bytes] = {}
    while name != b"IEND":
        length, name = struct.unpack(">I4s", _exactly(file, 8))
        if file.tell() + length + 4 > end:
            raise Broken(ENDED)
        if name in (b"iCCP", b"eXIf", b"tRNS", b"gAMA", b"sRGB", b"acTL", b"cICP"):
            kept[name] = _exactly(file, length)
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
        "PNG", height, width, depth, PNG_CHANNELS[colour], facts, icc, colour == 3, samples, tuple(notes)
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


def webp_header(file: IO[bytes]) -> Header:
    """Header of a WebP; all chunks are walked, since EXIF stands behind the pixels."""
    file.seek(4)
    end = 8 + struct.unpack("<I", _exactly(file, 4))[0]
    if file.seek(0, 2) < end:
        raise Broken(f"is cut short ({file.tell()} of {end} bytes)")
    file.seek(12)
    size: tuple[int, int] | None = None
    alpha, kept, notes = False, {}, []
    while file.tell() + 8 <= end:
        name, length = struct.unpack("<4sI", _exactly(file, 8))
        start = file.tell()
        if start + length > end:
            raise Broken(ENDED)
        if name == b"VP8X":
            body = _exactly(file, 10)
            alpha = bool(body[0] & 0x10)
            size = (1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little"))
            notes += ["first picture of an animation"] if body[0] & 2 else []
        elif name == b"VP8L" and size is None:
            bits = int.from_bytes(_exactly(file, 5)[1:], "little")
            size, alpha = (1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)), bool(bits >> 28 & 1)
        elif name == b"VP8 " and size is None:
            width, height = struct.unpack("<HH", _exactly(file, 10)[6:])
            size = (height & 0x3FFF, width & 0x3FFF)
        elif name in (b"EXIF", b"ICCP"):
            kept[name] = _exactly(file, length)
        file.seek(start + length + length % 2)
    if size is None:
        raise Broken(ENDED)
    facts = read_facts(kept.get(b"EXIF", b""))
    return Header("WebP", *size, 8, 4 if alpha else 3, facts, kept.get(b"ICCP"), notes=tuple(notes))


def bmp_header(file: IO[bytes]) -> Header:
    """Header of a BMP."""
    file.seek(14)
    size = struct.unpack("<I", _exactly(file, 4))[0]
    packing = 0
    if size == 12:
        width, height, _, bits = struct.unpack("<HHHH", _exactly(file, 8))
    elif 40 <= size <= 256:
        width, height, _, bits, packing = struct.unpack("<iiHHI", _exactly(file, 16))
    else:
        raise Broken(ENDED)
    if packing in (0, 3):  # plain rows, padded to 4 bytes; some writers leave the file's size field 0
        file.seek(10)
        needed = struct.unpack("<I", _exactly(file, 4))[0] + (width * bits + 31) // 32 * 4 * abs(height)
        if file.seek(0, 2) < needed:
            raise Broken(f"is cut short ({file.tell()} of {needed} bytes)")
    return Header("BMP", abs(height), width, min(bits, 8), 3, palette=bits <= 8)


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise Broken(ENDED)
    return data
