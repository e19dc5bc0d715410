"""What a camera wrote beside the pixels: orientation and the facts that hint at the scale of a pair."""

from __future__ import annotations

import math
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

ORIENTATION, MAKE, MODEL, EXIF_IFD, INTEROP_IFD = 0x0112, 0x010F, 0x0110, 0x8769, 0xA005
ISO, FOCAL, FOCAL_35MM, DIGITAL_ZOOM, COLOUR_SPACE = 0x8827, 0x920A, 0xA405, 0xA404, 0xA001
TAKEN, TAKEN_SUBSEC, TAKEN_OFFSET = 0x9003, 0x9291, 0x9011

XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([2-8])")


@dataclass(frozen=True)
class Facts:
    """The few EXIF values that are used; None or "" where the file does not say.

    Phones keep `focal_length_mm` constant under digital zoom: only the 35-mm value and
    `digital_zoom` move, so the focal lengths of a pair are a hint, the measured zoom is the truth.

    Attributes:
        orientation: EXIF value 1 to 8; 1 = stored upright.
        focal_length_mm: of the lens.
        focal_35mm_mm: equivalent on a 36 x 24 mm frame.
        digital_zoom: ratio; 1 = none.
        iso: sensitivity.
        camera: maker and model.
        adobe_rgb: the file claims Adobe RGB (DCF option file) where no profile may be embedded.
        taken: when the shutter opened, by the camera's clock; aware where the file states the offset.
    """

    orientation: int = 1
    focal_length_mm: float | None = None
    focal_35mm_mm: float | None = None
    digital_zoom: float | None = None
    iso: float | None = None
    camera: str = ""
    adobe_rgb: bool = False
    taken: datetime | None = None


def read_facts(source: bytes | IO[bytes]) -> Facts:
    """Facts from an EXIF block (bytes, with or without its "Exif" prefix) or from an open TIFF file.

    A damaged block gives what could be read of it: metadata never stops a photo from being read.
    """
    if not source:
        return Facts()
    from PIL import Image

    exif = Image.Exif()
    inner: dict[int, Any] = {}
    interop: dict[int, Any] = {}
    main: dict[int, Any] = dict.fromkeys((ORIENTATION, MAKE, MODEL))
    with suppress(Exception), warnings.catch_warnings():  # Pillow raises whatever the damage leads to
        warnings.simplefilter("ignore")
        if isinstance(source, bytes):
            exif.load(source)
        else:
            source.seek(0)
            exif.load_from_fp(source)
        inner.update(exif.get_ifd(EXIF_IFD))
        interop.update(exif.get_ifd(INTEROP_IFD))
    with suppress(Exception):
        main.update({tag: exif.get(tag) for tag in (ORIENTATION, MAKE, MODEL)})
    orientation: Any = main[ORIENTATION]
    return Facts(
        orientation=int(orientation) if orientation in range(1, 9) else 1,
        focal_length_mm=_positive(inner.get(FOCAL)),
        focal_35mm_mm=_positive(inner.get(FOCAL_35MM)),
        digital_zoom=_positive(inner.get(DIGITAL_ZOOM)),
        iso=_positive(inner.get(ISO)),
        camera=_camera(main[MAKE], main[MODEL]),
        adobe_rgb=inner.get(COLOUR_SPACE) == 2 or "R03" in _text(interop.get(1)),
        taken=_taken(inner),
    )


def heeded(source: bytes, xmp: bytes) -> tuple[Facts, tuple[str, ...]]:
    """Facts from EXIF, and a note where XMP alone says that the photo is turned, which few readers heed."""
    facts = read_facts(source)
    stated = XMP_ORIENTATION.search(xmp)
    if stated is None or facts.orientation != 1:
        return facts, ()
    return facts, (f"orientation {stated[1].decode()} of XMP alone ignored",)


def seconds_apart(a: datetime, b: datetime) -> float:
    """Time between two captures, >= 0; by the cameras' clocks unless both state their offset from UTC."""
    if a.tzinfo is None or b.tzinfo is None:
        a, b = a.replace(tzinfo=None), b.replace(tzinfo=None)
    return abs((a - b).total_seconds())


def _taken(inner: dict[int, Any]) -> datetime | None:
    """DateTimeOriginal with its fraction and offset (EXIF 2.32, Sec. 4.6.6); None where it is no date."""
    text = _text(inner.get(TAKEN))
    subsec = _text(inner.get(TAKEN_SUBSEC))
    offset = _text(inner.get(TAKEN_OFFSET))
    try:
        moment = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    if subsec.isdecimal():
        moment = moment.replace(microsecond=int(subsec[:6].ljust(6, "0")))
    with suppress(ValueError):
        moment = moment.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)
    return moment


def _positive(value: Any) -> float | None:
    """A number above 0, or None: 0 means "unknown" or "not used" in all fields read here."""
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _camera(make: Any, model: Any) -> str:
    maker, name = _text(make), _text(model)
    return name if name.lower().startswith(maker.lower()) else f"{maker} {name}".strip()
