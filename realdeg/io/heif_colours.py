"""Where a HEIF or AVIF says which colours it means.

In this order, and the first that speaks is believed:

1. `colr` of the picture itself. It supersedes what the coded picture says (ISO/IEC 14496-12, 12.1.5).
2. `colr` of its tiles, where it is a grid: phones of 2017 to 2019 and several cameras leave it there.
   (ISO/IEC 23008-12, 6.6.2.3, wants tiles of equal properties; libheif takes the first tile's.)
3. The codec's own header: HEVC's video usability information (ITU-T H.265, E.2.1), AV1's colour config
   (AV1, 5.5.2), as libavif does. Some phones state television's colours there (BT.601), which may mean no
   more than the matrix from RGB to Y'CbCr; so a note says where they come from.

An item may hold an ICC profile and code points (ISO/IEC 23008-12, 6.5.5): the profile is for colours, the
code points then tell how Y'CbCr became RGB. Code points of "not stated" (2/2) say nothing.
"""

from __future__ import annotations

from typing import TypeVar

from realdeg.io.boxes import Cursor, Items
from realdeg.io.cicp import profile_of
from realdeg.io.coded import NOT_STATED
from realdeg.io.header import Unsupported
from realdeg.io.heif_parts import Parts

Stated = bytes | tuple[int, int]  # an ICC profile, or primaries and transfer
Statement = TypeVar("Statement")


def colours_of(items: Items, parts: Parts) -> tuple[bytes | None, tuple[str, ...]]:
    """ICC profile of the primary picture, None for sRGB, and notes.

    Raises:
        Unsupported: coded for HDR displays, or tiles that state different colours.
    """
    stated = _by_container(items, items.primary)
    if stated is None and parts.items != (items.primary,):
        stated = _one_of({_by_container(items, tile) for tile in parts.items})
    if isinstance(stated, bytes):
        return stated, ()
    if stated is not None:
        return profile_of(*stated)
    icc, notes = profile_of(*_one_of({(one.primaries, one.transfer) for one in parts.coded}))
    return icc, notes if icc is None else ("colours as its codec states them", *notes)


def is_narrow(items: Items, parts: Parts) -> bool:
    """Whether grey runs from 16 to 235 in place of 0 to 255; the container supersedes the codec here too."""
    for item in (items.primary, parts.items[0]):
        for name, body in items.properties.get(item, []):
            if name == b"colr" and body[:4] == b"nclx" and len(body) > 10:
                return not body[10] & 0x80
    return parts.coded[0].narrow


def _by_container(items: Items, item: int) -> Stated | None:
    bodies = [body for name, body in items.properties.get(item, []) if name == b"colr"]
    for body in bodies:
        if body[:4] in (b"prof", b"rICC") and len(body) > 4:
            return body[4:]
    for body in bodies:
        if body[:4] == b"nclx":
            cursor = Cursor(body[4:])
            points = cursor.number(2), cursor.number(2)
            return None if points == (NOT_STATED, NOT_STATED) else points
    return None


def _one_of(statements: set[Statement]) -> Statement:
    """What all tiles say."""
    if len(statements) > 1:
        raise Unsupported("states different colours for its tiles, which is not read")
    return statements.pop()
