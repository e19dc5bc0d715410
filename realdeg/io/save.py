"""Writing images: whole or not at all, and the same bytes for the same pixels."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.atomic import replace, temporary_name, whole_file, write_bytes
from realdeg.errors import UserError

Array = np.ndarray[Any, Any]
WRITTEN_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
MAX_SIDE = {".jpg": 65535, ".jpeg": 65535, ".webp": 16383}


def write_image(path: Path, pixels: Array, *, quality: int | None = 95, level: int = 1) -> None:
    """Write an image in the format that the suffix names.

    Args:
        path: ends in .png, .tif, .tiff, .jpg, .jpeg or .webp.
        pixels: (H, W, 3) uint8 or uint16 RGB; JPEG and WebP hold 8 bits only.
        quality: of JPEG (4:4:4) and WebP, 1 to 100; None = lossless WebP.
        level: of PNG and TIFF compression; 1 = fast (for PNG OpenCV's run lengths: on a photo 6 %
            larger than 6, and 8 times faster), up to 9.

    Raises:
        UserError: unknown suffix, 16 bits or a size that the format cannot hold, unwritable, disk full.
        ValueError: `pixels` is no RGB image.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN_SUFFIXES:
        raise UserError(path, f"images cannot be written as {suffix or 'a file without suffix'}", _one_of())
    if (
        pixels.ndim != 3
        or pixels.shape[2] != 3
        or pixels.dtype not in (np.uint8, np.uint16)
        or not pixels.size
    ):
        raise ValueError(f"expected (H, W, 3) uint8 or uint16, got {pixels.shape} {pixels.dtype}")
    if suffix in MAX_SIDE:
        if pixels.dtype != np.uint8:
            raise UserError(path, f"{suffix} holds 8 bits, the image has 16", "write it as .png or .tif")
        if max(pixels.shape) > MAX_SIDE[suffix]:
            raise UserError(path, f"{suffix} holds at most {MAX_SIDE[suffix]} px a side", "write it as .png")
    if suffix in (".tif", ".tiff"):
        _write_tiff(path, pixels, level)
    else:
        write_bytes(path, _encoded(suffix, pixels, quality, level))


def to_uint(image: Array, dtype: type[np.uint8] | type[np.uint16] = np.uint8) -> Array:
    """Round an image in [0, 1] once, half to even, and clip once.

    Args:
        image: float array of any shape.
        dtype: np.uint8 or np.uint16.

    Raises:
        ValueError: not a number somewhere.
    """
    top = np.iinfo(dtype).max
    scaled = image * np.asarray(top, image.dtype)
    if np.isnan(scaled).any():
        raise ValueError("the image holds NaN")
    np.rint(scaled, out=scaled)
    return scaled.clip(0, top, out=scaled).astype(dtype)


def link_or_copy(source: Path, path: Path) -> None:
    """Put the file `source` at `path` without encoding it again: a hard link, or a copy.

    Whatever was at `path` is replaced in one step. Links fail across disks and on some file systems.

    Raises:
        UserError: `source` cannot be read or `path` cannot be written.
    """
    source, path = Path(source).resolve(), Path(path)
    with contextlib.suppress(OSError):  # not there yet, or no name for a file: writing says so
        if path.samefile(source):
            return
    with contextlib.suppress(OSError), temporary_name(path) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, temporary)
        replace(temporary, path)
        return
    try:
        data = source.open("rb")
    except OSError as error:
        raise UserError(source, f"cannot be read ({error.strerror})", "check the path") from None
    import shutil

    with data, whole_file(path) as temporary, temporary.open("wb") as copy:
        shutil.copyfileobj(data, copy, 1 << 20)


def _encoded(suffix: str, pixels: Array, quality: int | None, level: int) -> bytes:
    import cv2

    if suffix == ".png":
        # Without parameters OpenCV uses run lengths over one filter: 5 times faster than Pillow.
        parameters = [] if level == 1 else [cv2.IMWRITE_PNG_COMPRESSION, level]
    elif suffix == ".webp":
        parameters = [cv2.IMWRITE_WEBP_QUALITY, 101 if quality is None else quality]
    else:
        parameters = [cv2.IMWRITE_JPEG_QUALITY, 95 if quality is None else quality]
        parameters += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), parameters)
    if not done:
        raise ValueError(f"OpenCV could not encode {pixels.shape} {pixels.dtype} as {suffix}")
    return data.tobytes()


def _write_tiff(path: Path, pixels: Array, level: int) -> None:
    import tifffile

    with whole_file(path) as temporary:
        tifffile.imwrite(
            temporary,
            np.ascontiguousarray(pixels),
            photometric="rgb",
            compression="zlib",
            compressionargs={"level": level},
            predictor=True,  # 30 % smaller, and tifffile has it without further codecs
            metadata=None,
            software=False,
        )


def _one_of() -> str:
    return f"choose one of {', '.join(WRITTEN_SUFFIXES)}"
