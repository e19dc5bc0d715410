"""AV1's sequence header: size, depth and colours of a picture in an AVIF (AV1 specification, 5.3 to 5.5)."""

from __future__ import annotations

from collections.abc import Iterator

from realdeg.io.bits import Bits
from realdeg.io.boxes import Stretch
from realdeg.io.coded import NOT_STATED, Coded
from realdeg.io.header import ENDED, Broken

SEQUENCE_HEADER = 1
"""`obu_type` (6.2.2)."""
MAX_HEADER_BYTES = 4096


def av1_headers(item: Stretch) -> Iterator[Coded]:
    """Every sequence header among the open bitstream units of a coded picture.

    Raises:
        Broken: damaged or cut short.
    """
    while item.left:
        head = item.take(1)[0]
        if head & 4:
            item.take(1)
        length = _leb128(item) if head & 2 else item.left
        if length > item.left:
            raise Broken(ENDED)
        kept = b""
        if head >> 3 & 15 == SEQUENCE_HEADER:
            kept = item.take(min(length, MAX_HEADER_BYTES))
            yield sequence_header(kept)
        item.skip(length - len(kept))


def sequence_header(unit: bytes) -> Coded:
    """What `sequence_header_obu()` says (5.5.1).

    Raises:
        Broken: damaged or cut short.
    """
    bits = Bits(unit)
    profile = bits.number(3)
    bits.number(1)
    reduced = bits.flag()
    if reduced:
        bits.number(5)
    else:
        _skip_operating_points(bits)
    widths, heights = 1 + bits.number(4), 1 + bits.number(4)
    width, height = 1 + bits.number(widths), 1 + bits.number(heights)
    _skip_coding_tools(bits, reduced)
    return _colours(bits, profile, height, width)


def _leb128(item: Stretch) -> int:
    value = 0
    for place in range(8):
        byte = item.take(1)[0]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value
    raise Broken(ENDED)


def _skip_operating_points(bits: Bits) -> None:
    """Timing, decoder models and operating points."""
    delay_bits = 0
    if bits.flag():
        bits.number(64)
        if bits.flag():
            bits.golomb()
        if bits.flag():
            delay_bits = 1 + bits.number(5)
            bits.number(42)
    delay_stated = bits.flag()
    for _ in range(1 + bits.number(5)):
        bits.number(12)
        if bits.number(5) > 7:
            bits.number(1)
        if delay_bits and bits.flag():
            bits.number(2 * delay_bits + 1)
        if delay_stated and bits.flag():
            bits.number(4)


def _skip_coding_tools(bits: Bits, reduced: bool) -> None:
    """From frame numbers to loop restoration."""
    if not reduced and bits.flag():
        bits.number(7)
    bits.number(3)
    if not reduced:
        bits.number(4)
        ordered = bits.flag()
        if ordered:
            bits.number(2)
        screen = bits.flag() or bits.flag()  # chosen by each frame, or always
        if screen and not bits.flag():
            bits.number(1)
        if ordered:
            bits.number(3)
    bits.number(3)


def _colours(bits: Bits, profile: int, height: int, width: int) -> Coded:
    """`color_config()` (5.5.2)."""
    depth = 10 if bits.flag() else 8
    if profile == 2 and depth == 10 and bits.flag():
        depth = 12
    grey = profile != 1 and bits.flag()
    primaries = transfer = NOT_STATED
    if bits.flag():
        primaries, transfer = bits.number(8), bits.number(8)
        bits.number(8)
    narrow = grey and not bits.flag()
    return Coded(height, width, depth, grey, primaries, transfer, narrow=narrow)
