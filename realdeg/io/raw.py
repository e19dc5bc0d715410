"""Camera RAW through rawpy (LibRaw), always developed the same way.

rawpy's defaults stretch the brightness of each photo by itself, and its half-size mode displaces red
and blue by a quarter of a pixel: neither is any use for a pair.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.io.complaints import LIBRARY_LINE, heard
from realdeg.io.exif import Facts, read_facts
from realdeg.io.header import Broken, Unsupported, damaged_inside
from realdeg.io.raw_extents import check_extents, dng_compression
from realdeg.io.tiff_picture import OTHERS

Array = np.ndarray[Any, Any]
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"),
    *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
EXIF_OF_FLIP = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}
"""LibRaw's flip codes as EXIF orientations; 1: columns, 2: rows reversed, 4: rows become columns."""
UNREAD_CODINGS = {number: name for number, name in OTHERS.items() if number != 34892} | {9: "VC-5"}
"""Compressions of a DNG that LibRaw knows no more of than their numbers; lossy JPEG (34892) it reads."""
COMPLAINT = re.compile(r"(Unexpected end of file|data corrupted at -?\d+)\s*$")
PIXELS_A_BYTE = 64
"""More pixels than this from one byte: no camera compresses so far, most of the file is missing."""


def read_raw_size(path: Path) -> tuple[int, int]:
    """(h, w) of the developed photo, turned upright; nothing is unpacked.

    Raises:
        Broken: LibRaw does not know the file, or it is shorter than it says.
    """
    with _opened(path) as raw:
        return _upright_size(raw)


def develop(path: Path) -> tuple[Array, Facts]:
    """Develop to sRGB: camera white balance, AHD, no brightness stretch, turned upright by LibRaw.

    Returns:
        (H, W, 3) uint16 RGB, sRGB-encoded, and the facts; `orientation` is what LibRaw applied.

    Raises:
        Broken: not a RAW file, cut short, damaged in LibRaw's view, or with blank edges, as pruned and
            truncated files decode.
        Unsupported: the developed photo has another size than its header says.
    """
    import rawpy

    with _opened(path) as raw:
        facts, size_hw = _facts(path, raw), _upright_size(raw)
        sensor = raw.raw_image_visible
        if sensor is not None:
            _check_sensor(sensor)
        pixels: Array = raw.postprocess(
            demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
            half_size=False,
            use_camera_wb=True,
            no_auto_bright=True,
            output_color=rawpy.ColorSpace.sRGB,
            output_bps=16,
            gamma=(2.4, 12.92),
        )
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise Unsupported("develops to something that is not RGB")
    if pixels.shape[:2] != size_hw:  # sensors that stand on a corner
        raise Unsupported(
            f"develops to {pixels.shape[1]} x {pixels.shape[0]} pixels where its header says "
            f"{size_hw[1]} x {size_hw[0]}, which is not read"
        )
    return pixels, facts


def read_raw_facts(path: Path) -> Facts:
    """What EXIF says where the RAW is a TIFF underneath (ARW, CR2, DNG, NEF ...); else nothing."""
    with path.open("rb") as file:
        return read_facts(file) if file.read(4) in (b"II*\0", b"MM\0*") else Facts()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A RAW file that is as long as it says.

    Raises:
        Broken: it is not, LibRaw does not know it, fails inside the block, or complains there: it does so on
            descriptor 2 alone, and goes on.
    """
    import rawpy

    with path.open("rb") as file:
        check_extents(file)
        coding = dng_compression(file)
    if coding in UNREAD_CODINGS:
        raise Unsupported(f"is a DNG with compression {coding} ({UNREAD_CODINGS[coding]}), which is not read")
    with heard() as lines:
        try:
            raw = rawpy.imread(str(path))
        except MemoryError:
            raise
        except rawpy.LibRawFileUnsupportedError as error:
            raise Unsupported(f"is not a RAW file that LibRaw knows ({_words(error)})") from None
        except Exception as error:  # LibRawIOError, or a plain error
            raise Broken(f"cannot be opened by LibRaw ({_words(error)})") from None
        with raw:
            pixels = raw.sizes.raw_height * raw.sizes.raw_width
            if pixels > PIXELS_A_BYTE * (bytes_there := path.stat().st_size):
                raise Broken(f"is cut short ({bytes_there} bytes for {pixels} pixels)")
            try:
                yield raw
            except (Broken, MemoryError):
                raise
            except Exception as error:  # LibRaw's own classes and ValueError have been seen
                raise Broken(f"cannot be developed ({_words(error)})") from None
    for line in lines:
        if (complaint := COMPLAINT.search(line)) or LIBRARY_LINE.match(line):
            raise damaged_inside(complaint[1] if complaint else line)


def _check_sensor(sensor: Array) -> None:
    """Refuse constant sensor data, or constant edges: pruned and truncated files decode like that."""
    rows = sensor.reshape(len(sensor), -1)
    columns = sensor.swapaxes(0, 1).reshape(sensor.shape[1], -1)
    if _blank(rows) == len(rows):
        raise Broken("holds no picture (all pixels are equal)")
    edges = {"last {} rows": rows[::-1], "first {} rows": rows}
    edges |= {"last {} columns": columns[::-1], "first {} columns": columns}
    for words, lines in edges.items():
        blank = _blank(lines)
        if (
            blank > max(8, len(lines) // 50) and lines[0, 0] < int(sensor.max()) // 2
        ):  # a blown-out sky is bright
            verb = "cut short" if words.startswith("last") else "damaged"
            raise Broken(f"is {verb} (its {words.format(blank)} are blank)")


def _blank(lines: Array) -> int:
    """How many lines from the first one on hold nothing but its first value."""
    count = 0
    while count < len(lines):
        equal = (lines[count : count + 64] == lines[0, 0]).all(axis=1)
        if not equal.all():
            return count + int(np.argmin(equal))
        count += len(equal)
    return count


def _upright_size(raw: Any) -> tuple[int, int]:
    """(h, w) that LibRaw will deliver: pixels made square, then turned."""
    sizes = raw.sizes
    h, w, aspect = sizes.iheight, sizes.iwidth, sizes.pixel_aspect
    if aspect < 1:
        h = int(h / aspect + 0.5)
    elif aspect > 1:
        w = int(w * aspect + 0.5)
    return (w, h) if sizes.flip & 4 else (h, w)


def _facts(path: Path, raw: Any) -> Facts:
    """Facts from EXIF where the RAW is a TIFF underneath, completed by what LibRaw parsed."""
    facts = read_raw_facts(path)
    other = getattr(raw, "other", None)  # absent before rawpy 0.25
    return replace(
        facts,
        orientation=EXIF_OF_FLIP.get(raw.sizes.flip, 1),
        focal_length_mm=facts.focal_length_mm or (getattr(other, "focal_length", 0) or None),
        iso=facts.iso or (getattr(other, "iso_speed", 0) or None),
        adobe_rgb=False,
    )


def _words(error: Exception) -> str:
    text = error.args[0] if error.args else "it gives no reason"
    return (text.decode(errors="replace") if isinstance(text, bytes) else str(text)).strip()
