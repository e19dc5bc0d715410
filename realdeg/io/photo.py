"""Any photo in one stated form: RGB, sRGB-encoded, upright, 8 or 16 bit.

Each container has a module with two functions: its header, from a few reads, and its pixels, by the library
that says most clearly what is wrong with a file. What containers share (orientation, colours, limits, one
line about a bad file) is settled here.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.errors import UserError
from realdeg.imaging.depth import to_float
from realdeg.io import limits
from realdeg.io.avif import decode_avif
from realdeg.io.bmp import bmp_header, decode_bmp
from realdeg.io.exif import Facts
from realdeg.io.header import ENDED, AlphaPolicy, Broken, Header, TooLarge, Unsupported, sniff
from realdeg.io.heif import decode_heif, heif_header
from realdeg.io.jpeg import decode_jpeg, jpeg_header
from realdeg.io.orientation import turned
from realdeg.io.png import decode_png, png_header
from realdeg.io.raw import RAW_SUFFIXES, develop, read_raw_facts, read_raw_size
from realdeg.io.tiff import decode_tiff, tiff_header
from realdeg.io.webp import decode_webp, webp_header

Array = np.ndarray[Any, Any]
HEADERS = {
    "JPEG": jpeg_header,
    "PNG": png_header,
    "WebP": webp_header,
    "BMP": bmp_header,
    "TIFF": tiff_header,
    "HEIF": heif_header,
}
DECODERS: dict[str, Callable[[Path, Header], tuple[Array, str]]] = {
    "JPEG": decode_jpeg,
    "PNG": decode_png,
    "BMP": decode_bmp,
    "TIFF": decode_tiff,
    "HEIF": decode_heif,
    "AVIF": decode_avif,
    "WebP": decode_webp,
}
"""Pixels as stored, (H, W, C), and "L", "LA", "RGB", "RGBA" or "CMYK"."""
CONVERT = "convert it to a PNG, TIFF, JPEG or WebP of 8 or 16 bits, or take it out"
AGAIN = "copy it from its source again"


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo and what its file said about it.

    Attributes:
        pixels: (H, W, 3) uint8 or uint16 RGB, sRGB-encoded, upright.
        path: where it came from.
        profile: "sRGB" (stated or assumed), or the name of the profile the pixels were converted from.
        orientation: EXIF orientation that was applied; 1 = none.
        focal_length_mm, focal_35mm_mm, digital_zoom, iso: from EXIF, None where unknown.
        camera: maker and model, or "".
        notes: what was changed or assumed on the way, e.g. "alpha flattened on white".
        taken: when, by the camera's clock; None where the file does not say.
    """

    pixels: Array
    path: Path
    profile: str = "sRGB"
    orientation: int = 1
    focal_length_mm: float | None = None
    focal_35mm_mm: float | None = None
    digital_zoom: float | None = None
    iso: float | None = None
    camera: str = ""
    notes: tuple[str, ...] = ()
    taken: datetime | None = None

    @property
    def bit_depth(self) -> int:
        """8 or 16."""
        return int(self.pixels.dtype.itemsize) * 8

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width, px."""
        h, w = self.pixels.shape[:2]
        return h, w

    def as_float(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """(H, W, 3) float32 in [0, 1]."""
        return to_float(self.pixels)


def read(path: Path, *, alpha: AlphaPolicy = "white", max_pixels: int | None = None) -> Photo:
    """Read a JPEG, PNG, TIFF, WebP, HEIF, AVIF, BMP or camera RAW file.

    Args:
        path: the file; RAW is recognised by its suffix, everything else by its content.
        alpha: background that transparent pixels are laid on, or "refuse".
        max_pixels: larger photos are refused from their header, before anything is decoded; None = the
            process's limit (`limits.max_pixels`).

    Raises:
        UserError: missing, empty, not an image, cut short, damaged, too large, of an unsupported kind,
            or transparent where `alpha` is "refuse".
    """
    path = Path(path)
    most = limits.max_pixels() if max_pixels is None else max_pixels
    with _explained(path):
        file_bytes = _check_file(path)
        if path.suffix.lower() in RAW_SUFFIXES:
            limits.check_size(read_raw_size(path), most)
            pixels, facts = develop(path)
            return _photo(path, pixels, "sRGB", facts, ())
        header = _header(path)
        limits.check_bytes(header, file_bytes, most)
        pixels, model = DECODERS[header.kind](path, header)
        return _finish(path, header, pixels, model, alpha)


def read_size(path: Path) -> tuple[int, int]:
    """(h, w) of the photo that `read` would give, from the file's header alone.

    Raises:
        UserError: as `read`, where the header shows it.
    """
    path = Path(path)
    with _explained(path):
        _check_file(path)
        if path.suffix.lower() in RAW_SUFFIXES:
            return read_raw_size(path)
        header = _header(path)
    turned = header.facts.orientation >= 5
    return (header.width, header.height) if turned else (header.height, header.width)


def read_taken(path: Path) -> datetime | None:
    """When a photo was taken, from its header alone; None where the file does not say.

    Raises:
        UserError: as `read`, where the header shows it.
    """
    path = Path(path)
    with _explained(path):
        _check_file(path)
        if path.suffix.lower() in RAW_SUFFIXES:
            return read_raw_facts(path).taken
        return _header(path).facts.taken


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what decoders raise into one line about one file."""
    try:
        yield
    except UserError:
        raise
    except TooLarge as error:
        remedy = f"make it smaller, cut it, or raise `max_pixels` ({limits.VARIABLE})"
        raise UserError(path, str(error), remedy) from None
    except Unsupported as error:
        raise UserError(path, str(error), CONVERT) from None
    except Broken as error:
        raise UserError(path, str(error), AGAIN) from None
    except MemoryError:
        raise UserError(path, "does not fit into memory", "use fewer workers or smaller photos") from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            reason = f"cannot be read ({error.strerror})"
            raise UserError(path, reason, "check the disk and the permissions") from None
        # Decoders raise dozens of classes on mutilated files; what they have in common is the file.
        raise UserError(path, f"{ENDED}{_words(error)}", AGAIN) from None


