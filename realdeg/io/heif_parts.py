"""What a picture in a HEIF or AVIF is put together from, and whether that fits the size it states.

A decoder allocates what the coded pictures ask for, not what the container says. So every sequence header
is read here, in the container's copy of it and in the coded bytes, before a decoder sees the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import IO

from realdeg.io.av1 import av1_headers
from realdeg.io.boxes import Cursor, Items, Stretch, item_bytes
from realdeg.io.coded import Coded
from realdeg.io.header import ENDED, Broken, Unsupported
from realdeg.io.hevc import hevc_headers

CODINGS = {b"hvc1": "HEIF", b"hev1": "HEIF", b"av01": "AVIF"}
OTHERS = {
    **{b"j2k1": "JPEG 2000", b"jpeg": "JPEG", b"unci": "uncompressed samples", b"avc1": "H.264"},
    **{b"vvc1": "VVC", b"vvi1": "VVC", b"evc1": "EVC", b"evbi": "EVC", b"jxs1": "JPEG XS"},
    **{b"lhv1": "layered HEVC", b"hvt1": "HEVC tiles", b"tili": "tiles", b"mski": "a mask"},
    **{b"iovl": "an overlay of pictures", b"iden": "another picture, changed", b"tmap": "a gain map"},
    **{b"sato": "a combination of pictures"},
}
"""Kinds of items that are not read (ISO/IEC 23008-12 and its annexes; 14496-15; AVIF, 4.2.3)."""
MARGIN = 64
"""Coded pictures may exceed their stated size by part of a block, px (HEVC's and AV1's are 64 or less
where a header counts in them)."""


@dataclass(frozen=True)
class Parts:
    """The coded pictures of one item.

    Attributes:
        kind: "HEIF" or "AVIF".
        items: the tiles of a grid, row by row, or the item itself.
        coded: sequence header of each.
    """

    kind: str
    items: tuple[int, ...]
    coded: tuple[Coded, ...]


def parts_of(file: IO[bytes], items: Items, item: int) -> Parts:
    """Parts of an item, each held to the size it states.

    Raises:
        Unsupported: of a kind that is not read, by name.
        Broken: tiles that do not make up the picture, or coded pictures of another size.
    """
    tiles = [item]
    if items.kinds.get(item) == b"grid":
        tiles = items.references.get((item, b"dimg"), [])
        _check_grid(
            item_bytes(file, items, item),
            stated_size(items, item),
            [stated_size(items, one) for one in tiles],
        )
    kinds = {items.kinds.get(one, b"none") for one in tiles}
    for found in sorted(kinds - set(CODINGS)):
        code = ascii(found.decode("latin-1"))
        named = f"{OTHERS[found]} ({code})" if found in OTHERS else f"a picture of kind {code}"
        raise Unsupported(f"holds {named}, which is not read")
    if len({CODINGS[one] for one in kinds}) != 1:
        raise Broken("has tiles of different kinds")
    kind = CODINGS[kinds.pop()]
    return Parts(kind, tuple(tiles), tuple(_coded(file, items, one, kind) for one in tiles))


def stated_size(items: Items, item: int) -> tuple[int, int]:
    """Height and width that the container states, px (`ispe`).

    Raises:
        Broken: it states none.
    """
    stated = items.first(item, b"ispe")
    if stated is None:
        raise Broken("does not state the size of its picture")
    cursor = Cursor(stated)
    cursor.take(4)
    width, height = cursor.number(4), cursor.number(4)
    return height, width


def clean_part(items: Items, item: int) -> tuple[slice, slice]:
    """Rows and columns that are to be shown, before turning (`clap`, ISO/IEC 14496-12, 12.1.4).

    Raises:
        Broken: none are left.
    """
    size_hw = stated_size(items, item)
    clean = items.first(item, b"clap")
    if clean is None:
        return slice(0, size_hw[0]), slice(0, size_hw[1])
    cursor = Cursor(clean)
    width, height, right, down = (_fraction(cursor) for _ in range(4))
    rows, columns = _span(height, down, size_hw[0]), _span(width, right, size_hw[1])
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise Broken("shows no part of its picture")
    return rows, columns


def _fraction(cursor: Cursor) -> Fraction:
    above, below = (int.from_bytes(cursor.take(4), signed=True) for _ in range(2))
    if below < 1:
        raise Broken(ENDED)
    return Fraction(above, below)


def _span(length: Fraction, offset: Fraction, side: int) -> slice:
    """Pixels of the part of that length whose middle lies `offset` from the picture's; as libheif rounds."""
    first = round(offset + Fraction(side - 1, 2) - (length - 1) / 2)
    return slice(max(first, 0), min(first + round(length), side))


def _check_grid(body: bytes, whole: tuple[int, int], tiles: list[tuple[int, int]]) -> None:
    """Tiles fill the picture and reach beyond it by less than one (ISO/IEC 23008-12, 6.6.2.3)."""
    cursor = Cursor(body)
    wide = 4 if cursor.number(2) & 1 else 2
    counts = (1 + cursor.number(1), 1 + cursor.number(1))
    width, height = cursor.number(wide), cursor.number(wide)
    fits = (
        len(tiles) == counts[0] * counts[1]
        and len(set(tiles)) == 1
        and (height, width) == whole
        and all(
            (count - 1) * tile < side <= count * tile
            for count, tile, side in zip(counts, tiles[0], whole, strict=True)
        )
    )
    if not fits:
        raise Broken("has tiles that do not make up its size")


def _coded(file: IO[bytes], items: Items, item: int, kind: str) -> Coded:
    """The first sequence header of a coded item, after all have been looked at."""
    stretch = Stretch(file, items.extents.get(item, []))
    if kind == "HEIF":
        found = list(hevc_headers(items.first(item, b"hvcC") or b"", stretch))
    else:
        found = list(av1_headers(stretch))
    if not found:
        raise Broken(ENDED)
    height, width = stated_size(items, item)
    for one in found:
        if one.height > height + MARGIN or one.width > width + MARGIN:
            raise Broken(
                f"states {width} x {height} px for a picture that is coded as {one.width} x {one.height}"
            )
    return found[0]
