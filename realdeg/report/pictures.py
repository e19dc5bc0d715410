"""Pictures for the page: crops and thumbnails as WebP files beside it, one image in memory at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.io.save import write_image

Image = npt.NDArray[Any]

CROP = 384  # HR px shown of a pair at 100 %
THUMB = 220
QUALITY = 86


@dataclass(frozen=True)
class Views:
    """Files of one pair's pictures, relative to the page, all of one size.

    Attributes:
        size_hw: size of each picture, HR px.
        lr: LR enlarged by bicubic.  pixels: LR enlarged without interpolation.  hr: HR.
        sr: the model's image, or "".
    """

    size_hw: tuple[int, int]
    lr: str
    pixels: str
    hr: str
    sr: str = ""


def pair_views(lr_path: Path, hr_path: Path, scale: int, out: Path, key: str, sr_path: Path | None) -> Views:
    """Write the central crops of a pair.

    Args:
        lr_path: LR image.
        hr_path: HR image of `scale` times its size.
        scale: HR size / LR size.
        out: folder of the page; pictures go to out/pictures.
        key: of the pair; names the files.
        sr_path: image by the model, or None.

    Raises:
        UserError: a file cannot be read, or the output cannot be written.
    """
    hr = _eight_bit(read(hr_path).pixels)
    lr = _eight_bit(read(lr_path).pixels)
    side_h, side_w = (min(CROP // scale, n) for n in lr.shape[:2])
    top, left = _busiest(lr, side_h, side_w)
    lr = np.ascontiguousarray(lr[top : top + side_h, left : left + side_w])
    there = np.s_[scale * top : scale * (top + side_h), scale * left : scale * (left + side_w)]
    images = {
        "lr": resize(lr, scale),
        "pixels": np.repeat(np.repeat(lr, scale, 0), scale, 1),
        "hr": np.ascontiguousarray(hr[there]),
    }
    if sr_path is not None and sr_path.is_file():
        sr = _eight_bit(read(sr_path).pixels)
        if sr.shape == hr.shape:
            images["sr"] = np.ascontiguousarray(sr[there])
    files = {name: _write(image, out, f"{key} {name}") for name, image in images.items()}
    return Views(images["hr"].shape[:2], **files)


def thumbnail(path: Path, out: Path) -> str:
    """Write a small copy of any photo; its file, relative to the page.

    Raises:
        UserError: it cannot be read.
    """
    pixels = _eight_bit(read(path).pixels)
    ratio = THUMB / max(pixels.shape[:2])
    if ratio < 1:
        size = max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return _write(pixels, out, f"thumbnail {path}")


def _busiest(image: Image, height: int, width: int) -> tuple[int, int]:
    """Top left corner of the crop with most detail: a sky tells nothing about sharpness."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    total = cv2.integral(energy)
    sums = (
        total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    )
    top, left = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return int(top), int(left)


def _write(image: Image, out: Path, name: str) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    relative = f"pictures/{digest}.webp"
    write_image(out / relative, image, quality=QUALITY)
    return relative


def _eight_bit(pixels: Image) -> Image:
    return pixels if pixels.dtype == np.uint8 else np.rint(pixels / 257).astype(np.uint8)
