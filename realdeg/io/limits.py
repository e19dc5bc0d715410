"""How large a photo may be before it is refused: pixels, and bytes once decoded.

The limit belongs to the process, since every job and every training program reads photos: `--max-pixels`, or
REALDEG_MAX_PIXELS in the environment, which worker processes take over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.header import Broken, Header, TooLarge

VARIABLE = "REALDEG_MAX_PIXELS"
MAX_PIXELS = 179_000_000  # where Pillow, too, takes a file for an attack
BYTES_A_PIXEL = 6  # 16-bit RGB
SUSPECT_BYTES = 200 << 20
"""Decoded size from which on a file is asked how much it brings itself."""
MOST_FOR_A_BYTE = {"HEIF": 500, "AVIF": 500}
"""Decoded bytes for each byte of the file; else 250. Photos have 2 to 100, zeros under Deflate 1,030."""


def max_pixels() -> int:
    """The limit in force, px.

    Raises:
        UserError: REALDEG_MAX_PIXELS is no whole number above 0.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return MAX_PIXELS
    if not text.isdecimal() or not int(text):
        raise UserError(VARIABLE, f"is {text!r}, not a number of pixels", "unset it", exit_code=EXIT_USAGE)
    return int(text)


@contextlib.contextmanager
def allowing(pixels: int) -> Iterator[None]:
    """Another limit inside the block, in this process and those that it starts."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(pixels)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def check_size(size_hw: tuple[int, int], most: int) -> None:
    """Refuse a photo of more than `most` pixels.

    Raises:
        TooLarge: with both numbers.
        Broken: a side is 0.
    """
    h, w = size_hw
    if h < 1 or w < 1:
        raise Broken("says that it has no pixels")
    if h * w > most:
        raise TooLarge(f"has {w} x {h} = {_millions(h * w)} million pixels, more than {_millions(most)}")


def check_bytes(header: Header, file_bytes: int, most: int) -> None:
    """Refuse pixels of more bytes than `most` of 16-bit RGB have, or than a file of this size can hold.

    Args:
        header: of the photo.
        file_bytes: size of the file.
        most: pixels that are allowed.

    Raises:
        TooLarge: with the numbers.
    """
    check_size((header.height, header.width), most)
    sample = 2 if header.depth > 8 else 1
    decoded = header.height * header.width * (4 if header.palette else header.channels) * sample
    if decoded > most * BYTES_A_PIXEL:
        raise TooLarge(
            f"has {header.width} x {header.height} pixels of {header.channels} x {header.depth} bits = "
            f"{decoded >> 20} MiB, more than {most * BYTES_A_PIXEL >> 20}"
        )
    brings = MOST_FOR_A_BYTE.get(header.kind, 250)
    if decoded > max(SUSPECT_BYTES, brings * file_bytes) and not os.environ.get(VARIABLE):
        raise TooLarge(
            f"is {file_bytes / 1e6:.1f} MB that decode to {decoded / 1e6:.0f} MB, which no photo does"
        )


def _millions(pixels: int) -> str:
    millions = pixels / 1e6
    return f"{millions:.3g}" if millions < 100 else f"{millions:.0f}"