def _words(error: Exception) -> str:
    """What a decoder says, in parentheses; nothing where it is a bug's message rather than a decoder's."""
    text = " ".join(str(error).split())
    return f" ({text[:120]})" if text and isinstance(error, (OSError, ValueError, RuntimeError)) else ""


def _check_file(path: Path) -> int:
    """Size of a regular file, bytes."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        broken_link = path.is_symlink()
        problem = "is a link to nothing" if broken_link else "does not exist"
        raise UserError(path, problem, "check the path") from None
    except ValueError:
        raise UserError(path, "is not a file name", "check the path") from None
    if stat.S_ISDIR(status.st_mode):
        raise UserError(path, "is a folder, not a photo", "name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(path, "is not a regular file", "name an image file")
    if status.st_size == 0:
        raise UserError(path, "is empty", AGAIN)
    return status.st_size


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        return HEADERS[sniff(file.read(16))](file)


def _finish(path: Path, header: Header, pixels: Array, model: str, alpha: AlphaPolicy) -> Photo:
    """Colour, transparency, orientation: in this order."""
    from realdeg.io import colour

    pixels, profile, notes = colour.to_rgb(path, pixels, model, header, alpha)
    pixels = turned(pixels, 1 if header.upright else header.facts.orientation)
    return _photo(path, pixels, profile, header.facts, (*header.notes, *notes))


def _photo(path: Path, pixels: Array, profile: str, facts: Facts, notes: tuple[str, ...]) -> Photo:
    pixels = np.ascontiguousarray(pixels)
    return Photo(
        pixels,
        path,
        profile,
        facts.orientation,
        facts.focal_length_mm,
        facts.focal_35mm_mm,
        facts.digital_zoom,
        facts.iso,
        facts.camera,
        notes,
        facts.taken,
    )
