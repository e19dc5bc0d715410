"""What the overview shows of a pair: the crop with most detail, and small copies of refused photos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realdeg.arraytypes import Image
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.detail import busiest
from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.report.folder import Folder

CROP = 384  # HR px shown of a pair at 100 %
THUMB = 220


@dataclass(frozen=True)
class Views:
    """Files of one pair's pictures, relative to the page, all of one size.

    Attributes:
        size_hw: size of each picture, HR px.
        lr: LR enlarged by bicubic.  pixels: LR enlarged without interpolation.  hr: HR.
        sr: the model's image, or "".
        flicker: an animation, LR and HR (or the model's image) in turns, or "".
    """

    size_hw: tuple[int, int]
    lr: str
    pixels: str
    hr: str
    sr: str = ""
    flicker: str = ""


def read_pair(lr_path: Path, hr_path: Path, scale: int) -> tuple[Image, Image]:
    """(LR, HR) as they are stored, (H, W, 3) uint8 or uint16.

    Raises:
        UserError: a file cannot be read, or HR is not `scale` times LR.
    """
    lr, hr = read(lr_path).pixels, read(hr_path).pixels
    if hr.shape[:2] != (scale * lr.shape[0], scale * lr.shape[1]):
        (h, w), (lr_h, lr_w) = hr.shape[:2], lr.shape[:2]
        problem = f"is {w}x{h}, not {scale} times {lr_w}x{lr_h}"
        raise UserError(hr_path, problem, "make the pair again or adopt the folders again")
    return lr, hr


def pair_views(
    lr: Image, hr: Image, scale: int, folder: Folder, key: str, sr_path: Path | None, *, flicker: str = ""
) -> Views:
    """Write the crops of a pair.

    Args:
        lr: LR image.
        hr: HR image of `scale` times its size.
        scale: HR size / LR size.
        folder: the report's.
        key: of the pair; names the files.
        sr_path: image by the model, or None.
        flicker: suffix of an animation of the crop, a key of `realdeg.report.flicker.KINDS`; "": none.

    Raises:
        UserError: the model's image cannot be read, or the output cannot be written.
    """
    side_h, side_w = (min(max(1, CROP // scale), n) for n in lr.shape[:2])
    top, left = busiest(to_8bit(lr), side_h, side_w)
    small = np.ascontiguousarray(to_8bit(lr[top : top + side_h, left : left + side_w]))
    there = np.s_[scale * top : scale * (top + side_h), scale * left : scale * (left + side_w)]
    images = {
        "lr": resize(small, scale),
        "pixels": np.repeat(np.repeat(small, scale, 0), scale, 1),
        "hr": np.ascontiguousarray(to_8bit(hr[there])),
    }
    if sr_path is not None and sr_path.is_file():
        sr = read(sr_path).pixels
        if sr.shape == hr.shape:
            images["sr"] = np.ascontiguousarray(to_8bit(sr[there]))
    files = {name: folder.picture(image, f"crop {name} {key}") for name, image in images.items()}
    if flicker:
        turns = [images["lr"], images.get("sr", images["hr"])]
        files["flicker"] = folder.animation(turns, f"flicker {key}", flicker)
    return Views(images["hr"].shape[:2], **files)


def thumbnail(path: Path, folder: Folder) -> str:
    """Write a small copy of any photo; its file, relative to the page.

    Raises:
        UserError: it cannot be read.
    """
    pixels = to_8bit(shrunk(read(path).pixels, THUMB))
    return folder.picture(pixels, f"thumbnail {path}")


def shrunk(pixels: Image, side: int) -> Image:
    """The image with its longer side at most `side`, by area averages."""
    ratio = side / max(pixels.shape[:2])
    if ratio >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
