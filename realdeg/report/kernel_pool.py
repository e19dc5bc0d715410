"""The page of a kernel pool: what each kernel looks like, how wide it is and in which direction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Array
from realdeg.degrade.ops.words import format_number
from realdeg.imaging.kernel_shape import KernelShape, kernel_shape
from realdeg.imaging.kernels import centre_of_mass
from realdeg.pools.kernel_pool import KernelPool
from realdeg.report.bins import SMALLEST, bins_of
from realdeg.report.charts import binned
from realdeg.report.colours import paint
from realdeg.report.folder import Folder
from realdeg.report.listing import Cell
from realdeg.report.overview import Card, Figure

MOST_CELLS = 96  # pictures of their own; all others stand on one sheet
SIDE = 192  # px of a picture
THUMB, GAP = 48, 4  # px of a kernel on the sheet of all
COLUMNS, MOST_ON_SHEET = 20, 4000
MOST_ROWS = 5000
ROUND = 0.15  # long over short - 1 below which a direction means nothing
TOLD = {
    "confidence": "confidence",
    "explained": "explained",
    "residual_8bit": "residual, levels",
    "energy": "energy",
    "weight_sd": "s.e. of a weight",
}


@dataclass(frozen=True)
class KernelCell:
    """A kernel on the contact sheet."""

    name: str
    file: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Measured:
    """A kernel's figures: width and direction, size, centre beside the middle (px), what its maker says."""

    name: str
    shape: KernelShape
    size: str
    off: float
    told: Mapping[str, float]


@dataclass(frozen=True)
class KernelPage:
    """What the template shows."""

    lead: str
    cards: Sequence[Card]
    cells: Sequence[KernelCell]
    sheet: str
    on_sheet: int
    figures: Sequence[Figure]
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    more_rows: int
    about: Sequence[tuple[str, str]]


def kernel_page(pool: KernelPool, folder: Folder, *, most: int = MOST_CELLS) -> KernelPage:
    """Measure the kernels and write their pictures.

    Args:
        pool: the kernels.
        folder: the report's.
        most: kernels that get a picture of their own, spread over the widths.

    Raises:
        UserError: the output cannot be written.
    """
    kernels = pool.about.get("kernels")
    told = kernels if isinstance(kernels, dict) else {}
    measured = [
        _measured(name, kernel, told.get(name)) for name, kernel in zip(pool.names, pool.kernels, strict=True)
    ]
    by_width = sorted(range(len(measured)), key=lambda i: (_mean(measured[i].shape), measured[i].name))
    shown = [by_width[i] for i in _spread(len(by_width), most)]
    cells = [
        KernelCell(
            measured[i].name,
            folder.picture(kernel_picture(pool.kernels[i]), f"kernel {measured[i].name}", None),
            _lines(measured[i]),
        )
        for i in shown
    ]
    on_sheet = [by_width[i] for i in _spread(len(by_width), MOST_ON_SHEET)]
    sheet = ""
    if len(measured) > len(cells):
        sheet = folder.picture(_sheet([pool.kernels[i] for i in on_sheet]), "kernels, all", None)
    names = [name for name in TOLD if any(name in one.told for one in measured)]
    widths = [_mean(one.shape) for one in measured]
    ratio = median(one.shape.long / one.shape.short for one in measured)
    return KernelPage(
        f"{len(measured):,} blur kernels.",
        [
            Card(f"{len(measured):,}", "kernels"),
            Card(f"{median(widths):.2f} px", "median width at half maximum", more="HR px"),
            Card(f"{min(widths):.2f} to {max(widths):.2f}", "width, px"),
            Card(f"{ratio:.2f}", "median long / short"),
        ],
        cells,
        sheet,
        len(on_sheet),
        _figures(measured, names),
        ["size", "long, px", "short, px", "angle, degrees", "off centre, px", *(TOLD[n] for n in names)],
        [(one.name, _row(one, names)) for one in measured[:MOST_ROWS]],
        max(0, len(measured) - MOST_ROWS),
        [(name, _text(value)) for name, value in sorted(pool.about.items()) if name != "kernels"],
    )


def _spread(count: int, most: int) -> list[int]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def _measured(name: str, kernel: Array, told: Any) -> Measured:
    x, y = centre_of_mass(kernel)
    off = math.hypot(x - (kernel.shape[1] - 1) / 2, y - (kernel.shape[0] - 1) / 2)
    numbers = {
        key: float(value)
        for key, value in (told.items() if isinstance(told, dict) else ())
        if isinstance(value, int | float) and math.isfinite(value)
    }
    return Measured(name, kernel_shape(kernel), f"{kernel.shape[1]}x{kernel.shape[0]}", off, numbers)


