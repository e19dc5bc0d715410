"""The page of a calibrated camera: its blur, noise and tone, and how well they predict its photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from realdeg.arraytypes import Array
from realdeg.camera.camera import FIGURES, KERNELS, NOISE, RECIPE, predicted_lr
from realdeg.camera.folder import MEASURED
from realdeg.camera.settings import CalibrateSettings
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.detail import busiest
from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.layout import refuse_inside
from realdeg.pools.found import KERNEL_FILES, NOISE_FILES, arrays_file
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import MANIFEST, PairRecord, read_manifest
from realdeg.report.certificate import finite
from realdeg.report.charts import cloud, curves
from realdeg.report.deck import DeckPair, plate, worst_first
from realdeg.report.folder import Folder
from realdeg.report.kernel_pool import KernelCell, kernel_page, kernel_picture
from realdeg.report.listing import Cell
from realdeg.report.noise_pool import CHANNELS
from realdeg.report.overview import Card, Figure
from realdeg.report.template import Templates
from realdeg.typed import Json, Mistyped, read_json

DISTANCE = "distance.json"  # of `realdeg compare --json`, where somebody put it
MOST_CELLS = 24
MOST_EXAMPLES = 8
MOST_FIGURES = 4  # of the kernels' shapes: widths, their ratio, direction or place
MOST_WINDOWS = 1500  # marks of the chart of noise
FEW = 8  # pairs, below which errors of the mean are rough
CROP = 160  # LR px a side of an example
RESIDUAL = 8  # times that residuals are enlarged about mid grey
FLATTEST = 0.5  # of the windows: those whose content adds least to what is taken for noise
MEASURES = {  # of each pair, in the table, and how they are written
    "width_x": ".2f",
    "width_y": ".2f",
    "residual_8bit": ".2f",
    "explained": ".4f",
    "noise_patches": ".0f",
}
NAMES = {
    "width_x": ("width along x, sigma", "HR px"),
    "width_y": ("width along y, sigma", "HR px"),
    "centre_x": ("centre beside LR's pixel, x", "HR px"),
    "centre_y": ("centre beside LR's pixel, y", "HR px"),
    "residual_8bit": ("what the kernel leaves of LR, rms", "levels"),
    "explained": ("share of LR's variance that it explains", ""),
    **{f"gain_{c}": (f"gain, {name}", "") for c, name in zip("rgb", CHANNELS, strict=True)},
    **{f"offset_8bit_{c}": (f"offset, {name}", "levels") for c, name in zip("rgb", CHANNELS, strict=True)},
}


class _Stated(TypedDict):
    mean: float
    sd: float | None
    error: float | None


_Tone = TypedDict(
    "_Tone", {"from": int, "to": int, "r": _Stated | None, "g": _Stated | None, "b": _Stated | None}
)
_Band = TypedDict("_Band", {"from": float, "to": float, "power": list[float], "error": list[float] | None})


class _Noise(TypedDict):
    patches: int
    offset: list[float | None]
    slope: list[float | None]
    offset_error: list[float | None]
    slope_error: list[float | None]
    neighbours: list[float] | None
    channels: list[float] | None
    spectrum: list[_Band] | None


class _Camera(TypedDict):
    name: str
    scale: int
    size: int | None
    grid: list[int]
    max_error: float
    patch: int
    pairs: int
    refused_pairs: int
    kernels: dict[str, _Stated]
    noise: _Noise
    residual_tone: list[_Tone]
    made_with: Json


class _Ranked(TypedDict):
    dataset: str
    distance: float
    images: float
    photos: float


class _Distances(TypedDict):
    real: str
    ranked: list[_Ranked]


@dataclass(frozen=True)
class CalibrationPage:
    """What the template shows.

    Attributes:
        kernels: rows of the table: what, mean with its unit, standard deviation between pairs, error.
        mean, spread: pictures of the mean kernel and of the standard deviation of its weights, or "".
        cells, sheet, figures: of single kernels.
        noise: charts of noise.
        law: a line for each channel: name, offset, slope.
        facts: of the noise, by name.
        tone: chart, or "", and table of the residual tone.
        distances: of datasets from `real` photos: name, distance, images.
        pairs: to look at.
        rows: of all pairs that were to be measured: key, status, reason, cells.
        recipe: camera.toml.
        said: what to know about the errors, or "".
    """

    lead: str
    cards: Sequence[Card]
    kernels: Sequence[tuple[str, str, str, str]]
    mean: str
    spread: str
    cells: Sequence[KernelCell]
    sheet: str
    figures: Sequence[Figure]
    noise: Sequence[Figure]
    law: Sequence[tuple[str, str, str]]
    facts: Sequence[tuple[str, str]]
    tone: str
    tones: Sequence[tuple[str, Sequence[str]]]
    distances: Sequence[tuple[str, str, str]]
    real: str
    pairs: Sequence[DeckPair]
    rows: Sequence[tuple[str, str, str, Sequence[Cell]]]
    recipe: str
    said: str


def is_camera(path: Path) -> bool:
    """Whether a path is a folder of `realdeg calibrate`."""
    return (path / FIGURES).is_file() and (path / KERNELS).is_file()


def build_calibration_report(camera: Path, out: Path | None = None, *, title: str = "") -> Path:
    """Write the report of a camera.

    The same folder gives the same bytes.

    Args:
        camera: folder of `realdeg calibrate`.
        out: folder of the report; default `camera/report`.
        title: heading; default the camera's name.

    Returns:
        Path of index.html.

    Raises:
        UserError: it is no such folder, its files are damaged, or `out` cannot be written.
    """
    try:
        figures = read_json(camera / FIGURES, _Camera, more=True)
    except (OSError, Mistyped) as error:
        raise UserError(camera / FIGURES, f"cannot be used ({error})", "calibrate again") from None
    if out is not None:
        refuse_inside(out, camera / MEASURED)
    folder = Folder(out or camera / "report")
    templates = Templates(title or figures["name"], camera.resolve().name)
    templates.write_assets(folder)
    page = _page(camera, figures, folder)
    index = folder.text("index.html", templates.render("calibration.html.j2", root="", one=page))
    folder.remove_stale()
    return index


def _page(camera: Path, figures: _Camera, folder: Folder) -> CalibrationPage:
    pool = KernelPool.read(camera / KERNELS, figures["scale"])
    drawn = kernel_page(pool, folder, most=MOST_CELLS)
    mean, spread = _mean_and_spread(pool, folder)
    noises = NoisePool.read(camera / NOISE) if (camera / NOISE).is_file() else None
    records = (
        read_manifest(camera / MEASURED, pairs=False) if (camera / MEASURED / MANIFEST).is_file() else []
    )
    grid = figures["grid"]
    settings = CalibrateSettings(
        scale=figures["scale"],
        size=figures["size"],
        grid=(grid[0], grid[1]),
        max_error=figures["max_error"],
        patch=figures["patch"],
    )
    noise, distances = figures["noise"], _distances(camera)
    tones = [
        (
            f"{one['from']} to {one['to'] - 1}",
            [_plus(stated, ".2f") for stated in (one["r"], one["g"], one["b"])],
        )
        for one in figures["residual_tone"]
    ]
    lost = figures["refused_pairs"]
    recipe = ""
    if (camera / RECIPE).is_file():
        recipe = (camera / RECIPE).read_text(encoding="utf-8", errors="replace")
    pairs = f"{figures['pairs']} pair{'s' if figures['pairs'] != 1 else ''}"
    few = "With fewer than about eight pairs the errors are themselves rough and may come out too small."
    return CalibrationPage(
        lead=f"A camera measured from {pairs} of x{settings.scale}"
        + (f", {lost} more {'was' if lost == 1 else 'were'} refused." if lost else "."),
        cards=_cards(figures),
        kernels=[_row(name, figures["kernels"][name]) for name in NAMES if name in figures["kernels"]],
        mean=mean,
        spread=spread,
        cells=drawn.cells,
        sheet=drawn.sheet,
        figures=drawn.figures[:MOST_FIGURES],
        noise=_noise_figures(camera, noise, noises, records),
        law=[(name, *_law(noise, i)) for i, name in enumerate(CHANNELS)],
        facts=_facts(noise),
        tone=_tone_chart(figures["residual_tone"]),
        tones=tones,
        distances=[
            (one["dataset"], f"{one['distance']:.2f}", f"{one['images']:.0f}")
            for one in (distances["ranked"] if distances else [])
        ],
        real=distances["real"] if distances else "",
        pairs=_examples(camera, records, settings, folder),
        rows=[_measured(record) for record in records],
        recipe=recipe,
        said=few if figures["pairs"] < FEW else "",
    )


def _cards(figures: _Camera) -> list[Card]:
    kernels, noise = figures["kernels"], figures["noise"]
    cards = [
        Card(f"{figures['pairs']:,}", "pairs measured", more=f"scale x{figures['scale']}"),
    ]
    if figures["refused_pairs"]:
        cards.append(Card(f"{figures['refused_pairs']:,}", "refused", "warn"))
    wide = [kernels[name] for name in ("width_x", "width_y") if name in kernels]
    if len(wide) == 2:
        more = f"{sum(one['mean'] for one in wide) / 2 / figures['scale']:.2f} LR px"
        cards.append(
            Card(f"{wide[0]['mean']:.2f} x {wide[1]['mean']:.2f}", "sigma of the blur, HR px", more=more)
        )
    middle = [
        max(0.0, a + 128 * b) ** 0.5
        for a, b in zip(noise["offset"], noise["slope"], strict=True)
        if a is not None and b is not None
    ]
    if middle:
        cards.append(Card(f"{sum(middle) / len(middle):.2f}", "noise at mid grey, levels", more="sigma"))
    cards.append(Card(f"{noise['patches']:,}", "noise patches"))
    return cards


def _row(name: str, one: _Stated) -> tuple[str, str, str, str]:
    what, unit = NAMES[name]
    numbers = ("-" if value is None else f"{value:.4f}" for value in (one["sd"], one["error"]))
    sd, error = numbers
    return f"{what}, {unit}" if unit else what, f"{one['mean']:.4f}", sd, error


def _plus(one: _Stated | None, form: str) -> str:
    """A mean with its error; "" where nothing was measured."""
    if one is None:
        return ""
    return format(one["mean"], "+" + form) + ("" if one["error"] is None else f" ± {one['error']:{form}}")


def _law(noise: _Noise, channel: int) -> tuple[str, str]:
    """Variance at level 0, and its growth a level."""
    found = []
    for name in ("offset", "slope"):
        value, error = noise[name][channel], noise[f"{name}_error"][channel]  # type: ignore[literal-required]
        text = "not known" if value is None else f"{value:.4f}"
        found.append(text if value is None or error is None else f"{text} ± {error:.4f}")
    return found[0], found[1]


def _facts(noise: _Noise) -> list[tuple[str, str]]:
    facts = []
    if noise["neighbours"]:
        across, down = noise["neighbours"]
        facts.append(("correlation of neighbours along x, along y", f"{across:.3f}, {down:.3f}"))
    if noise["channels"]:
        facts.append(
            ("correlation of R and G, R and B, G and B", ", ".join(f"{v:.3f}" for v in noise["channels"]))
        )
    return facts


def _mean_and_spread(pool: KernelPool, folder: Folder) -> tuple[str, str]:
    """Pictures of the mean kernel and of the standard deviation of each weight, where sizes are equal."""
    if len({kernel.shape for kernel in pool.kernels}) > 1:
        return "", ""
    stack = np.stack(pool.kernels)
    mean = folder.picture(kernel_picture(stack.mean(0)), "mean kernel", None)
    spread = stack.std(0)
    return mean, folder.picture(kernel_picture(spread), "spread of kernels", None) if spread.max() > 0 else ""


def _noise_figures(
    camera: Path, noise: _Noise, pool: NoisePool | None, records: Sequence[PairRecord]
) -> list[Figure]:
    known = [
        (name, a, b)
        for name, a, b in zip(CHANNELS, noise["offset"], noise["slope"], strict=True)
        if a is not None and b is not None
    ]
    lines = {name: [(x, max(0.0, a + b * x) ** 0.5) for x in range(0, 256, 5)] for name, a, b in known}
    kinds = {name: f"tone {name}" for name in CHANNELS}
    windows = _windows(camera, records)
    made = []
    x_label, y_label = "mean level", "sigma, levels"
    if windows:
        told = (
            "Flat windows of all pairs, a mark each, and the law sqrt(offset + slope level). Marks above "
            "hold content."
        )
        made.append(Figure(cloud(windows, lines, x_label=x_label, y_label=y_label), told))
    elif lines:
        made.append(
            Figure(
                curves(lines, kinds=kinds, reach=255, x_label=x_label, y_label=y_label),
                "The law sqrt(offset + slope level).",
            )
        )
    function = pool.about.get("level_function") if pool else None
    if isinstance(function, dict) and (curve := _function(function)):
        text = (
            "The level function by which noise is injected: the curve through windows in which noise "
            "prevails."
        )
        made.append(Figure(curves(curve, kinds=kinds, reach=255, x_label=x_label, y_label=y_label), text))
    if noise["spectrum"]:
        bands = noise["spectrum"]
        power = {
            name: [((one["from"] + one["to"]) / 2, one["power"][i]) for one in bands]
            for i, name in enumerate(CHANNELS)
        }
        chart = curves(
            power, kinds=kinds, x_label="frequency, cycles/px", y_label="power, white = 1", reach=0.5
        )
        made.append(
            Figure(
                chart, "Spectrum of the patches: level for white noise, falling where neighbours go together."
            )
        )
    return made


def _function(told: Mapping[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Sigma by level of each channel, where windows were seen."""
    try:
        knots, variance, counts = (np.asarray(told[name], float) for name in ("knots", "variance", "counts"))
        return {
            name: [
                (float(k), float(v**0.5))
                for k, v, n in zip(knots, variance[i], counts[i], strict=True)
                if n > 0
            ]
            for i, name in enumerate(CHANNELS)
        }
    except (KeyError, ValueError, TypeError, IndexError):
        return {}


