"""HEIF (HEVC inside) and AVIF (AV1 inside): which picture a file shows, and its pixels.

The container states turns, mirrors and the clean part of a picture; EXIF repeats the turn, and readers
that obey both turn twice. Here the container alone counts (ISO/IEC 23008-12, 6.5.10 and A.2). libheif
(pillow-heif, an extra) turns and crops by itself, OpenCV's libavif does neither.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.errors import EXIT_MISSING_RESOURCE, UserError
from realdeg.io.boxes import Cursor, Items, item_bytes, read_items
from realdeg.io.cicp import profile_of
from realdeg.io.exif import Facts, read_facts
from realdeg.io.header import ENDED, Broken, Header, Unsupported
from realdeg.io.orientation import orientation_of

Array = np.ndarray[Any, Any]
CODINGS = {b"hvc1": "HEIF", b"hev1": "HEIF", b"av01": "AVIF"}
ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")


def heif_header(file: IO[bytes]) -> Header:
    """Header of the primary picture, from the `meta` box alone."""
    items = read_items(file)
    main = items.primary
    coded = (items.references.get((main, b"dimg")) or [main])[0] if _kind(items, main) == b"grid" else main
    kind = CODINGS.get(_kind(items, coded))
    if kind is None:
        found = _kind(items, coded).decode("latin-1")
        raise Unsupported(f"holds a picture of kind {found!r}, which is not read")
    height, width = _size(items, main, kind)
    depth, grey = _samples(items, coded, kind)
    icc, notes = _colours(items, main)
    channels = (1 if grey else 3) + _has_alpha(items)
    facts = _facts(file, items)
    return Header(kind, height, width, depth, channels, facts, icc, notes=notes, upright=kind == "HEIF")


def decode_heif(path: Path, header: Header) -> tuple[Array, str]:
    """Pixels of a HEIF file, upright: (H, W, C) uint8 or uint16 of the full range, and their model.

    Raises:
        UserError: pillow-heif is not installed.
    """
    try:
        import pillow_heif
    except ImportError:
        problem = "is a HEIF photo, which needs one more library"
        remedy = "pip install 'realdeg[heif]'"
        raise UserError(path, problem, remedy, exit_code=EXIT_MISSING_RESOURCE) from None
    try:
        image = pillow_heif.open_heif(path.read_bytes(), convert_hdr_to_8bit=False, hdr_to_16bit=False)
    except SyntaxError as error:
        raise Unsupported(f"is HEIF of a kind that libheif does not read ({error})") from None
    pixels = np.array(image)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    size_hw = (
        (header.width, header.height) if header.facts.orientation >= 5 else (header.height, header.width)
    )
    if pixels.shape[:2] != size_hw or int(image.info["bit_depth"]) != header.depth:
        raise Broken("decodes to another size or depth than its header says")
    pixels = full_range(pixels, header.depth)
    if image.mode.split(";")[0].endswith("a"):
        pixels = _unmultiplied(pixels)
    return pixels, ("L", "LA", "RGB", "RGBA")[pixels.shape[2] - 1]


def full_range(pixels: Array, depth: int) -> Array:
    """Samples of 10 or 12 bit in uint16, spread so that white is 65535; others as they are."""
    if depth <= 8 or depth == 16:
        return pixels
    top = 2**depth - 1
    return ((pixels.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)


def _kind(items: Items, item: int) -> bytes:
    return items.kinds.get(item, b"none")


def _size(items: Items, main: int, kind: str) -> tuple[int, int]:
    """Height and width before turning, px."""
    size = items.first(main, b"ispe")
    if size is None:
        raise Broken(ENDED)
    cursor = Cursor(size[4:])
    width, height = cursor.number(4), cursor.number(4)
    clean = items.first(main, b"clap")
    if clean is not None:
        cursor = Cursor(clean)
        ratios = [cursor.number(4) / max(cursor.number(4), 1) for _ in range(2)]
        whole = (width, height)
        width, height = (min(round(ratio), side) for ratio, side in zip(ratios, whole, strict=True))
        if kind == "AVIF" and (width, height) != whole:
            raise Unsupported("is cropped by its header, which is not read in AVIF")
    return height, width


def _samples(items: Items, coded: int, kind: str) -> tuple[int, bool]:
    """Bits per sample, and whether the picture is grey (ISO/IEC 14496-15, 8.3.2.1; AV1-ISOBMFF, 2.3.3)."""
    setup = items.first(coded, b"hvcC" if kind == "HEIF" else b"av1C")
    if setup is None or len(setup) < (18 if kind == "HEIF" else 4):
        raise Broken(ENDED)
    if kind == "HEIF":
        return 8 + (setup[17] & 7), setup[16] & 3 == 0
    deep, twelve = setup[2] & 0x40, setup[2] & 0x20
    return (12 if twelve else 10) if deep else 8, bool(setup[2] & 0x10)


def _has_alpha(items: Items) -> bool:
    """Whether a second picture states the opacity of the primary one."""
    return any(
        name == b"auxl"
        and items.primary in targets
        and (items.first(source, b"auxC") or b"")[4:].split(b"\0")[0] in ALPHA
        for (source, name), targets in items.references.items()
    )


def _colours(items: Items, main: int) -> tuple[bytes | None, tuple[str, ...]]:
    """Embedded profile, or one made from code points; a profile wins where both are stated."""
    stated = [body for name, body in items.properties.get(main, []) if name == b"colr"]
    for body in stated:
        if body[:4] in (b"prof", b"rICC"):
            return body[4:], ()
    for body in stated:
        if body[:4] == b"nclx":
            cursor = Cursor(body[4:])
            return profile_of(cursor.number(2), cursor.number(2))
    return None, ()


def _facts(file: IO[bytes], items: Items) -> Facts:
    """EXIF, with the orientation that the container states in place of EXIF's own."""
    moves = [
        (name.decode(), body[0] & (3 if name == b"irot" else 1))
        for name, body in items.properties.get(items.primary, [])
        if name in (b"irot", b"imir") and body
    ]
    block = b""
    for item, kind in items.kinds.items():
        if kind == b"Exif" and items.primary in items.references.get((item, b"cdsc"), [items.primary]):
            data = item_bytes(file, items, item)
            block = data[4 + int.from_bytes(data[:4]) :]
    return replace(read_facts(block), orientation=orientation_of(moves))


def _unmultiplied(pixels: Array) -> Array:
    """Colours without the opacity that was multiplied into them."""
    top = np.iinfo(pixels.dtype).max
    share = np.maximum(pixels[..., -1:], 1) / top
    colours = np.minimum(np.rint(pixels[..., :-1] / share), top).astype(pixels.dtype)
    return np.concatenate([colours, pixels[..., -1:]], axis=2)
