"""JPEG: the segments before the pixels, whether the end is there, and pixels that libjpeg does not doubt.

libjpeg fills what it cannot decode with grey, warns and goes on. `simplejpeg` makes an error of its first
warning. Everything that may draw a harmless warning (stray bytes between segments, padding behind the last
block) is taken out before, so that it cannot hide the next one.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.io.exif import heeded
from realdeg.io.header import ENDED, Broken, Header, Unsupported, damaged_inside, exactly

Array = np.ndarray[Any, Any]
SEGMENT_IN_SCAN = re.compile(rb"\xff+([\xc4\xd9-\xdd\xe0-\xef\xfe])", re.DOTALL)
"""What may end the entropy-coded data of a scan; libjpeg shall see and refuse any other marker there."""
METADATA = (*range(0xE1, 0xEE), 0xEF, 0xFE)
"""Segments that no pixel hangs on, though libjpeg may complain of them; APP0 and APP14 name the colours."""
SEGMENT = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
XMP = b"http://ns.adobe.com/xap/1.0/\0"
LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
CODINGS = {
    **{0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "hierarchical lossless"},
    **{0xCB: "lossless arithmetic", 0xCD: "hierarchical", 0xCE: "hierarchical", 0xCF: "hierarchical"},
    0xF7: "JPEG-LS",
}
"""Start-of-frame markers whose pixels are not read (ITU-T T.81, table B.1; T.87)."""
MAX_STRAY_BYTES = 1 << 16
USUAL_SCANS = 16
"""Decoding a scan touches every block: work is scans times pixels. Encoders write up to 12 scans."""
MIN_WORK = 2_000_000_000  # pixels times scans that any photo may take: some 20 s at worst


def jpeg_header(file: IO[bytes]) -> Header:
    """Header of a JPEG, from the segments before the first scan."""
    file.seek(2)
    exif, xmp, icc, frame = b"", b"", {}, None
    while (marker := _next_marker(file)) != 0xDA:
        if marker in (0xD8, 0x01, *range(0xD0, 0xD8)):
            continue
        if marker == 0xD9:
            raise Broken("holds no image data")
        if marker in CODINGS:
            raise Unsupported(f"is a JPEG of the {CODINGS[marker]} kind, which is not read")
        length = struct.unpack(">H", exactly(file, 2))[0] - 2
        if length < 0:
            raise Broken(ENDED)
        if marker in range(0xC0, 0xD0) and marker not in (0xC4, 0xC8, 0xCC):
            frame = struct.unpack(">BHHB", exactly(file, length)[:6])
        elif marker == 0xE1:
            body = exactly(file, length)
            exif = exif or (body if body.startswith(b"Exif\0\0") else b"")
            xmp = xmp or (body if body.startswith(XMP) else b"")
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
    if height == 0 and width:
        raise Unsupported("is a JPEG that states its height behind the pixels (DNL), which is not read")
    profile = b"".join(part for _, part in sorted(icc.items())) or None
    facts, notes = heeded(exif, xmp)
    return Header("JPEG", height, width, 8, channels, facts, profile, notes=notes)


def decode_jpeg(path: Path, header: Header) -> tuple[Array, str]:
    """Pixels as stored: (H, W, C) uint8, and "L", "RGB" or "CMYK".

    Raises:
        Broken: cut short, or libjpeg warns of anything but padding.
        Unsupported: hundreds of scans of a large picture.
    """
    model = {1: "L", 3: "RGB", 4: "CMYK"}[header.channels]
    decoded = decode_stream(path.read_bytes(), header.height, header.width, model)
    if model == "CMYK":  # stored inverted since Adobe did so first; all readers take it to be
        np.subtract(255, decoded, out=decoded)
    return decoded, model


def decode_stream(data: bytes, height: int, width: int, model: str) -> Array:
    """Decode a JPEG whose size is known; CMYK stays as it lies there.

    Args:
        data: from the start marker to the end marker, or longer.
        height, width: what the JPEG's header says, px.
        model: "L", "RGB" or "CMYK".

    Raises:
        Broken, Unsupported: as `decode_jpeg`.
    """
    core, scans = jpeg_core(data)
    if scans > USUAL_SCANS and scans * height * width > MIN_WORK:
        megapixels = f"{height * width / 1e6:.0f} million pixels"
        raise Unsupported(f"has {scans} scans of {megapixels} each, which take minutes to decode")
    decoded = _strictly(core, model)
    if decoded.shape[:2] != (height, width):
        raise Broken("decodes to another size than its header says")
    return decoded


def jpeg_core(data: bytes) -> tuple[bytes, int]:
    """A JPEG up to its end marker, without metadata and stray bytes; and the number of its scans.

    A second picture (Ultra HDR, MPF) may follow the end marker.

    Raises:
        Broken: the end marker is not there.
    """
    kept, start, position, scans = [], 0, 2, 0
    in_scan = False
    while True:
        found = (SEGMENT_IN_SCAN if in_scan else SEGMENT).search(data, position)
        if found is None or (found.end() + 2 > len(data) and found[1] != b"\xd9"):
            raise Broken("is cut short (its end marker is missing)")
        if not in_scan and found.start() > position:
            kept.append(data[start:position])
            start = found.start()
        marker, position = found[1][0], found.end()
        if marker == 0xD9:
            break
        if marker in (0xD8, 0x01, *range(0xD0, 0xD8)):
            continue
        position += struct.unpack_from(">H", data, position)[0]
        if marker in METADATA:
            kept.append(data[start : found.start()])
            start = position
        in_scan = marker == 0xDA
        scans += in_scan
    return b"".join([*kept, data[start:position]]), scans


def _strictly(data: bytes, model: str) -> Array:
    """Decode; a warning of libjpeg is an error, unless it is of padding behind the picture."""
    try:
        return _by_turbojpeg(data, model)
    except ValueError as error:
        found = LEFT_OVER.search(str(error))
        if found is None:
            raise damaged_inside(str(error)) from None
    left_over = int(found[1])
    end = len(data) - 2
    behind = data[max(end - left_over, 0) : end]
    if behind.strip(b"\0") and behind.strip(b"\xff"):
        raise damaged_inside(f"{left_over} bytes are left over where the picture ends")
    try:
        return _by_turbojpeg(data[: end - left_over] + data[end:], model)
    except ValueError as error:
        raise damaged_inside(str(error)) from None


def _by_turbojpeg(data: bytes, model: str) -> Array:
    import simplejpeg

    try:
        decoded: Array = simplejpeg.decode_jpeg(data, "GRAY" if model == "L" else model, strict=True)
    except ValueError as error:
        if "subsampling" not in str(error):
            raise
        return _of_any_sampling(data)
    return decoded


def _of_any_sampling(data: bytes) -> Array:
    """TurboJPEG knows the usual samplings of colour; libjpeg underneath, by way of OpenCV, knows all.

    Raises:
        ValueError: libjpeg's warning.
    """
    import cv2

    from realdeg.io.complaints import heard

    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    with heard() as complaints:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if decoded is None or complaints:
        raise ValueError("; ".join(complaints) or "libjpeg cannot decode it")
    return np.asarray(decoded)


def _next_marker(file: IO[bytes]) -> int:
    stray = 0
    byte = exactly(file, 1)
    while byte != b"\xff":  # stray bytes between segments are allowed by every decoder
        stray += 1
        if stray > MAX_STRAY_BYTES:
            raise Broken(ENDED)
        byte = exactly(file, 1)
    while byte == b"\xff":
        byte = exactly(file, 1)
    return byte[0]
