"""TIFF: which picture of the file is meant, what it states, and its pixels.

`tiff_directory` reads the tags, `tiff_picture` says what is read and what not, `tiff_codecs` inflates strips
and tiles within stated bounds by imagecodecs, `tiff_pixels` puts them together. No library sees the file as a
whole: each of them fills in what is missing, or takes a compressed strip's word for its size.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from realdeg.io.exif import ORIENTATION, read_facts
from realdeg.io.header import MAX_ICC_BYTES, Broken, Header
from realdeg.io.tiff_directory import Directory, Skeleton
from realdeg.io.tiff_picture import CMYK, HEIGHT, PALETTE, WIDTH, Picture, picture_of
from realdeg.io.tiff_pixels import pixels_of

ICC = 34675


def tiff_header(file: IO[bytes]) -> Header:
    """Header of a TIFF's picture.

    Raises:
        Broken: a directory, a value, a strip or a tile lies outside the file, or what is stated cannot be.
        Unsupported: of a kind that is not read.
    """
    directory, notes = _full_picture(file)
    picture = picture_of(file, directory)
    orientation, doubts = _orientation(directory, file)
    notes += doubts
    icc = None
    if profile := directory.tags.get(ICC):
        if profile.count <= MAX_ICC_BYTES:
            icc = directory.stored(file, ICC)
        else:
            notes += (f"embedded colour profile of {profile.count} bytes left aside, sRGB assumed",)
    if not picture.colour_stated:
        notes += (f"colour model not stated, {'RGB' if picture.colours == 3 else 'grey'} assumed",)
    if not picture.extra_stated and picture.has_alpha:
        notes += ("undeclared channel taken for opacity",)
    if picture.samples > picture.colours + picture.has_alpha:
        notes += ("extra channels dropped",)
    return Header(
        "TIFF",
        picture.height,
        picture.width,
        picture.bits,
        picture.samples,
        replace(read_facts(file), orientation=orientation),
        icc,
        palette=picture.colour == PALETTE,
        notes=notes,
    )


def decode_tiff(path: Path, header: Header) -> tuple[np.ndarray[Any, Any], str]:
    """Pixels of the picture that `header` is of, as stored (orientation not applied), and their colour model.

    Returns:
        (H, W, C) uint8 or uint16, full range, and "L", "RGB", "LA", "RGBA", or "CMYK".

    Raises:
        Broken: a strip or tile is missing, too short, too long, or its decoder complains.
    """
    with path.open("rb") as file:
        directory, _ = _full_picture(file)
        picture = picture_of(file, directory)
        if (picture.height, picture.width, picture.bits) != (header.height, header.width, header.depth):
            raise Broken("was replaced while it was read")
        return pixels_of(file, directory, picture), _model(picture)


def _full_picture(file: IO[bytes]) -> tuple[Directory, tuple[str, ...]]:
    """The first picture's directory; where that says it is a preview, the one of the largest that is none."""
    skeleton = Skeleton(file)
    main = skeleton.directory(skeleton.first)
    several = ("first picture of several",) * bool(main.next)
    chosen, notes = main, several
    if main.is_secondary(file):
        others = [*skeleton.following(main), *skeleton.subs(main)]
        full = [other for other in others if not other.is_secondary(file)]
        if full:
            chosen = max(full, key=lambda one: one.number(file, WIDTH, 0) * one.number(file, HEIGHT, 0))
            notes = ("picture in full size taken, a preview comes first",)
        else:
            notes = ("a preview by its own words", *several)
    skeleton.check_extents(chosen)
    return chosen, notes


def _orientation(directory: Directory, file: IO[bytes]) -> tuple[int, tuple[str, ...]]:
    """EXIF's number, and a note where what is stated is none: that costs the picture its turn, not itself."""
    value = 0
    with contextlib.suppress(Broken):
        value = directory.number(file, ORIENTATION, 1)
    return (value, ()) if value in range(1, 9) else (1, ("orientation is damaged, taken for upright",))


def _model(picture: Picture) -> str:
    if picture.colour == CMYK:
        return "CMYK"
    return ("L" if picture.colours == 1 and picture.colour != PALETTE else "RGB") + "A" * picture.has_alpha
