"""Files made to hurt: a few kilobytes or megabytes that ask a careless reader for gigabytes or minutes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

GB = 1 << 30
BLOCK = 16 << 20
SIDE = 13_300  # its square is just below the largest photo that is read
CAUSES: dict[str, tuple[str, Callable[[], bytes]]] = {}
"""Name of a file, by what is odd about it, and what makes its bytes."""


def hostile(file: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Enter a maker under its file's name; the kind is its first line of documentation."""

    def enter(make: Callable[[], bytes]) -> Callable[[], bytes]:
        CAUSES[file] = ((make.__doc__ or "").splitlines()[0].rstrip("."), make)
        return make

    return enter


def write(file: str, folder: Path) -> Path:
    """Make one of the files in a folder."""
    path = folder / file
    path.write_bytes(CAUSES[file][1]())
    return path


def zeros_deflated(count: int, before: bytes = b"") -> bytes:
    """`before` and `count` zeros as a zlib stream without checksum, made of one block again and again."""
    engine = zlib.compressobj(9)
    start = engine.compress(before) + engine.flush(zlib.Z_FULL_FLUSH)
    block = engine.compress(bytes(BLOCK)) + engine.flush(zlib.Z_FULL_FLUSH)
    rest = engine.compress(bytes(count % BLOCK)) + engine.flush(zlib.Z_FULL_FLUSH)
    return start + block * (count // BLOCK) + rest + b"\x03\x00"


def tiff(strip: bytes, compression: int, size_hw: tuple[int, int] = (64, 64), **more: int) -> bytes:
    """A TIFF of 8-bit RGB with one strip of whatever; `more`: other tags by number, as t277=1."""
    height, width = size_hw
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 2, 273: 8, 277: 3, 278: height}
    tags |= {279: len(strip), 284: 1} | {int(name[1:]): value for name, value in more.items()}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    start = struct.pack("<2sHI", b"II", 42, 8 + len(strip) + len(strip) % 2)
    return start + strip + b"\0" * (len(strip) % 2) + struct.pack("<H", len(tags)) + entries + bytes(4)


@hostile("deflate.tif")
def _deflate() -> bytes:
    """TIFF of 64 x 64, its Deflate strip inflates to 4 GB."""
    return tiff(zeros_deflated(4 * GB), 8)


@hostile("lzw.tif")
def _lzw() -> bytes:
    """TIFF of 64 x 64, its LZW strip inflates to 2 GB."""
    import imagecodecs

    return tiff(imagecodecs.lzw_encode(np.zeros(2 * GB, np.uint8)), 5)


@hostile("zstd.tif")
def _zstd() -> bytes:
    """TIFF of 64 x 64, its Zstandard strip inflates to 4 GB."""
    import imagecodecs

    return tiff(imagecodecs.zstd_encode(np.zeros(4 * GB, np.uint8), level=1), 50000)


