"""HEVC's sequence parameter set: size, depth and colours of a picture (ITU-T H.265, 7.3.2 and E.2)."""

from __future__ import annotations

from collections.abc import Iterator

from realdeg.io.bits import Bits
from realdeg.io.boxes import Cursor, Stretch
from realdeg.io.coded import NOT_STATED, Coded
from realdeg.io.header import ENDED, Broken

SPS = 33
"""Type of the NAL unit (H.265, table 7-1)."""
MAX_SPS_BYTES = 4096


def hevc_headers(setup: bytes, item: Stretch) -> Iterator[Coded]:
    """Every sequence header of a picture: those of its `hvcC` box, then those among its own bytes.

    Args:
        setup: body of `hvcC` (ISO/IEC 14496-15, 8.3.2.1).
        item: the coded picture, NAL units behind their lengths.

    Raises:
        Broken: damaged or cut short.
    """
    cursor = Cursor(setup)
    cursor.take(21)
    length_bytes = 1 + (cursor.number(1) & 3)
    for _ in range(cursor.number(1)):
        kind = cursor.number(1) & 0x3F
        for _ in range(cursor.number(2)):
            unit = cursor.take(cursor.number(2))
            if kind == SPS:
                yield sequence_header(unit)
    while item.left:
        length = int.from_bytes(item.take(length_bytes))
        if length > item.left:
            raise Broken(ENDED)
        start = item.take(min(length, 2))
        if start and start[0] >> 1 & 0x3F == SPS:
            kept = item.take(min(length - len(start), MAX_SPS_BYTES))
            item.skip(length - len(start) - len(kept))
            yield sequence_header(start + kept)
        else:
            item.skip(length - len(start))


def sequence_header(unit: bytes) -> Coded:
    """What a sequence parameter set says; `unit` is the NAL unit with its two bytes of header.

    Raises:
        Broken: damaged or cut short.
    """
    bits = Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))  # without the bytes that keep start codes away (7.4.2)
    bits.number(4)
    layers = bits.number(3)
    bits.number(1)
    _skip_profile(bits, layers)
    bits.golomb()
    chroma = bits.golomb()
    if chroma == 3:
        bits.number(1)
    width, height = bits.golomb(), bits.golomb()
    if bits.flag():  # the conformance window, in chroma samples (table 6-1)
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        width -= (left + right) * (2 if chroma in (1, 2) else 1)
        height -= (top + bottom) * (2 if chroma == 1 else 1)
    if width < 1 or height < 1 or chroma > 3:
        raise Broken(ENDED)
    depth = 8 + bits.golomb()
    bits.golomb()
    _skip_coding_tools(bits, layers)
    primaries, transfer = _colours(bits)
    return Coded(height, width, depth, chroma == 0, primaries, transfer)


def _skip_profile(bits: Bits, layers: int) -> None:
    """`profile_tier_level(1, layers)` (7.3.3)."""
    bits.number(96)
    stated = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.number(2 * (8 - layers))
    for profile, level in stated:
        bits.number(88 * profile + 8 * level)


def _skip_coding_tools(bits: Bits, layers: int) -> None:
    """From the picture order count to strong intra smoothing (7.3.2.2.1)."""
    order_bits = 4 + bits.golomb()
    bits.skip_golombs(3 * (layers + 1 if bits.flag() else 1))
    bits.skip_golombs(6)
    if bits.flag() and bits.flag():
        _skip_scaling_lists(bits)
    bits.number(2)
    if bits.flag():  # PCM
        bits.number(8)
        bits.skip_golombs(2)
        bits.number(1)
    _skip_reference_sets(bits)
    if bits.flag():
        for _ in range(bits.golomb()):
            bits.number(order_bits + 1)
    bits.number(2)


def _skip_scaling_lists(bits: Bits) -> None:
    """`scaling_list_data()` (7.3.4)."""
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if bits.flag():
                bits.skip_golombs(min(64, 16 << 2 * size) + (size > 1))
            else:
                bits.golomb()


def _skip_reference_sets(bits: Bits) -> None:
    """All `st_ref_pic_set()` (7.3.7); still pictures have none, first pictures of a video may."""
    pictures = 0
    for index in range(bits.golomb()):
        if index and bits.flag():  # foretold by the set before
            bits.number(1)
            bits.golomb()
            pictures = sum(bits.flag() or bits.flag() for _ in range(pictures + 1))
        else:
            pictures = bits.golomb() + bits.golomb()
            for _ in range(pictures):
                bits.golomb()
                bits.number(1)


def _colours(bits: Bits) -> tuple[int, int]:
    """Primaries and transfer of the video usability information (E.2.1), where it states them."""
    if bits.flag():
        if bits.flag() and bits.number(8) == 255:
            bits.number(32)
        if bits.flag():
            bits.number(1)
        if bits.flag():
            bits.number(4)
            if bits.flag():
                return bits.number(8), bits.number(8)
    return NOT_STATED, NOT_STATED
