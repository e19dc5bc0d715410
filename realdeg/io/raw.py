"""Camera RAW through rawpy (LibRaw), always developed the same way.

rawpy's defaults stretch the brightness of each photo by itself, and its half-size mode displaces red
and blue by a quarter of a pixel: neither is any use for a pair.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from realdeg.io.exif import Facts, read_facts
from realdeg.io.header import Broken
from realdeg.io.tiff_directory import directories

RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"),
    *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
EXIF_OF_FLIP = {3: 3, 5: 8, 6: 6}
"""LibRaw's flip codes that turn the picture, as EXIF orientations."""


def read_raw_size(path: Path) -> tuple[int, int]:
    """(h, w) of the developed photo, turned upright; nothing is unpacked.

    Raises:
        Broken: LibRaw does not know the file.
    """
    with _opened(path) as raw:
        h, w = _upright_size(raw)
    return h, w


def develop(path: Path) -> tuple[np.ndarray[Any, Any], Facts]:
    """Develop to sRGB: camera white balance, AHD, no brightness stretch, turned upright by LibRaw.

    Returns:
        (H, W, 3) uint16 RGB, sRGB-encoded, and the facts; `orientation` is what LibRaw applied.

    Raises:
        Broken: not a RAW file, cut short, or its pixels were pruned (LibRaw then decodes a constant).
    """
    import rawpy

    _check_length(path)
    with _opened(path) as raw:
        facts = _facts(path, raw)
        try:
            _check_sensor(raw)
            pixels = raw.postprocess(
                demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
                half_size=False,
                use_camera_wb=True,
                no_auto_bright=True,
                output_color=rawpy.ColorSpace.sRGB,
                output_bps=16,
                gamma=(2.4, 12.92),
            )
        except Broken:
            raise
        except Exception as error:  # LibRaw's own classes, ValueError and MemoryError have all been seen
            raise Broken(f"cannot be developed ({_words(error)})") from None
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise Broken("develops to something that is not RGB")
    return pixels, facts


def read_raw_facts(path: Path) -> Facts:
    """What EXIF says where the RAW is a TIFF underneath (ARW, CR2, DNG, NEF ...); else nothing."""
    with path.open("rb") as file:
        return read_facts(file) if file.read(4) in (b"II*\0", b"MM\0*") else Facts()


def _opened(path: Path) -> Any:
    import rawpy

    try:
        return rawpy.imread(str(path))
    except Exception as error:  # LibRawFileUnsupportedError, LibRawIOError, or a plain error
        raise Broken(f"is not a RAW file that LibRaw knows ({_words(error)})") from None


def _check_length(path: Path) -> None:
    """LibRaw fills what is missing at the end with zeros; a TIFF-like RAW says how long it should be."""
    with path.open("rb") as file:
        if file.read(4) in (b"II*\0", b"MM\0*"):
            directories(file)


def _check_sensor(raw: Any) -> None:
    """Refuse constant sensor data, or a constant bottom: pruned and truncated files decode like that."""
    sensor = raw.raw_image_visible
    if sensor is None:
        return
    rows = sensor.reshape(len(sensor), -1)
    fill = int(rows[-1, 0])
    blank_rows = (rows.min(axis=1) == fill) & (rows.max(axis=1) == fill)
    if blank_rows.all():
        raise Broken("holds no picture (all pixels are equal)")
    blank = int(np.argmin(blank_rows[::-1]))
    if blank > max(8, len(rows) // 50) and fill < int(rows.max()) // 2:  # a blown-out sky is bright
        raise Broken(f"is cut short (its last {blank} rows are blank)")


def _upright_size(raw: Any) -> tuple[int, int]:
    sizes = raw.sizes
    h, w = sizes.iheight, sizes.iwidth
    return (w, h) if sizes.flip in (5, 6) else (h, w)


def _facts(path: Path, raw: Any) -> Facts:
    """Facts from EXIF where the RAW is a TIFF underneath, completed by what LibRaw parsed."""
    facts = read_raw_facts(path)
    other = getattr(raw, "other", None)  # absent before rawpy 0.25
    return Facts(
        orientation=EXIF_OF_FLIP.get(raw.sizes.flip, 1),
        focal_length_mm=facts.focal_length_mm or (getattr(other, "focal_length", 0) or None),
        focal_35mm_mm=facts.focal_35mm_mm,
        digital_zoom=facts.digital_zoom,
        iso=facts.iso or (getattr(other, "iso_speed", 0) or None),
        camera=facts.camera,
        taken=facts.taken,
    )


def _words(error: Exception) -> str:
    text = error.args[0] if error.args else type(error).__name__
    return (text.decode(errors="replace") if isinstance(text, bytes) else str(text)).strip()