@hostile("lzma.tif")
def _lzma() -> bytes:
    """TIFF of 64 x 64, its LZMA strip inflates to 2 GB."""
    import lzma

    return tiff(lzma.compress(bytes(GB // 16), preset=0) * 32, 34925)


@hostile("rows.tif")
def _rows() -> bytes:
    """TIFF that states 13,300 x 13,300 and has a Deflate strip of 64 rows."""
    return tiff(zeros_deflated(64 * SIDE * 3), 8, (SIDE, SIDE))


@hostile("pool.npz")
def _npz() -> bytes:
    """Kernel pool (npz) of 3 GB of zeros."""
    count = 3_000_000 * 16 * 16
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": (count // 256, 16, 16)}
    )
    start = head.getvalue()
    checksum = zlib.crc32(start)
    for at in range(0, count * 4, BLOCK):
        checksum = zlib.crc32(bytes(min(BLOCK, count * 4 - at)), checksum)
    data = zeros_deflated(count * 4, start)[2:]
    name, whole = b"kernels.npy", len(start) + count * 4
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, checksum, len(data), whole, len(name), 0)
    listed = struct.pack(
        *("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, checksum, len(data), whole, len(name)),
        *(0, 0, 0, 0, 0, 0),
    )
    size = len(local) + len(name) + len(data)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(listed) + len(name), size, 0)
    return local + name + data + listed + name + end


@hostile("pool.mat")
def _mat() -> bytes:
    """Kernel pool (MATLAB 5) of 3 GB of zeros."""
    shape = (15, 15, 1_700_000)
    size = 8 * shape[0] * shape[1] * shape[2]
    name = b"kernels\0"
    inner = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIIII", 5, 12, *shape) + bytes(4)
    inner += struct.pack("<II", 1, 7) + name + struct.pack("<II", 9, size)
    stream = zeros_deflated(size, struct.pack("<II", 14, len(inner) + size) + inner)
    head = b"MATLAB 5.0 MAT-file".ljust(124, b" ") + struct.pack("<H2s", 0x0100, b"IM")
    return head + struct.pack("<II", 15, len(stream)) + stream


@hostile("aliases.yaml")
def _aliases() -> bytes:
    """--config of YAML aliases that stand for 10^9 values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    return "\n".join([*lines, "seed: *a8"]).encode()


@hostile("deep.yaml")
def _deep() -> bytes:
    """--config of YAML lists, 100,000 one in another."""
    return b"seed: " + b"[" * 100_000 + b"]" * 100_000


def png(width: int, height: int, kind: int, depth: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of what is given as its compressed rows."""
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = ((b"IHDR", head), *chunks, (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


@hostile("rgba16.png")
def _rgba16() -> bytes:
    """PNG of 16-bit RGBA just below the limit of pixels, 1.4 MB."""
    count = SIDE * (1 + SIDE * 8)
    checksum = struct.pack(">I", (count % 65521) << 16 | 1)  # Adler-32 of zeros
    return png(SIDE, SIDE, 6, 16, zeros_deflated(count) + checksum)


@hostile("profile.png")
def _profile() -> bytes:
    """PNG of 8 x 8 with a profile (iCCP) of 4 GB."""
    rows = zlib.compress(bytes(8 * 25))
    return png(8, 8, 2, 8, rows, (b"iCCP", b"wide\0\0" + zeros_deflated(4 * GB)))


@hostile("text.png")
def _text() -> bytes:
    """PNG of 8 x 8 with 4 GB of text (zTXt)."""
    rows = zlib.compress(bytes(8 * 25))
    return png(8, 8, 2, 8, rows, (b"zTXt", b"Comment\0\0" + zeros_deflated(4 * GB)))


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_start(height: int, width: int, frame: int) -> bytes:
    """Start of a JPEG with three full-size components and codes of one bit: DC 0, and 16,384 empty blocks."""
    table = segment(0xDB, b"\0" + bytes([1] * 64))
    parts = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    head = segment(frame, struct.pack(">BHHB", 8, height, width, 3) + parts)
    counts = bytes([1] + [0] * 15)
    return b"\xff\xd8" + table + head + segment(0xC4, b"\x00" + counts + b"\0" + b"\x10" + counts + b"\xe0")


def scan(components: tuple[int, ...], first: int, last: int, high: int, low: int) -> bytes:
    """Header of a progressive scan."""
    named = b"".join(bytes([number, 0]) for number in components)
    return segment(0xDA, bytes([len(components)]) + named + bytes([first, last, high << 4 | low]))


@hostile("scans.jpg")
def _scans() -> bytes:
    """Progressive JPEG of 60 MP with 2,647 valid scans."""
    height, width = 7744, 7744
    blocks = (height // 8) * (width // 8)
    empty = bytes((blocks // 16384 + 1) * 15 // 8 + 1)
    made = [jpeg_start(height, width, 0xC2), scan((1, 2, 3), 0, 0, 0, 0), bytes(3 * blocks // 8)]
    for component in (1, 2, 3):
        for k in range(1, 64):
            made += [scan((component,), k, k, 0, 13), empty]
            for low in range(12, -1, -1):
                made += [scan((component,), k, k, low + 1, low), empty]
    return b"".join([*made, b"\xff\xd9"])


@hostile("huge.jpg")
def _huge() -> bytes:
    """JPEG that states 65,500 x 65,500."""
    return jpeg_start(65500, 65500, 0xC0) + scan((1, 2, 3), 0, 63, 0, 0) + bytes(1000) + b"\xff\xd9"


@hostile("empty.jpg")
def _empty() -> bytes:
    """JPEG that states 13,300 x 13,300 and has 1,000 bytes of it."""
    return jpeg_start(SIDE, SIDE, 0xC0) + scan((1, 2, 3), 0, 63, 0, 0) + bytes(1000) + b"\xff\xd9"


def lying(kind: str) -> bytes:
    """A true HEIF or AVIF of 64 x 64 whose `ispe` states more."""
    from PIL import Image

    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(file, kind)
    data = file.getvalue()
    size = data.index(b"ispe") + 8
    return data[:size] + struct.pack(">II", SIDE, SIDE) + data[size + 8 :]


@hostile("ispe.heic")
def _heic() -> bytes:
    """HEIC of 64 x 64 whose container states 13,300 x 13,300."""
    return lying("HEIF")


@hostile("ispe.avif")
def _avif() -> bytes:
    """AVIF of 64 x 64 whose container states 13,300 x 13,300."""
    return lying("AVIF")


def lossless_webp(image: np.ndarray) -> bytes:
    """A true one."""
    import imagecodecs

    return bytes(imagecodecs.webp_encode(image, lossless=True, level=0))


@hostile("huge.webp")
def _huge_webp() -> bytes:
    """WebP (lossless) that states 16,383 x 16,383."""
    data = bytearray(lossless_webp(np.zeros((64, 64, 3), np.uint8)))
    at = data.index(b"VP8L") + 9
    data[at : at + 4] = struct.pack("<I", 16382 | 16382 << 14)
    return bytes(data)


@hostile("flat.webp")
def _flat_webp() -> bytes:
    """WebP (lossless) of 13,300 x 13,300, flat."""
    return lossless_webp(np.zeros((SIDE, SIDE, 3), np.uint8))


def bmp(depth: int, compression: int, palette: int, body: bytes) -> bytes:
    """A BMP of 13,300 x 13,300."""
    start = 54 + 4 * palette
    info = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, depth, compression, len(body), 0, 0, palette, 0)
    colours = bytes(4 * palette)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + info + colours + body


@hostile("rle.bmp")
def _rle() -> bytes:
    """BMP (RLE) of 13,300 x 13,300 in some bytes."""
    return bmp(8, 1, 256, b"\x10\x00" * 8 + b"\x00\x01")


@hostile("bits.bmp")
def _bits() -> bytes:
    """BMP of 13,300 x 13,300 without pixels."""
    return bmp(24, 0, 0, bytes(100))


@hostile("strip.dng")
def _dng() -> bytes:
    """DNG whose strip states 12,000 x 12,000 and lies behind the end."""
    return tiff(
        bytes(64),
        1,
        (12000, 12000),
        **{"t258": 16, "t262": 32803, "t277": 1, "t279": 288_000_000, "t50706": 0x0401, "t254": 0},
    )


@hostile("huge.gif")
def _gif() -> bytes:
    """GIF of 65,535 x 65,535."""
    return b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6) + b"\x2c" + bytes(9) + b";"