def _windows(camera: Path, records: Sequence[PairRecord]) -> dict[str, list[tuple[float, float]]]:
    """(level, sigma) by channel of the flattest windows; nothing where measured/ is gone."""
    slopes, levels, variances = [], [], []
    for record in records:
        if not record.ok:
            continue
        path = arrays_file(camera / MEASURED, record, NOISE_FILES)
        if path.is_file():
            with np.load(path) as file:
                slopes.append(file["window_slopes"])
                levels.append(file["window_levels"])
                variances.append(file["window_variances"])
    if not slopes or not sum(len(one) for one in slopes):
        return {}
    slope, level, variance = (np.concatenate(many) for many in (slopes, levels, variances))
    flat = np.flatnonzero(slope <= np.quantile(slope, FLATTEST))
    flat = flat[:: -(-len(flat) // MOST_WINDOWS)]
    return {
        name: list(zip(level[flat, c].tolist(), np.sqrt(variance[flat, c]).tolist(), strict=True))
        for c, name in enumerate(CHANNELS)
    }


def _tone_chart(tone: Sequence[_Tone]) -> str:
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in CHANNELS}
    for one in tone:
        for name, stated in zip(CHANNELS, (one["r"], one["g"], one["b"]), strict=True):
            if stated:
                points[name].append(((one["from"] + one["to"]) / 2, stated["mean"]))
    kinds = {name: f"tone {name}" for name in CHANNELS}
    return curves(
        points,
        x_label="level of the prediction",
        y_label="LR less prediction, levels",
        kinds=kinds,
        reach=255,
    )


def _distances(camera: Path) -> _Distances | None:
    """What `realdeg compare --json` found of sets that were made by this camera; None: nobody asked it.

    Raises:
        UserError: the file is something else.
    """
    if not (camera / DISTANCE).is_file():
        return None
    try:
        return read_json(camera / DISTANCE, _Distances)
    except (OSError, Mistyped) as error:
        remedy = "write it by `realdeg compare --json`, or remove it"
        raise UserError(camera / DISTANCE, f"cannot be used ({error})", remedy) from None


def _examples(
    camera: Path, records: Sequence[PairRecord], settings: CalibrateSettings, folder: Folder
) -> list[DeckPair]:
    """LR beside what the pair's kernel, gain and offset make of HR; the worst fit first."""
    done = sorted(
        (record for record in records if record.ok), key=lambda r: -(_mean(r, "residual_8bit") or 0.0)
    )
    chosen = [
        done[i]
        for i in np.unique(np.linspace(0, len(done) - 1, min(len(done), MOST_EXAMPLES)).round().astype(int))
    ]
    pairs = []
    for record in chosen:
        try:
            lr, hr = read(Path(record.source_lr)), read(Path(record.source_hr))
            kernels: Array = np.load(arrays_file(camera / MEASURED, record, KERNEL_FILES))
            predicted = predicted_lr(hr.as_float(), kernels, _typed(record), settings)
        except (UserError, OSError, ValueError, KeyError):
            continue  # photos that are not there any more are no fault of the camera's
        if predicted.shape != lr.pixels.shape:
            continue
        seen = to_8bit(lr.pixels)
        height, width = (min(CROP, side) for side in seen.shape[:2])
        top, left = busiest(seen, height, width)
        there = np.s_[top : top + height, left : left + width]
        made = 255 * np.nan_to_num(predicted[there], nan=0.5)
        small = resize(to_8bit(hr.pixels), 1 / settings.scale, lr.pixels.shape[:2])
        pictures = {
            "LR of the camera": np.ascontiguousarray(seen[there]),
            "HR through its kernel": _uint8(made),
            f"what is left, x {RESIDUAL}": _uint8(128 + RESIDUAL * (seen[there] - made)),
            "HR reduced by bicubic": np.ascontiguousarray(np.asarray(small)[there]),
        }
        plates = tuple(plate(folder, record.key, what, image) for what, image in pictures.items())
        residual = _mean(record, "residual_8bit")
        line = "" if residual is None else f"The kernel leaves {residual:.2f} levels rms, noise included."
        pairs.append(DeckPair(record.key, plates, line=line, badness=residual))
    return worst_first(pairs)


def _uint8(levels: Array) -> Array:
    return np.ascontiguousarray(np.rint(np.clip(levels, 0, 255)).astype(np.uint8))


def _numbers(value: Any) -> list[float]:
    """A cell of the manifest: a number, or several, one a cell of the photo."""
    words = value.split() if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    return [number for word in words if (number := finite(word)) is not None]


def _typed(record: PairRecord) -> PairRecord:
    """The pair as it was measured: of the manifest, where all is text and what is empty is left out."""
    names = [f"{what}_{c}" for what in ("gain", "offset_8bit") for c in "rgb"]
    numbers = {name: _numbers(record.detail[name]) for name in names}
    return replace(record, detail={**record.detail, **numbers, "cells": record.detail.get("cells", "")})


def _mean(record: PairRecord, name: str) -> float | None:
    """A figure of a pair; of several cells their mean."""
    known = _numbers(record.detail.get(name))
    return sum(known) / len(known) if known else None


def _measured(record: PairRecord) -> tuple[str, str, str, list[Cell]]:
    cells = []
    for name, form in MEASURES.items():
        value = _mean(record, name)
        cells.append(Cell("") if value is None else Cell(format(value, form), repr(value)))
    return record.key, record.status, record.reason, cells