def _mean(shape: KernelShape) -> float:
    return math.sqrt(shape.long * shape.short)


def _is_round(shape: KernelShape) -> bool:
    return shape.long < (1 + ROUND) * shape.short


def _lines(one: Measured) -> list[str]:
    width = f"{one.shape.long:.2f} x {one.shape.short:.2f} px"
    lines = [width if _is_round(one.shape) else f"{width}, {one.shape.angle:.0f}°", one.size]
    return lines + [f"{TOLD[name]} {format_number(one.told[name])}" for name in TOLD if name in one.told]


def _row(one: Measured, names: Sequence[str]) -> list[Cell]:
    shape = one.shape
    values = [shape.long, shape.short, None if _is_round(shape) else shape.angle, one.off]
    values += [one.told.get(name) for name in names]
    forms = [".2f", ".2f", ".0f", ".3f", *(".4g" for _ in names)]
    cells = [
        Cell("") if value is None else Cell(format(value, form), repr(value))
        for value, form in zip(values, forms, strict=True)
    ]
    return [Cell(one.size, one.size.split("x")[0]), *cells]


def _figures(measured: Sequence[Measured], names: Sequence[str]) -> list[Figure]:
    flat = [one for one in measured if not _is_round(one.shape)]
    series = [
        ("width along the long axis, px", [one.shape.long for one in measured]),
        ("width across, px", [one.shape.short for one in measured]),
        ("long / short", [one.shape.long / one.shape.short for one in measured]),
        ("angle of the long axis, degrees", [one.shape.angle for one in flat]),
        ("off centre, px", [one.off for one in measured]),
        *((TOLD[name], [one.told[name] for one in measured if name in one.told]) for name in names),
    ]
    return [made for label, values in series if (made := histogram_of(values, label, "kernels"))]


def histogram_of(values: Sequence[float], label: str, counted: str) -> Figure | None:
    """A histogram of numbers, or None where they do not differ.

    Args:
        values: any numbers.
        label: what they are, and the unit.
        counted: what has them.
    """
    if len(values) < 2 or max(values) - min(values) <= SMALLEST:
        return None
    bins, middle = bins_of(values), median(values)
    svg = binned(
        bins.edges, bins.counts, middle, x_label=label, y_label=counted, log=bins.log, names=bins.names
    )
    return Figure(
        svg, f"{len(values):,} {counted}, {format_number(min(values))} to {format_number(max(values))}"
    )


def kernel_picture(kernel: Array, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """A kernel in a square, each weight a square of its own, its peak in the brightest colour.

    Roots of the weights: a kernel's skirt counts, and is a hundredth of its peak. Negative weights are 0.

    Args:
        kernel: (h, w), its largest weight above 0.
        side: px of the square.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    height, width = kernel.shape
    times = max(1, side // max(height, width))
    if times == 1 and max(height, width) > side:
        every = -(-max(height, width) // side)
        kernel = kernel[::every, ::every]
    root = np.sqrt(np.maximum(kernel, 0) / kernel.max())
    large = np.repeat(np.repeat(paint(root, 1.0), times, 0), times, 1)
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = paint(np.zeros((1, 1)), 1.0)
    top, left = ((side - n) // 2 for n in large.shape[:2])
    canvas[top : top + large.shape[0], left : left + large.shape[1]] = large
    return canvas


def _sheet(kernels: Sequence[Array]) -> npt.NDArray[np.uint8]:
    """All kernels in rows, the narrowest first, each cut to its middle part of `THUMB` weights at most."""
    rows = -(-len(kernels) // COLUMNS)
    cell = THUMB + GAP
    sheet = np.full((rows * cell, COLUMNS * cell, 3), 128, np.uint8)
    for i, kernel in enumerate(kernels):
        top, left = i // COLUMNS * cell, i % COLUMNS * cell
        cut = tuple(slice(max(0, (n - THUMB) // 2), max(0, (n - THUMB) // 2) + THUMB) for n in kernel.shape)
        sheet[top : top + THUMB, left : left + THUMB] = kernel_picture(kernel[cut], THUMB)
    return sheet


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) < 400 else f"{text[:400]} ..."
