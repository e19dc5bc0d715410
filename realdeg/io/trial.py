"""Small trials of every codec, through the doors that jobs use; `realdeg doctor` runs them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.io.photo import read
from realdeg.io.save import write_image


def round_trip(folder: Path, name: str, top: int) -> str:
    """Write a ramp up to `top` and read it back: exactly at 16 bits, within 3 levels at 8."""
    path = folder / name
    ramp = np.linspace(0, top, 16 * 16).reshape(16, 16, 1).repeat(3, axis=2)
    pixels = np.rint(ramp).astype(np.uint16 if top > 255 else np.uint8)
    write_image(path, pixels, quality=100)
    back = read(path).pixels
    if back.dtype != pixels.dtype or np.abs(back.astype(int) - pixels).max() > (3 if top == 255 else 0):
        raise ValueError("what was read is not what was written")
    return "written and read back"


def convert_profile(folder: Path) -> str:
    """Read a picture that carries the sRGB profile; its colours must stay."""
    from PIL import Image, ImageCms, features

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.new("RGB", (4, 4), (10, 120, 240)).save(folder / "profile.png", icc_profile=srgb.tobytes())
    if read(folder / "profile.png").pixels[0, 0].tolist() != [10, 120, 240]:
        raise ValueError("sRGB to sRGB moved a colour")
    return f"LittleCMS {features.version('littlecms2')}"


def read_avif(folder: Path) -> str:
    """Read a 10-bit AVIF that OpenCV writes."""
    import cv2

    ramp = np.arange(64, dtype=np.uint16).reshape(8, 8, 1).repeat(3, axis=2) * 16
    flags = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    done, data = cv2.imencode(".avif", ramp, flags)
    (folder / "a.avif").write_bytes(data.tobytes())
    if not done or np.abs(read(folder / "a.avif").as_float() - ramp / 1023).max() > 0.01:
        raise ValueError("what was read is not what was written")
    return "read at 10 bits"


def read_heif(folder: Path) -> str:
    """Read a HEIF that pillow-heif writes."""
    import pillow_heif

    pixels = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64) // 16 * 16
    pillow_heif.encode("L", (64, 64), pixels.tobytes(), folder / "a.heic", quality=-1)
    if np.abs(read(folder / "a.heic").pixels[..., 0].astype(int) - pixels).max() > 3:
        raise ValueError("what was read is not what was written")
    return f"libheif {pillow_heif.libheif_version()}"


def develop_raw(folder: Path) -> str:
    """Develop a small DNG made here."""
    import rawpy
    import tifffile

    sensor = np.full((64, 64), 8000, np.uint16) + np.arange(64, dtype=np.uint16)
    tags: list[tuple[Any, ...]] = [
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, (0, 1, 1, 2), True),
        (50706, "B", 4, (1, 4, 0, 0), True),
        (50708, "s", 0, "realdeg", True),
        (50717, "H", 1, 16000, True),
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
    ]
    tifffile.imwrite(folder / "a.dng", sensor, photometric=32803, extratags=tags, metadata=None)
    if read(folder / "a.dng").size_hw != (64, 64):
        raise ValueError("a DNG of 64 x 64 px develops to another size")
    return f"LibRaw {'.'.join(str(part) for part in rawpy.libraw_version)}, a DNG developed"


TRIALS: dict[str, Callable[[Path], str]] = {
    "PNG 16 bit": partial(round_trip, name="a.png", top=65535),
    "TIFF 16 bit": partial(round_trip, name="a.tif", top=65535),
    "JPEG": partial(round_trip, name="a.jpg", top=255),
    "WebP": partial(round_trip, name="a.webp", top=255),
    "colour profiles": convert_profile,
    "camera RAW": develop_raw,
}
"""What is tried in a scratch folder; the value says what worked, an exception what did not."""
OPTIONAL: dict[str, tuple[Callable[[Path], str], str]] = {
    "AVIF": (read_avif, "pip install -U opencv-contrib-python"),
    "HEIF": (read_heif, "pip install 'realdeg[heif]'"),
}
"""Likewise what realdeg can do without, and how to get it."""
