"""From the samples of a TIFF's strips and tiles to one picture."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from realdeg.io.header import Broken, damaged_inside
from realdeg.io.tiff_codecs import decompressed, longest, room_for
from realdeg.io.tiff_directory import Directory
from realdeg.io.tiff_picture import JPEG, PALETTE, PLAIN, WHITE_IS_ZERO, YCBCR, Picture, segments

Array = np.ndarray[Any, Any]
COLOUR_MAP, JPEG_TABLES, LUMA, BLACK_WHITE = 320, 347, 529, 532
MAX_TABLES = 1 << 16
REC_601 = (0.299, 0.587, 0.114)
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


def pixels_of(file: IO[bytes], directory: Directory, picture: Picture) -> Array:
    """Decode a picture, without extra channels other than opacity.

    Returns:
        (H, W, C) uint8 or uint16, full range; black is 0, palettes and YCbCr have become RGB; opacity is the
        last channel.

    Raises:
        Broken: a strip or tile is missing, too short, too long, or its decoder complains.
    """
    samples = _assembled(file, directory, picture)
    if picture.colour == PALETTE:
        indices, opacity = samples[..., 0], _full_range(samples[..., 1:], picture.bits)
        colours = _colour_map(file, directory, picture)[indices]
        return np.concatenate([colours, opacity], axis=2) if picture.has_alpha else colours
    samples = _full_range(samples, picture.bits)
    if picture.colour == WHITE_IS_ZERO:
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    if picture.has_alpha and picture.extra[0] == 1:
        samples = _unmultiplied(samples)
    return samples


def _assembled(file: IO[bytes], directory: Directory, picture: Picture) -> Array:
    """(H, W, C) samples as stored, C = colours and opacity."""
    channels = picture.colours + picture.has_alpha
    kind = np.uint8 if picture.bits <= 8 else np.uint16
    result = np.empty((picture.height, picture.width, channels), kind)
    tables = directory.stored(file, JPEG_TABLES) if picture.compression == JPEG else b""
    if len(tables) > MAX_TABLES:
        raise Broken(f"states {len(tables)} bytes of JPEG tables")
    room = room_for(picture)
    h, w = picture.segment_hw
    rows, columns = range(0, picture.height, h), range(0, picture.width, w)
    places = (
        (plane, y, x)
        for plane in range(picture.samples if picture.planar else 1)
        for y in rows
        for x in columns
    )
    light = (
        _YCbCr(file, directory, picture) if picture.colour == YCBCR and picture.compression != JPEG else None
    )
    for (plane, y, x), (offset, count) in zip(places, segments(file, directory, picture), strict=True):
        if plane >= channels:
            break
        target = result[y : y + h, x : x + w]
        if picture.planar:
            target = target[..., plane : plane + 1]
        file.seek(offset)
        data = file.read(min(count, longest(picture)))
        if count > len(data) and picture.compression != PLAIN:
            raise damaged_inside(f"a strip or tile of {count} bytes, more than its pixels can take")
        samples = decompressed(picture, data, len(target), tables, room)
        if light is not None:
            samples = light.rgb(samples, len(target), w)
        target[...] = samples[: len(target), : target.shape[1], : target.shape[2]]
    return result


def _full_range(samples: Array, bits: int) -> Array:
    """Samples of fewer bits spread over 8 or 16, so that white stays white."""
    if bits in (8, 16):
        return samples
    if bits < 8:
        return samples * np.uint8(255 // (2**bits - 1))
    return np.rint(samples * (65535 / (2**bits - 1))).astype(np.uint16)


def _colour_map(file: IO[bytes], directory: Directory, picture: Picture) -> Array:
    """(2^bits, 3) uint8.

    Raises:
        Broken: there is none, or it has another length.
    """
    values = np.array(directory.numbers(file, COLOUR_MAP), np.uint16)
    if values.size != 3 * 2**picture.bits:
        raise Broken(f"has a palette of {values.size} values where {3 * 2**picture.bits} are needed")
    if values.max() > 255:  # some writers fill in 8 bits where 16 are asked for; libtiff tells them so too
        values >>= 8
    return values.reshape(3, -1).T.astype(np.uint8)


def _unmultiplied(samples: Array) -> Array:
    """Colours without the opacity that was multiplied into them."""
    top = np.iinfo(samples.dtype).max
    share = samples[..., -1:].astype(np.float32) / top
    plain = samples[..., :-1] / np.maximum(share, 1e-6)
    return np.concatenate([np.rint(plain.clip(0, top)).astype(samples.dtype), samples[..., -1:]], axis=2)


class _YCbCr:
    """Luma and colour differences in bytes (TIFF 6.0, Sec. 20 and 21), as files of scanners have them."""

    def __init__(self, file: IO[bytes], directory: Directory, picture: Picture) -> None:
        self.every = picture.colour_every_hw
        self.luma = directory.fractions(file, LUMA, REC_601)
        self.range = np.array(directory.fractions(file, BLACK_WHITE, FULL_RANGE)).reshape(3, 2)
        spans = self.range[:, 1] - self.range[:, 0]
        if (spans <= 0).any() or self.luma[1] <= 0:
            raise Broken("states YCbCr without a range of brightness")
        self.gains = np.array((255, 127, 127)) / spans

    def rgb(self, stored: Array, rows: int, width: int) -> Array:
        """(rows, width, 3) uint8; each colour difference is that of its whole block, as in libtiff."""
        down, across = self.every
        units = stored.reshape(-(-rows // down), -(-width // across), down * across + 2)
        blocks = units[..., :-2].reshape(*units.shape[:2], down, across).swapaxes(1, 2)
        luma = blocks.reshape(units.shape[0] * down, units.shape[1] * across)
        differences = units[..., -2:].repeat(down, 0).repeat(across, 1)
        y, cb, cr = (
            ((plane[:rows, :width] - self.range[i, 0]) * self.gains[i]).astype(np.float32)
            for i, plane in enumerate((luma, differences[..., 0], differences[..., 1]))
        )
        red, green, blue = self.luma
        r, b = y + (2 - 2 * red) * cr, y + (2 - 2 * blue) * cb
        g = (y - red * r - blue * b) / green
        return np.rint(np.stack([r, g, b], axis=-1).clip(0, 255)).astype(np.uint8)
