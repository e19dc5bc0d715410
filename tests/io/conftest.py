"""Small pictures, and writers of files that no library writes for us."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Chunks = Callable[..., bytes]


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """(31, 46, 3) uint8: ramps, an edge and noise; no symmetry, so any wrong turn shows."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:31, :46]
    image = np.stack([4 * x + y, 7 * y, 60 + 2 * x + y], axis=-1).astype(float)
    image[5:12, 20:30] = (250, 30, 60)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def deep(picture: np.ndarray) -> np.ndarray:
    """The same picture in uint16 with its low bits in use."""
    low = np.random.default_rng(6).integers(0, 256, picture.shape)
    return (picture.astype(np.uint16) * 256 + low).astype(np.uint16)


@pytest.fixture(scope="session")
def png() -> Chunks:
    """PNG of an array, written here: any colour type, with further chunks before the pixels."""

    def make(pixels: np.ndarray, colour: int, depth: int, **chunks: bytes) -> bytes:
        h, w = pixels.shape[:2]
        rows = pixels.astype(">u2").tobytes() if depth == 16 else pixels.astype(np.uint8).tobytes()
        stride = len(rows) // h
        flat = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(h))
        parts = {"IHDR": struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, 0), **chunks}
        parts |= {"IDAT": zlib.compress(flat), "IEND": b""}
        data = b"\x89PNG\r\n\x1a\n"
        for name, body in parts.items():
            tagged = name.encode() + body
            data += struct.pack(">I", len(body)) + tagged + struct.pack(">I", zlib.crc32(tagged))
        return data

    return make


@pytest.fixture(scope="session")
def matrix_profile() -> Callable[..., bytes]:
    """ICC v2 display profile from primaries (columns: XYZ at D50) and a gamma, laid out by hand."""

    def make(primaries: np.ndarray, gamma: float, name: str = "Test RGB") -> bytes:
        def s15(values: Any) -> bytes:
            return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

        text = name.encode() + b"\0"
        curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
        tags = {
            b"desc": b"desc\0\0\0\0"
            + struct.pack(">I", len(text))
            + text
            + bytes(78 + (-len(text) - 78 - 12) % 4),
            b"wtpt": s15((0.9642, 1.0, 0.8249)),
            b"cprt": b"text\0\0\0\0CC0\0",
            **{f"{c}XYZ".encode(): s15(primaries[:, i]) for i, c in enumerate("rgb")},
            **{f"{c}TRC".encode(): curve for c in "rgb"},
        }
        table, bodies, at = b"", b"", 128 + 4 + 12 * len(tags)
        for tag, body in tags.items():
            table += struct.pack(">4sII", tag, at, len(body))
            bodies += body
            at += len(body)
        header = struct.pack(">I4sI4s4s4s", at, b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
        header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
        header += struct.pack(">3i", 63190, 65536, 54061)
        return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies

    return make


@pytest.fixture(scope="session")
def write_dng() -> Callable[..., Path]:
    """Writer of an uncompressed RGGB DNG whose camera space is linear sRGB."""

    def tag(number: int, kind: int, *values: Any) -> tuple[int, int, int, bytes]:
        code = {1: "B", 3: "H", 4: "I", 5: "II", 10: "ii"}.get(kind)
        if code is None:
            return number, kind, len(values[0]), values[0]
        flat = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
        return number, kind, len(values), struct.pack(f"<{len(flat)}{code[0]}", *flat)

    def directory(tags: list[tuple[int, int, int, bytes]], at: int, following: bytes = b"") -> bytes:
        """IFD at offset `at` (even), long values behind it."""
        table, values = struct.pack("<H", len(tags)), b""
        end = at + 2 + 12 * len(tags) + 4
        for number, kind, count, body in sorted(tags):
            if len(body) > 4:
                table += struct.pack("<HHII", number, kind, count, end + len(values))
                values += body + b"\0" * (len(body) % 2)
            else:
                table += struct.pack("<HHI", number, kind, count) + body.ljust(4, b"\0")
        return table + bytes(4) + values

    def write(
        path: Path,
        linear: np.ndarray,
        *,
        orientation: int = 1,
        cut: int | None = None,
        neutral: tuple[float, ...] = (1, 1, 1),
    ) -> Path:
        """`linear`: (H, W, 3) scene light in [0, 1], H and W even; `neutral`: what the sensor makes of white."""
        h, w = linear.shape[:2]
        channel = np.array([[0, 1], [1, 2]])[np.ix_(np.arange(h) % 2, np.arange(w) % 2)]
        sensor = np.take_along_axis(linear * neutral, channel[..., None], axis=2)[..., 0]
        black, white = 512, 16000
        strip = np.rint(black + sensor * (white - black)).astype("<u2").tobytes()
        xyz_to_rgb = np.linalg.inv(
            [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        )
        matrix = [(round(v * 10000), 10000) for v in xyz_to_rgb.ravel()]
        exif_at = 8
        exif = directory(
            [tag(0x8827, 3, 200), tag(0x920A, 5, (23, 1)), tag(0xA404, 5, (3, 2)), tag(0xA405, 3, 35)],
            exif_at,
        )
        main_at = exif_at + len(exif)
        tags = [
            *(
                tag(254, 4, 0),
                tag(256, 4, w),
                tag(257, 4, h),
                tag(258, 3, 16),
                tag(259, 3, 1),
                tag(262, 3, 32803),
            ),
            *(tag(271, 2, b"Maker\0"), tag(272, 2, b"Model 1\0"), tag(274, 3, orientation), tag(277, 3, 1)),
            *(tag(278, 4, h), tag(279, 4, len(strip)), tag(33421, 3, 2, 2), tag(33422, 1, 0, 1, 1, 2)),
            *(tag(34665, 4, exif_at), tag(50706, 1, 1, 4, 0, 0), tag(50708, 2, b"Maker Model 1\0")),
            *(tag(50714, 3, black), tag(50717, 3, white), tag(50721, 10, *matrix), tag(50778, 3, 21)),
            tag(50728, 5, *((round(part * 1000), 1000) for part in neutral)),
        ]
        size = len(directory([*tags, tag(273, 4, 0)], main_at))
        body = exif + directory([*tags, tag(273, 4, main_at + size)], main_at) + strip
        data = struct.pack("<2sHI", b"II", 42, main_at) + body
        path.write_bytes(data[:cut])
        return path

    return write
