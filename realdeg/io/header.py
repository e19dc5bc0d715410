"""What a file says of itself before a pixel is decoded, and what is wrong with it.

Every decoder in reach lies about some file: OpenCV fills the missing part of a JPEG with grey, Pillow
gives 8 bits of a 16-bit PNG. So `jpeg.py`, `png.py`, `tiff.py`, `webp.py`, `heif.py` and `bmp.py` walk
the containers themselves, with a few reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Literal

from realdeg.io.exif import Facts

AlphaPolicy = Literal["white", "black", "refuse"]  # background of transparent pixels
MAX_ICC_BYTES = 16 << 20
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ENDED = "is cut short or damaged"
OTHERS = (
    (b"GIF8", 0, "GIF"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"JXL ", 4, "JPEG XL"),
    (b"jP  ", 4, "JPEG 2000"),
    (b"8BPS", 0, "Photoshop"),
    (b"%PDF", 0, "PDF"),
    (b"v/1\x01", 0, "OpenEXR"),
)
"""Start of a file, its offset, and the kind it gives away."""
BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes; the four before are reserved, some writers use them
HEIF_BRANDS = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"avif", b"avis"),
    *(b"mif1", b"mif2", b"miaf", b"msf1"),
)
"""Major brands of HEIF and AVIF; the last four say nothing of the codec inside."""


class Broken(Exception):
    """The file is not what it claims to be; the text continues "FILE: ..." and has no remedy yet."""


class Unsupported(Broken):
    """The file is whole, but of a kind that is not read."""


class TooLarge(Broken):
    """More pixels than the caller wants to decode."""


def damaged_inside(words: str) -> Broken:
    """What a decoder complains of, in its words; the container around it is whole."""
    return Broken(f"is damaged inside: {' '.join(words.split())}")


@dataclass(frozen=True)
class Header:
    """Facts of the container.

    Attributes:
        kind: "JPEG", "PNG", "TIFF", "WebP", "HEIF", "AVIF" or "BMP".
        height, width: as stored, before orientation, px.
        depth: bits per sample as stored.
        channels: as stored: 1 grey or palette, 2 grey + alpha, 3 RGB, 4 RGBA (JPEG: CMYK).
        facts: from EXIF.
        icc: embedded colour profile.
        palette: samples are indices.
        notes: what the reader should know.
        upright: the decoder itself applies the orientation.
    """

    kind: str
    height: int
    width: int
    depth: int = 8
    channels: int = 3
    facts: Facts = field(default_factory=Facts)
    icc: bytes | None = None
    palette: bool = False
    notes: tuple[str, ...] = ()
    upright: bool = False


def sniff(start: bytes) -> str:
    """Kind of a file from its first 16 bytes; "HEIF" may still turn out to be AVIF.

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
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        return "HEIF"
    if start[:2] == b"BM" and len(start) == 16 and start[14] in BMP_HEADERS and start[15] == 0:
        return "BMP"
    if start[:4] == b"\x28\0\0\0" and start[12:14] == b"\1\0":
        raise Unsupported("is a BMP without its file header (DIB), which is not read")
    for mark, at, name in OTHERS:
        if start[at : at + len(mark)] == mark:
            raise Unsupported(f"is a {name} file, which is not read")
    raise Broken("is not an image")


def exactly(file: IO[bytes], count: int) -> bytes:
    """The next `count` bytes.

    Raises:
        Broken: the file ends before.
    """
    data = file.read(count)
    if len(data) != count:
        raise Broken(ENDED)
    return data
