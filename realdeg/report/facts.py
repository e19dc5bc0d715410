"""A certificate as tables: each figure with its unit, and the two photos side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from realdeg.records import PairRecord
from realdeg.report.certificate import Certificate, finite


@dataclass(frozen=True)
class Group:
    """Rows under one heading: what, value with its unit."""

    title: str
    rows: list[tuple[str, str]]


def groups(certificate: Certificate, record: PairRecord) -> list[Group]:
    """All facts of a certificate, without those that it lacks; what it lacks wholly is no group."""
    made = [
        Group("Accuracy", _accuracy(certificate)),
        Group("Geometry", _geometry(certificate, record)),
        Group("Brightness", _brightness(certificate)),
        Group("Sharpness and mask", _sharpness(certificate)),
        Group("Made by", _versions(certificate)),
    ]
    return [group for group in made if group.rows]


def photos(certificate: Certificate) -> list[tuple[str, str, str]]:
    """(what, LR photo, HR photo) from the two EXIF blocks; rows that neither has are left out."""
    sides = [certificate.at(side) for side in ("lr", "hr")]
    blocks = [side if isinstance(side, Mapping) else {} for side in sides]
    rows = []
    for label, show in PHOTO_ROWS.items():
        left, right = (show(block) for block in blocks)
        if left or right:
            rows.append((label, left or "-", right or "-"))
    return rows


def columns(record: PairRecord) -> list[tuple[str, str]]:
    """Every cell of the pair's row in the manifest that is not empty."""
    names = (
        "key",
        "status",
        "reason",
        "lr",
        "hr",
        "scale",
        "scene",
        "split",
        "how",
        "source_lr",
        "source_hr",
    )
    cells = [(name, str(getattr(record, name))) for name in names]
    cells += [(name, str(value)) for name, value in record.detail.items()]
    return [(name, text) for name, text in cells if text]


def px(value: float | None, unit: str) -> str:
    """A length with its unit, three or four significant figures, or ""."""
    return "" if value is None else f"{value:.4f} {unit}" if abs(value) < 0.1 else f"{value:.3f} {unit}"


def _accuracy(c: Certificate) -> list[tuple[str, str]]:
    stated = [px(c.number("error", "p95_lr_px"), "LR px"), px(c.number("error", "p95_hr_px"), "HR px")]
    mean = (c.number("blind", "mean_x"), c.number("blind", "mean_y"))
    tiles = c.arrows("tiles")
    count = {state: sum(tile.state == state for tile in tiles) for state in ("ok", "weak", "disagrees")}
    told = f"{count['ok']} agree, {count['weak']} weak, {count['disagrees']} disagree" if tiles else ""
    grid = c.numbers("tiles", "grid_hw")
    return _present(
        ("stated error, 95 % of the field below", " = ".join(part for part in stated if part)),
        ("stated standard deviation", px(c.number("error", "sd_lr_px"), "LR px")),
        ("blind residual, 95 %", px(c.number("blind", "p95_lr_px"), "LR px")),
        ("blind residual, median", px(c.number("blind", "median_lr_px"), "LR px")),
        ("blind residual, mean x, y", "" if None in mean else f"{mean[0]:+.4f}, {mean[1]:+.4f} LR px"),
        ("blind method", c.text("blind", "method")),
        ("tiles", told),
        ("tile grid", f"{grid[0]:.0f} rows x {grid[1]:.0f} columns" if len(grid) == 2 else ""),
    )


def _geometry(c: Certificate, record: PairRecord) -> list[tuple[str, str]]:
    scale = c.number("scale") or record.scale or None
    field = c.number("field")
    matrix = c.numbers("map", "homography")
    lens = c.at("map", "lens", "terms")
    terms = [(k, finite(v)) for k, v in lens.items()] if isinstance(lens, Mapping) else []
    rows = _present(
        ("scale", f"x{scale:g}" if scale else ""),
        ("zoom measured", _times(c.number("zoom", "measured"))),
        ("zoom by EXIF", _times(c.number("zoom", "exif"))),
        ("zoom nominal", _times(c.number("zoom", "nominal"))),
        ("HR photo kept", "" if field is None else f"{100 * field:.1f} %"),
        ("LR crop", _box(c.numbers("lr_crop"), "LR px")),
        ("HR crop", _box(c.numbers("hr_crop"), "HR px")),
        ("lens model", c.text("map", "lens", "model")),
        ("lens, largest bend", px(c.number("map", "lens", "largest_lr_px"), "LR px")),
    )
    rows += [(f"lens, {str(name).replace('_', ' ')}", f"{v:.6g}") for name, v in terms if v is not None]
    if len(matrix) == 9:
        lines = [" ".join(f"{value:>14.8g}" for value in matrix[3 * i : 3 * i + 3]) for i in range(3)]
        rows.append(("homography, HR px from LR px", "\n".join(lines)))
    return rows


