"""PNG: all chunks walked, the checksums of all that touch pixels or colours compared, pixels by libpng."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.io.cicp import profile_of
from realdeg.io.exif import heeded
from realdeg.io.header import (
    ENDED,
    MAX_ICC_BYTES,
    PNG_SIGNATURE,
    Broken,
    Header,
    Unsupported,
    damaged_inside,
    exactly,
)

Array = np.ndarray[Any, Any]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits a sample by colour type (PNG 3rd edition, table 12)."""
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
KEPT = (b"iCCP", b"eXIf", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"acTL", b"cICP")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
XMP = b"XML:com.adobe.xmp"
RAW_PROFILES = (b"Raw profile type exif", b"Raw profile type APP1")
"""Where ImageMagick and others kept EXIF before PNG had a chunk for it."""
MAX_TEXT_BYTES = 1 << 20
SRGB_CORNERS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)  # white, red, green, blue; x, y
MODELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def png_header(file: IO[bytes]) -> Header:
    """Header of a PNG; the chunks after the pixels are walked too, since EXIF may stand there."""
    file.seek(8)
    length, name = struct.unpack(">I4s", exactly(file, 8))
    if name != b"IHDR" or length != 13:
        raise Broken(ENDED)
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", exactly(file, 13))
    if depth not in DEPTHS.get(colour, ()):
        raise Broken(ENDED)
    file.seek(4, 1)
    end = file.seek(0, 2)
    file.seek(33)
    kept: dict[bytes, bytes] = {}
    texts: dict[bytes, bytes] = {}
    while name != b"IEND":
        length, name = struct.unpack(">I4s", exactly(file, 8))
        if file.tell() + length + 4 > end:
            raise Broken(ENDED)
        if name in KEPT and name not in kept:
            kept[name] = exactly(file, length)
            checksum = int.from_bytes(exactly(file, 4), "big")
            if name != b"eXIf" and zlib.crc32(kept[name], zlib.crc32(name)) != checksum:
                raise Broken(f"is damaged (a checksum differs, of its chunk {name.decode()})")
        elif name in TEXTS and length <= MAX_TEXT_BYTES:
            keyword, _, body = exactly(file, length).partition(b"\0")
            if keyword in (XMP, *RAW_PROFILES):
                texts[keyword] = _text(name, body)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
    icc, notes = _colours(kept)
    if b"acTL" in kept:
        notes = ("first picture of an animation", *notes)
    facts, doubts = heeded(kept.get(b"eXIf") or _raw_profile(texts), texts.get(XMP, b""))
    notes = (*notes, *doubts)
    channels = CHANNELS[colour] + (b"tRNS" in kept and colour in (0, 2))
    return Header("PNG", height, width, depth, channels, facts, icc, colour == 3, notes)


def decode_png(path: Path, header: Header) -> tuple[Array, str]:
    """Pixels (H, W, C) uint8 or uint16 and their model; palettes, single bits and colour keys are expanded.

    Raises:
        Broken: a checksum differs, or libpng finds an error.
    """
    import imagecodecs

    from realdeg.io.complaints import quiet

    core = png_core(path.read_bytes())
    try:
        with quiet():  # "too much image data" is no damage
            pixels: Array = imagecodecs.png_decode(core)
    except UnicodeDecodeError:  # libpng's words begin with the name of a chunk, which may be anything
        raise damaged_inside("libpng cannot decode its pixels") from None
    except (imagecodecs.PngError, ValueError) as error:
        raise damaged_inside(str(error)) from None
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    deep = 16 if header.depth == 16 else 8
    if pixels.shape[:2] != (header.height, header.width) or pixels.dtype.itemsize * 8 != deep:
        raise Broken("decodes to another size or depth than its header says")
    return pixels, MODELS[pixels.shape[2]]


def png_core(data: bytes) -> bytes:
    """The chunks that hold pixels, nothing else; every checksum of theirs is compared.

    Raises:
        Broken: a checksum differs, or bytes are missing.
    """
    parts, position, name, depth, colour = [PNG_SIGNATURE], 8, b"", 8, 2
    while name != b"IEND":
        if position + 12 > len(data):
            raise Broken(ENDED)
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise Broken(ENDED)
        if name in PIXELS:
            if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != int.from_bytes(
                data[end - 4 : end], "big"
            ):
                raise Broken("is damaged (a checksum differs)")
            chunk = data[position:end]
            if name == b"IHDR":
                depth, colour = struct.unpack_from(">BB", chunk, 16)
            elif name == b"tRNS" and colour in (0, 2):
                chunk = _in_depth(chunk[8:-4], depth)
            parts.append(chunk)
        position = end
    return b"".join(parts)


def _text(name: bytes, body: bytes) -> bytes:
    """Text of a chunk behind its keyword; b"" where it is damaged."""
    compressed = name == b"zTXt"
    if name == b"iTXt":
        compressed, body = body[:1] == b"\1", (body[2:].split(b"\0", 2) + [b""] * 3)[2]
    elif compressed:
        body = body[1:]
    if not compressed:
        return body
    try:
        return zlib.decompressobj().decompress(body, MAX_TEXT_BYTES)
    except zlib.error:
        return b""


def _raw_profile(texts: dict[bytes, bytes]) -> bytes:
    """EXIF that a text holds in hexadecimal digits, behind lines with its name and length."""
    text = next((texts[name] for name in RAW_PROFILES if name in texts), b"")
    try:
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        return b""


def _in_depth(samples: bytes, depth: int) -> bytes:
    """A tRNS chunk of a colour; of each sample the lowest `depth` bits count (PNG 3rd edition, 11.3.1.1)."""
    numbers = np.frombuffer(samples[: len(samples) // 2 * 2], ">u2") & (2**depth - 1)
    body = b"tRNS" + numbers.astype(">u2").tobytes()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _colours(kept: dict[bytes, bytes]) -> tuple[bytes | None, tuple[str, ...]]:
    """Profile of the colours, and notes: cICP before iCCP before sRGB (PNG 3rd edition, 4.3).

    gAMA and cHRM alone are ignored, as nearly all readers do; programs wrote wrong ones for decades.
    """
    coding = kept.get(b"cICP", b"")
    if len(coding) == 4:
        primaries, transfer, _, full_range = coding
        if not full_range:
            raise Unsupported("is coded in a narrow range (cICP), which is not read")
        icc, doubts = profile_of(primaries, transfer)
        aside = ("embedded profile set aside, since cICP states the colours",) * (b"iCCP" in kept)
        return icc, (*doubts, *aside)
    if b"iCCP" in kept:
        return _inflate(kept[b"iCCP"]), ()
    notes: list[str] = []
    if b"sRGB" not in kept:
        gamma = int.from_bytes(kept.get(b"gAMA", b""), "big")
        if gamma and abs(gamma - 45455) > 1000:
            notes.append(f"gAMA {gamma / 1e5:g} ignored, sRGB assumed")
        corners = kept.get(b"cHRM", b"")
        if len(corners) == 32 and np.abs(np.frombuffer(corners, ">u4") - np.array(SRGB_CORNERS)).max() > 500:
            notes.append("cHRM of other colours than sRGB's ignored, sRGB assumed")
    return None, tuple(notes)


def _inflate(chunk: bytes) -> bytes | None:
    """Profile of an iCCP chunk; b"" when it is damaged or absurdly large."""
    try:
        inflater = zlib.decompressobj()
        profile = inflater.decompress(chunk.split(b"\0", 1)[1][1:], MAX_ICC_BYTES)
    except (zlib.error, IndexError):
        return b""
    return profile if inflater.eof else b""
