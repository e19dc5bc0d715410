"""The job of `realdeg calibrate`: a camera measured from registered pairs, as a recipe with its own pools.

The camera's folder holds kernels.npz, noise.npz, camera.toml (the recipe) and camera.json (all figures).
Below measured/ lie the job's state, a manifest with a row for each pair, and what was found in each; the rest
is made of that at the end, and it may be deleted.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.arraytypes import Array
from realdeg.atomic import write_bytes, write_text
from realdeg.calibrate.law import FEWEST, by_level, noise_law, noise_shape, prevailing
from realdeg.calibrate.pair_noise import BINS, PairNoise, noise_of_pair
from realdeg.calibrate.settings import CalibrateSettings
from realdeg.degrade.ops.level_noise import SMALLEST
from realdeg.errors import UserError
from realdeg.imaging.blur import AlignedKernel, blur_subsample
from realdeg.io.photo import read
from realdeg.jobs import Ended, JobReport, Running, run_job
from realdeg.kernels.folder import Pair, find_pairs, fit_pair, pool_of
from realdeg.kernels.settings import KernelSettings
from realdeg.layout import refuse_inside
from realdeg.pools.found import cell
from realdeg.pools.pools import NoisePool
from realdeg.records import PairRecord, with_files
from realdeg.settings import to_mapping, versions, write_run

KERNELS, NOISE, RECIPE, FIGURES = "kernels.npz", "noise.npz", "camera.toml", "camera.json"
MEASURED = "measured"
FIGURES_OF_KERNELS = (
    "width_x",
    "width_y",
    "centre_x",
    "centre_y",
    "residual_8bit",
    "explained",
    *(f"{name}_{c}" for name in ("gain", "offset_8bit") for c in "rgb"),
)


def calibrate(
    dataset: Path, out: Path, settings: CalibrateSettings, *, running: Running = Running()
) -> JobReport:
    """Measure the camera that took the LR photos of a dataset.

    Args:
        dataset: folder with manifest.csv, of registered pairs.
        out: receives the camera.
        settings: scale, which pairs, size of what is measured.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no dataset, no such pair in it, or `out` cannot be used.
    """
    refuse_inside(out, dataset)
    pairs = chosen(dataset, settings)
    job = out / MEASURED
    asked = to_mapping(settings)

    def also(ended: Ended) -> None:
        write_run(job, "realdeg calibrate", {"dataset": dataset, **asdict(settings)})
        if ended.whole and any(record.ok for record in ended.records):
            _write(out, ended.records, asked)

    return run_job(
        partial(measure_pair, job=job, settings=settings),
        pairs,
        job,
        settings={"how": "calibration", **asked},
        also=also,
        running=running,
    )


def chosen(dataset: Path, settings: CalibrateSettings) -> list[Pair]:
    """The camera's pairs.

    Raises:
        UserError: no dataset, no pair of this scale, or none whose key fits the pattern.
    """
    pairs = find_pairs(dataset, settings.scale)
    found = [pair for pair in pairs if fnmatchcase(pair.key, settings.only)]
    if not found:
        problem = f"none of its {len(pairs)} pairs is called {settings.only}"
        raise UserError(dataset, problem, f"keys are like {pairs[0].key}")
    return found


def measure_pair(pair: Pair, job: Path, settings: CalibrateSettings) -> PairRecord:
    """Kernels, noise and tone of one pair: the work of one item."""
    fit = KernelSettings(settings.scale, size=settings.size, grid=settings.grid, max_error=settings.max_error)
    record = fit_pair(pair, job, fit)
    if not record.ok:
        return record
    lr, hr = read(pair.lr).as_float(), read(pair.hr).as_float()
    predicted = _predicted(hr, np.load(job / record.lr), record, settings)
    noise = noise_of_pair(lr, predicted, settings.patch)
    content = io.BytesIO()
    np.savez(content, **{name: getattr(noise, name) for name in PairNoise.__dataclass_fields__})
    path = f"noise/{record.key}.npz"
    write_bytes(job / path, content.getvalue())
    detail = {**record.detail, "noise_patches": len(noise.patches)}
    return with_files(job, replace(record, hr=path, detail=detail))


def _predicted(hr: Array, kernels: Array, record: PairRecord, settings: CalibrateSettings) -> Array:
    """(h, w, 3) LR as kernel, gain and offset make it of HR; NaN in cells without a kernel."""
    scale = settings.scale
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    predicted = np.full((height, width, 3), np.nan, np.float32)
    names = str(record.detail["cells"]).split() or [""]
    for i, (name, kernel) in enumerate(zip(names, kernels, strict=True)):
        # The kernel as it was fitted, with what is left of misregistration: not moved to its centre of mass.
        at = AlignedKernel(kernel, ((kernel.shape[1] - 1) // 2, (kernel.shape[0] - 1) // 2), (0.0, 0.0))
        made = blur_subsample(np.ascontiguousarray(hr, np.float32), at, scale)
        gain, offset = (
            np.array([np.atleast_1d(record.detail[f"{what}_{c}"])[i] for c in "rgb"])
            for what in ("gain", "offset_8bit")
        )
        rows, columns = slice(None), slice(None)
        if name:
            row, column = (int(part) for part in name[1:].split("c"))
            rows = cell(row, settings.grid[0], height)
            columns = cell(column, settings.grid[1], width)
        predicted[rows, columns] = (made * gain + offset / 255)[rows, columns]
    return predicted


# The camera


def _write(out: Path, records: Sequence[PairRecord], asked: dict[str, Any]) -> None:
    job = out / MEASURED
    done = [record for record in records if record.ok]
    kernels = pool_of(job, done, "least squares of pairs", asked)
    assert kernels is not None
    noises = {record.key: _noise(job / record.hr) for record in done}
    tone = _tone(list(noises.values()))
    law = noise_law(list(noises.values()))
    curve = by_level(list(noises.values()), law)
    names, patches, about = _patches(noises, law)
    matched = curve is not None and min((min(one.shape[:2]) for one in patches), default=0) >= SMALLEST
    figures = {
        "name": out.name,
        **asked,
        "pairs": len(done),
        "refused_pairs": len(records) - len(done),
        "kernels": {name: _between(done, name) for name in FIGURES_OF_KERNELS},
        "noise": {"patches": len(patches), **law, **noise_shape(patches)},
        "residual_tone": tone,
        "made_with": versions(),
    }
    kernels.save(out / KERNELS)
    if patches:
        header = {"method": "residuals of pairs", **asked, "patches": about, "law": law}
        if curve is not None:
            header |= {"level_function": curve.told()}
        NoisePool(tuple(names), tuple(patches), header).save(out / NOISE)
    else:
        (out / NOISE).unlink(missing_ok=True)
    write_text(out / FIGURES, json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    write_text(out / RECIPE, recipe_text(out.name, len(done), tone_step(tone), bool(patches), matched))


def _noise(path: Path) -> PairNoise:
    with np.load(path) as file:
        return PairNoise(**{name: file[name] for name in PairNoise.__dataclass_fields__})


def _patches(
    noises: Mapping[str, PairNoise], law: dict[str, Any]
) -> tuple[list[str], list[Array], dict[str, Any]]:
    """Names, patches, and what is known of each: those in which noise prevails, or else the flattest."""
    found = [
        (not prevails, float(noise.slopes[i]), f"{key}/{i}", noise.patches[i], noise.levels[i])
        for key, noise in noises.items()
        for i, prevails in enumerate(prevailing(noise, law))
    ]
    order = sorted(range(len(found)), key=lambda i: found[i][:2])
    calm = sum(not one[0] for one in found)
    kept = sorted(order[: max(calm, FEWEST)])
    about = {found[i][2]: {"level": [round(float(value), 2) for value in found[i][4]]} for i in kept}
    return [found[i][2] for i in kept], [found[i][3] for i in kept], about


def recipe_text(name: str, pairs: int, tone: str, noisy: bool, matched: bool) -> str:
    """The recipe of a camera, which draws from the pools beside it; no noise where none could be measured."""
    about = f"The camera {name}, measured from {pairs} registered pairs (realdeg calibrate)."
    text = (
        f'name = {json.dumps(name)}\nabout = {json.dumps(about)}\n\n[[steps]]\nop = "reduce"\nkind = "pool"\n'
    )
    text += tone
    if noisy:
        text += '\n[[steps]]\nop = "inject"\n' + ('match = "level"\n' if matched else "")
    return text


def tone_step(tone: Sequence[Mapping[str, Any]]) -> str:
    """The step of a recipe that adds a residual tone; "" where pairs are too few to tell one.

    Each value is drawn towards 0 by its own error, v^3 / (v^2 + error^2): what pairs do not agree on is no
    property of the camera.

    Args:
        tone: of `camera.json`: ranges of brightness with mean and error for r, g, b.
    """
    curves, levels = [], [(one["from"] + one["to"]) / 2 for one in tone]
    for c in "rgb":
        known = [
            (level, one[c]["mean"] ** 3 / max(one[c]["mean"] ** 2 + one[c]["error"] ** 2, 1e-9))
            for level, one in zip(levels, tone, strict=True)
            if one[c] and one[c]["error"] is not None
        ]
        shifts = np.interp(levels, *np.array(known).T) if known else np.zeros(len(levels))
        # A curve never falls, nor after rounding.
        rising = np.maximum.accumulate(np.round(levels + shifts, 2))
        curves.append(np.round(rising - levels, 2).tolist())
    if not np.any(curves):
        return ""
    lines = [f"{name} = {curve}" for name, curve in zip(("red", "green", "blue"), curves, strict=True)]
    return "\n".join(['\n[[steps]]\nop = "tone"', f"levels = {levels}", *lines]) + "\n"


def _between(records: Sequence[PairRecord], name: str) -> dict[str, float | None]:
    """Mean of a figure, standard deviation between pairs, and standard error of the mean (None: one pair)."""
    values = np.array([np.mean(record.detail[name]) for record in records], float)
    return _stated(values)


def _stated(values: Array) -> dict[str, float | None]:
    many = len(values) > 1
    sd = float(values.std(ddof=1)) if many else None
    error = None if sd is None else round(sd / len(values) ** 0.5, 5)
    return {
        "mean": round(float(values.mean()), 5),
        "sd": None if sd is None else round(sd, 5),
        "error": error,
    }


def _tone(noises: Sequence[PairNoise]) -> list[dict[str, Any]]:
    """What gain and offset leave of the tone curve, by brightness of the prediction and channel."""
    result = []
    tones = np.array([noise.tone for noise in noises])
    for b in range(BINS):
        low, high = 256 * b // BINS, 256 * (b + 1) // BINS
        entry: dict[str, Any] = {"from": low, "to": high}
        for c, name in enumerate("rgb"):
            values = tones[:, b, c][np.isfinite(tones[:, b, c])]
            entry[name] = _stated(values) if len(values) else None
        result.append(entry)
    return result
