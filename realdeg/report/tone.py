"""How a pair's colours were brought together: curves, clusters of colours, pictures of before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from realdeg.arraytypes import Image
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.io.photo import read
from realdeg.names import file_name
from realdeg.report.certificate import FOLDER, Certificate, finite
from realdeg.report.charts import curves
from realdeg.report.folder import Folder
from realdeg.report.layers import FULL_QUALITY

CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True)
class Cluster:
    """Pixels of about one colour.

    Attributes:
        rgb: their mean as it was before the correction, 8-bit levels.
        share: of the pixels.
        before, after: difference between HR and LR without and with the correction, 8-bit levels, or "".
    """

    rgb: tuple[int, int, int]
    share: str
    before: str
    after: str


@dataclass(frozen=True)
class BeforeAfter:
    """LR, HR, and the one that was adjusted as it was before, of one size.

    Attributes:
        size_hw: of each picture, px.
        pictures: (file relative to the folder, caption), from left to right.
        damage: why there are none, though the one from before is there; or "".
    """

    size_hw: tuple[int, int] = (0, 0)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    damage: str = ""


def before_after(
    c: Certificate, lr: Image, hr: Image, dataset: Path, folder: Folder, key: str
) -> BeforeAfter | None:
    """Write the pictures, reduced to the size of the one from before; None where nothing was adjusted.

    Args:
        c: certificate of the pair.
        lr, hr: the pair, (H, W, 3) uint8 or uint16.
        dataset: folder with the certificates.
        folder: the report's.
        key: of the pair; names the files.

    Raises:
        UserError: the output cannot be written.
    """
    file, adjusted = f"{FOLDER}/{file_name(key)}.webp", c.text("brightness", "adjusted")
    if adjusted not in ("hr", "lr") or not (dataset / file).is_file():
        return None
    try:
        untouched = to_8bit(read(dataset / file).pixels)
    except UserError as error:
        return BeforeAfter(damage=f"{file} {error.problem}")
    height, width = untouched.shape[:2]
    if any(height > image.shape[0] or width > image.shape[1] for image in (lr, hr)):
        return BeforeAfter(damage=f"{file} is larger than the pair")
    small = {
        side: to_8bit(np.ascontiguousarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)))
        for side, image in (("lr", lr), ("hr", hr))
    }
    if adjusted == "hr":
        shown = [("LR", small["lr"]), ("HR, untouched", untouched), ("HR, delivered", small["hr"])]
    else:
        shown = [("LR, untouched", untouched), ("LR, delivered", small["lr"]), ("HR", small["hr"])]
    files = [(folder.picture(image, f"colours {side} {key}", FULL_QUALITY), side) for side, image in shown]
    return BeforeAfter((height, width), files)


def clusters(c: Certificate) -> list[Cluster]:
    """The clusters of colours; what has no colour or no share is left out."""
    listed = c.at("brightness", "clusters")
    rows = []
    for one in listed if isinstance(listed, list) else []:
        entry = Certificate(one) if isinstance(one, Mapping) else Certificate()
        rgb, share = entry.numbers("rgb"), entry.number("share")
        if len(rgb) == 3 and share is not None:
            red, green, blue = (round(min(max(value, 0), 255)) for value in rgb)
            before, after = (_levels(entry.at(name)) for name in ("before_8bit", "after_8bit"))
            rows.append(Cluster((red, green, blue), f"{100 * share:.1f} %", before, after))
    return rows


def chart(c: Certificate) -> str:
    """Chart of each channel's curve, 8-bit levels; "" without any, or where nothing is changed."""
    if c.text("brightness", "model") == "none":
        return ""
    levels = c.numbers("brightness", "levels")
    found = c.at("brightness", "curves")
    count = len(found) if isinstance(found, list) else 0
    series = {}
    for i in range(min(count, 3)):
        values = Certificate({"curve": found[i]}).numbers("curve")
        if len(levels) > 1 and len(values) == len(levels):
            points = zip(levels, values, strict=True)
            series[CHANNELS[i] if count == 3 else "all"] = [(255 * a, 255 * b) for a, b in points]
    if not series:
        return ""
    series["unchanged"] = [(0.0, 0.0), (255.0, 255.0)]
    kinds = {name: f"tone {name}" for name in series}
    return curves(series, x_label="before, 8-bit level", y_label="after, 8-bit level", kinds=kinds)


def _levels(value: object) -> str:
    number = finite(value)
    return "" if number is None else f"{number:.2f}"
