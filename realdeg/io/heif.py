"""HEIF (HEVC inside) and AVIF (AV1 inside): which picture a file shows, and the pixels of HEIF.

The container states turns, mirrors and the clean part of a picture; EXIF repeats the turn, and readers
that obey both turn twice. Here the container alone counts (ISO/IEC 23008-12, 6.5.10 and A.2). libheif
(pillow-heif, an extra) turns and crops by itself, libavif does neither (`avif.py`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.errors import EXIT_MISSING_RESOURCE, UserError
from realdeg.io.boxes import Items, item_bytes, read_items
from realdeg.io.exif import Facts, read_facts
from realdeg.io.header import Broken, Header, Unsupported, damaged_inside
from realdeg.io.heif_colours import colours_of
from realdeg.io.heif_parts import clean_part, parts_of, stated_size
from realdeg.io.heif_units import check_coded
from realdeg.io.orientation import orientation_of

Array = np.ndarray[Any, Any]
ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
BAND = 64  # rows that are converted at a time


def heif_header(file: IO[bytes]) -> Header:
    """Header of the primary picture: from the `meta` box and the headers of the coded pictures."""
    items = read_items(file)
    main = items.primary
    parts = parts_of(file, items, main)
    clean = clean_part(items, main)
    height, width = (part.stop - part.start for part in clean)
    opacity = opacity_of(items, main)
    if opacity is not None:
        parts_of(file, items, opacity)
        sizes = zip(stated_size(items, opacity), stated_size(items, main), strict=True)
        if any(mask > side for mask, side in sizes):
            raise Broken("has a mask of transparency larger than itself")
    elif any(opacity_of(items, tile) is not None for tile in parts.items):
        raise Unsupported("has transparent tiles, which are not read")
    icc, notes = colours_of(items, parts)
    channels = (1 if parts.coded[0].grey else 3) + (opacity is not None)
    facts = _facts(file, items)
    depth, upright = parts.coded[0].depth, parts.kind == "HEIF"
    return Header(parts.kind, height, width, depth, channels, facts, icc, notes=notes, upright=upright)


def opacity_of(items: Items, item: int) -> int | None:
    """The item that states the opacity of another one."""
    for (source, name), targets in items.references.items():
        kind = (items.first(source, b"auxC") or b"")[4:].split(b"\0")[0]
        if name == b"auxl" and item in targets and kind in ALPHA:
            return source
    return None


def decode_heif(path: Path, header: Header) -> tuple[Array, str]:
    """Pixels of a HEIF file, upright: (H, W, C) uint8 or uint16 of the full range, and their model.

    Raises:
        UserError: pillow-heif is not installed.
    """
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        problem = "is a HEIF photo, which needs one more library"
        remedy = "pip install 'realdeg[heif]'"
        raise UserError(path, problem, remedy, exit_code=EXIT_MISSING_RESOURCE) from None
    data = path.read_bytes()
    check_coded(data)
    image, stored = _opened(data, header)
    if not image.info["primary"]:  # it gives the first picture in place of a primary one that it cannot read
        raise Unsupported("is HEIF of a kind that libheif does not read")
    if int(image.info["bit_depth"]) != header.depth:
        raise Broken("decodes to another size or depth than its header says")
    if header.channels == 2 and stored.shape[2] == 4:  # libheif makes RGBA of grey with transparency
        stored = stored[..., ::3]
    if stored.shape[2] != header.channels:
        raise Broken("decodes to other channels than its header says")
    premultiplied = image.mode.split(";")[0].endswith("a")
    pixels: Array = np.empty(stored.shape, stored.dtype)
    for top in range(0, len(stored), BAND):  # whole temporaries would be several times the picture
        band = full_range(stored[top : top + BAND], header.depth)
        pixels[top : top + BAND] = unmultiplied(band) if premultiplied else band
    return pixels, ("L", "LA", "RGB", "RGBA")[pixels.shape[2] - 1]


def _opened(data: bytes, header: Header) -> tuple[Any, Array]:
    """Picture as libheif gives it, and its samples (H, W, C)."""
    import pillow_heif

    try:
        image = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        stored = np.asarray(image)
    except SyntaxError as error:
        raise Unsupported(f"is HEIF of a kind that libheif does not read ({error})") from None
    except (ValueError, RuntimeError, EOFError) as error:
        raise damaged_inside(str(error)) from None
    size_hw = (header.height, header.width)
    if stored.shape[:2] != (size_hw[::-1] if header.facts.orientation >= 5 else size_hw):
        raise Broken("decodes to another size or depth than its header says")
    return image, stored.reshape(*stored.shape[:2], -1)


def full_range(pixels: Array, depth: int) -> Array:
    """Samples of 10 or 12 bit in uint16, spread so that white is 65535; others as they are."""
    if depth <= 8 or depth == 16:
        return pixels
    top = 2**depth - 1
    spread = np.empty_like(pixels)
    for start in range(0, len(pixels), BAND):
        wide = pixels[start : start + BAND].astype(np.uint32)
        spread[start : start + BAND] = (wide * 65535 + top // 2) // top
    return spread


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


def unmultiplied(pixels: Array) -> Array:
    """Colours without the opacity that was multiplied into them."""
    top = np.iinfo(pixels.dtype).max
    share = np.maximum(pixels[..., -1:], 1) / top
    colours = np.minimum(np.rint(pixels[..., :-1] / share), top).astype(pixels.dtype)
    return np.concatenate([colours, pixels[..., -1:]], axis=2)