def _brightness(c: Certificate) -> list[tuple[str, str]]:
    adjusted, model = c.text("brightness", "adjusted").upper(), c.text("brightness", "model")
    follows = {"HR": "HR follows LR", "LR": "LR follows HR"}.get(adjusted, adjusted.lower())
    unused = c.at("brightness", "vignetting", "used") is False  # older certificates do not say
    corner = None if unused else c.number("brightness", "vignetting", "corner_gain")
    refused = c.at("brightness", "refused_models")
    harms = refused.items() if isinstance(refused, Mapping) else ()
    left, least = (_levels(c.number("brightness", name)) for name in ("rms_8bit", "unexplained_8bit"))
    return _present(
        ("method", c.text("brightness", "method")),
        ("model", model),
        *((f"not used: {name}", why) for name, why in harms if isinstance(why, str)),
        ("adjusted", "nothing" if model == "none" else follows),
        ("difference before, rms", _levels(c.number("brightness", "before_8bit"))),
        ("difference left, rms", left),
        ("left by the model that fits best", "" if least == left else least),
        ("vignetting, gain in the corners", "" if corner is None else f"x{corner:.3f}"),
        ("colour matrix, linear light", _matrix(c)),
        (
            "values beyond the measured range",
            "" if model == "none" else _percent(c.number("brightness", "beyond_range")),
        ),
        ("pixels clipped in HR or LR", _percent(c.number("brightness", "clipped"))),
        ("light changed between the photos", _percent(c.number("brightness", "changed"))),
    )


def _sharpness(c: Certificate) -> list[tuple[str, str]]:
    valid, angle = c.number("mask", "valid"), c.number("psf", "angle_deg")
    detail = c.number("detail", "detail")
    return _present(
        ("blur of LR, major axis (sigma)", px(c.number("psf", "sigma_major_lr_px"), "LR px")),
        ("blur of LR, minor axis (sigma)", px(c.number("psf", "sigma_minor_lr_px"), "LR px")),
        ("blur, angle of the major axis", "" if angle is None else f"{angle:.1f} degrees"),
        ("HR's detail against LR's", "" if detail is None else f"x{detail:.2f}"),
        ("texture on which HR shows no more", _percent(c.number("detail", "soft"))),
        ("mask", c.text("mask", "path")),
        ("valid by the mask", "" if valid is None else f"{100 * valid:.1f} %"),
    )


def _versions(c: Certificate) -> list[tuple[str, str]]:
    versions = c.at("versions")
    named = versions.items() if isinstance(versions, Mapping) else ()
    return _present(("recipe", c.text("recipe")), *((str(name), str(text)) for name, text in named))


def _present(*rows: tuple[str, str]) -> list[tuple[str, str]]:
    return [row for row in rows if row[1]]


def _levels(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} of 255 levels"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _matrix(c: Certificate) -> str:
    """The colour matrix, a line a row, or ""."""
    found = c.at("brightness", "matrix")
    rows = [Certificate({"row": row}).numbers("row") for row in found] if isinstance(found, list) else []
    square = all(len(row) == len(rows) for row in rows)
    return "\n".join(" ".join(f"{value:>8.4f}" for value in row) for row in rows) if square else ""


def _times(value: float | None) -> str:
    return "" if value is None else f"x{value:.4g}"


def _box(box: list[float], unit: str) -> str:
    if len(box) != 4:
        return ""
    x, y, w, h = box
    return f"{w:.0f} x {h:.0f} {unit} at x {x:.0f}, y {y:.0f}"


def _text(block: Mapping[str, Any], name: str) -> str:
    value = block.get(name)
    return value if isinstance(value, str) else ""


def _measure(block: Mapping[str, Any], name: str, unit: str) -> str:
    value = finite(block.get(name))
    return "" if value is None else f"{value:g}{unit}"


def _size(block: Mapping[str, Any]) -> str:
    size = block.get("size_hw")
    sides = [finite(side) for side in size] if isinstance(size, list) else []
    if len(sides) != 2 or sides[0] is None or sides[1] is None:
        return ""
    return f"{sides[1]:.0f} x {sides[0]:.0f} px ({sides[0] * sides[1] / 1e6:.1f} MP)"


PHOTO_ROWS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "file": lambda b: _text(b, "path"),
    "size": _size,
    "camera": lambda b: _text(b, "camera"),
    "focal length": lambda b: _measure(b, "focal_mm", " mm"),
    "focal length as on 35 mm film": lambda b: _measure(b, "focal_35mm", " mm"),
    "sensitivity": lambda b: _measure(b, "iso", " ISO"),
    "taken": lambda b: _text(b, "taken"),
    "colour profile": lambda b: _text(b, "profile"),
    "orientation applied": lambda b: _measure(b, "orientation", ""),
}
