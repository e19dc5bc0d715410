"""Pixels of AVIF, by OpenCV's libaom: the one decoder of AV1 in reach that sees damage.

libaom compares what an arithmetic decoder leaves over with the padding that AV1 prescribes (6.10.4 and
8.2.4), and so refused 300 of 300 files with bytes changed in their pixels; dav1d, in Pillow and in
imagecodecs, believed 298, nearly all of them garbage. OpenCV is shown a file without EXIF and without
moving pictures: it looks at the first 500 bytes alone to tell what a file is, and Exif lies behind them.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.io.boxes import Items, read_items
from realdeg.io.header import Broken, Header, Unsupported, damaged_inside
from realdeg.io.heif import BAND, full_range, opacity_of, unmultiplied
from realdeg.io.heif_colours import is_narrow
from realdeg.io.heif_parts import clean_part, parts_of, stated_size

Array = np.ndarray[Any, Any]


def decode_avif(path: Path, header: Header) -> tuple[Array, str]:
    """Pixels of an AVIF as stored, cropped, not turned: (H, W, C) uint8 or uint16, and their model.

    Raises:
        Broken: damaged, or unlike its header.
        Unsupported: the OpenCV installed here cannot read AVIF.
    """
    data = path.read_bytes()
    items = read_items(io.BytesIO(data))
    size_hw = stated_size(items, items.primary)
    core = _core(data, items)
    opacity = opacity_of(items, items.primary)
    if header.channels == 2 and opacity is not None:  # two channels are none of OpenCV's
        alone = (_hidden(core, items, b"auxl"), _shown(core, items, opacity))
        pixels = np.concatenate([_decoded(one, size_hw, header.depth)[..., :1] for one in alone], axis=2)
    else:
        pixels = _decoded(core, size_hw, header.depth)
    if header.channels <= 2 and is_narrow(items, parts_of(io.BytesIO(data), items, items.primary)):
        pixels[..., 0] = _widened(pixels[..., 0], header.depth)  # OpenCV takes grey as it is coded
    if pixels.shape[2] != header.channels:
        raise Broken("decodes to other channels than its header says")
    if header.channels == 2 and items.references.get((items.primary, b"prem")):
        pixels = unmultiplied(pixels)
    pixels = pixels[clean_part(items, items.primary)]
    return pixels, ("L", "LA", "RGB", "RGBA")[pixels.shape[2] - 1]


def _decoded(data: bytes, size_hw: tuple[int, int], depth: int) -> Array:
    """(H, W, C) of the full range: grey, RGB or RGBA."""
    import cv2

    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong we say
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    finally:
        cv2.utils.logging.setLogLevel(before)
    if pixels is None:
        if not _opencv_knows_avif():
            raise Unsupported("is an AVIF photo, which the OpenCV installed here cannot read")
        raise damaged_inside("libavif with libaom cannot decode it")
    if pixels.shape[:2] != size_hw or pixels.dtype.itemsize != (2 if depth > 8 else 1):
        raise Broken("decodes to another size or depth than its header says")
    pixels = pixels.reshape(*size_hw, -1)
    orders = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    for top in range(0, len(pixels), BAND):  # in place: the picture lies in memory once
        band = full_range(pixels[top : top + BAND], depth)
        if band.shape[2] in orders:
            band = cv2.cvtColor(band, orders[band.shape[2]])
        pixels[top : top + BAND] = band
    return pixels


def _widened(grey: Array, depth: int) -> Array:
    """Narrow range to full range (ITU-T H.273, 8.3); `grey` is spread over its whole type already."""
    top, unit = np.iinfo(grey.dtype).max, 1 << (depth - 8)
    scale = top / (2**depth - 1)
    black, white = 16 * unit * scale, 235 * unit * scale
    wide = (grey.astype(np.float32) - black) * (top / (white - black))
    return np.rint(wide).clip(0, top).astype(grey.dtype)


def _core(data: bytes, items: Items) -> bytes:
    """The file without what is no still picture: Exif and XMP, and the track that "avis" announces."""
    if data[8:12] == b"avis":
        data = data[:8] + b"avif" + data[12:]
    return _hidden(_hidden(data, items, b"Exif"), items, b"mime")


def _hidden(data: bytes, items: Items, name: bytes) -> bytes:
    """The same file with a kind of item or reference renamed to something that decoders pass over."""
    at, size = items.meta
    return data[:at] + data[at : at + size].replace(name, b"none") + data[at + size :]


def _shown(data: bytes, items: Items, item: int) -> bytes:
    """The same file with another primary picture."""
    at, size = items.meta
    found = data.index(b"pitm", at, at + size) + 4
    wide = 4 if data[found] else 2
    return data[: found + 4] + item.to_bytes(wide) + data[found + 4 + wide :]


def _opencv_knows_avif() -> bool:
    import cv2

    lines = [line.split(":") for line in cv2.getBuildInformation().splitlines() if line.count(":")]
    return any(words[0].strip() == "AVIF" and "NO" not in words[1] for words in lines)
