"""A pair at full resolution as layers of tiles, and its error map, for a viewer to lay over each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Image
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.resample import resize
from realdeg.report.colours import paint, top_for
from realdeg.report.folder import Folder
from realdeg.report.pictures import shrunk

TILE = 2048  # px a side: WebP ends at 16383, and a browser decodes only the tiles in sight
FULL_QUALITY = 95
MAP_SIDE = 1600
BACKDROP_SIDE = 1200


@dataclass(frozen=True)
class Tile:
    """One file of a layer and its place in the frame, in % of the frame's sides."""

    file: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class ErrorMap:
    """|LR - HR reduced to LR's grid|, mean of the three channels.

    Attributes:
        file: picture in the colours of `realdeg.report.colours`.
        size_hw: of the picture, px.
        block: LR px a side of one pixel of the picture, which shows the largest error of its block.
        top: 8-bit levels of the scale's brightest colour.
        mean, p95: over all LR px, 8-bit levels.
    """

    file: str
    size_hw: tuple[int, int]
    block: int
    top: int
    mean: float
    p95: float


@dataclass(frozen=True)
class Layers:
    """A pair's pictures, relative to the folder.

    Attributes:
        size_hw: the frame: HR's size, px.  lr_size_hw: LR's size, px.
        lr: LR enlarged by MATLAB's bicubic.  pixels: LR itself, without loss.  hr: HR.
        error: the error map.
        backdrop: LR, small enough to draw on.
    """

    size_hw: tuple[int, int]
    lr_size_hw: tuple[int, int]
    lr: list[Tile]
    pixels: list[Tile]
    hr: list[Tile]
    error: ErrorMap
    backdrop: str


def full_layers(lr: Image, hr: Image, scale: int, folder: Folder, key: str) -> Layers:
    """Write a pair's layers.

    Args:
        lr: (h, w, 3) uint8 or uint16.
        hr: of `scale` times its size.
        scale: HR size / LR size.
        folder: the report's.
        key: of the pair; names the files.

    Raises:
        UserError: the output cannot be written.
    """
    error = _error_map(lr, hr, scale, folder, key)
    lr, hr = to_8bit(lr), to_8bit(hr)
    return Layers(
        hr.shape[:2],
        lr.shape[:2],
        _tiles(resize(lr, scale), FULL_QUALITY, folder, f"full lr {key}"),
        _tiles(lr, None, folder, f"full pixels {key}"),
        _tiles(hr, FULL_QUALITY, folder, f"full hr {key}"),
        error,
        folder.picture(np.ascontiguousarray(shrunk(lr, BACKDROP_SIDE)), f"backdrop {key}", FULL_QUALITY),
    )


def error_levels(lr: Image, hr: Image, scale: int) -> npt.NDArray[np.float32]:
    """(h, w) mean over the channels of |LR - HR reduced by MATLAB's bicubic|, 8-bit levels."""
    unit = np.float32(1 if lr.dtype == np.uint8 else 257)
    hr_unit = np.float32(1 if hr.dtype == np.uint8 else 257)
    total = np.zeros(lr.shape[:2], np.float32)
    for channel in range(3):  # one plane at a time: a float copy of a whole HR photo is 300 MB
        reduced = resize(hr[..., channel].astype(np.float32), 1 / scale, lr.shape[:2])
        total += np.abs(lr[..., channel] / unit - reduced / hr_unit)
    return total / np.float32(3)


def _error_map(lr: Image, hr: Image, scale: int, folder: Folder, key: str) -> ErrorMap:
    levels = error_levels(lr, hr, scale)
    mean, p95, top = float(levels.mean()), float(np.quantile(levels, 0.95)), top_for(levels)
    block = -(-max(levels.shape) // MAP_SIDE)
    if block > 1:
        levels = cv2.dilate(levels, np.ones((block, block)), anchor=(0, 0))[::block, ::block]
    file = folder.picture(paint(levels, top), f"error {key}", None)
    return ErrorMap(file, levels.shape[:2], block, top, mean, p95)


def _tiles(image: Image, quality: int | None, folder: Folder, name: str) -> list[Tile]:
    height, width = image.shape[:2]
    tiles = []
    for top, bottom in _cuts(height):
        for left, right in _cuts(width):
            part = np.ascontiguousarray(image[top:bottom, left:right])
            file = folder.picture(part, f"{name} {top} {left}", quality)
            x, y, w, h = left / width, top / height, (right - left) / width, (bottom - top) / height
            tiles.append(Tile(file, *(round(100 * share, 6) for share in (x, y, w, h))))
    return tiles


def _cuts(length: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, TILE):
        yield start, min(start + TILE, length)
