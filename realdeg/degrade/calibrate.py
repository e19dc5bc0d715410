"""The job of `realdeg calibrate`: a camera measured from registered pairs, as a recipe with its own pools.

The camera's folder holds kernels.npz, noise.npz, camera.toml (the recipe) and camera.json (all figures).
Below measured/ lie the job's state, a manifest with a row for each pair, and what was found in each; the rest
is made of that at the end, and it may be deleted.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.atomic import write_bytes, write_text
from realdeg.degrade.calibrate_settings import CalibrateSettings
from realdeg.degrade.camera_noise import BINS, PairNoise, noise_of_pair
from realdeg.degrade.estimate import Pair, find_pairs, fit_pair, pool_of
from realdeg.degrade.kernel_files import cell
from realdeg.degrade.kernel_settings import KernelSettings
from realdeg.degrade.pools import NoisePool
from realdeg.errors import UserError
from realdeg.imaging.blur import Placed, blur_subsample
from realdeg.io.photo import read
from realdeg.jobs import JobReport, Running, run_job
from realdeg.layout import refuse_inside
from realdeg.records import PairRecord
from realdeg.settings import to_mapping, versions, write_run

Array = npt.NDArray[Any]

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
    report = run_job(
        partial(measure_pair, job=job, settings=settings),
        pairs,
        job,
        settings={"how": "calibration", **asked},
        running=running,
    )
    write_run(job, "realdeg calibrate", {"dataset": dataset, **asdict(settings)})
    if not report.interrupted and any(record.ok for record in report.records):
        _write(out, report.records, asked)
    return report


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
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    detail = {**record.detail, "hr_sha256": digest, "noise_patches": len(noise.patches)}
    return replace(record, hr=path, detail=detail)


def _predicted(hr: Array, kernels: Array, record: PairRecord, settings: CalibrateSettings) -> Array:
    """(h, w, 3) LR as kernel, gain and offset make it of HR; NaN in cells without a kernel."""
    scale = settings.scale
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    predicted = np.full((height, width, 3), np.nan, np.float32)
    names = str(record.detail["cells"]).split() or [""]
    for i, (name, kernel) in enumerate(zip(names, kernels, strict=True)):
        # The kernel as it was fitted, with what is left of misregistration: not moved to its centre of mass.
        at = Placed(kernel, ((kernel.shape[1] - 1) // 2, (kernel.shape[0] - 1) // 2), (0.0, 0.0))
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
    names, patches, about = [], [], {}
    for key, noise in noises.items():
        for i, (patch, level) in enumerate(zip(noise.patches, noise.levels, strict=True)):
            names.append(f"{key}/{i}")
            patches.append(patch)
            about[names[-1]] = {"level": [round(float(value), 2) for value in level]}
    law = noise_law(list(noises.values()))
    figures = {
        "name": out.name,
        **asked,
        "pairs": len(done),
        "refused_pairs": len(records) - len(done),
        "kernels": {name: _between(done, name) for name in FIGURES_OF_KERNELS},
        "noise": {"patches": len(patches), **law, **noise_shape(patches)},
        "residual_tone": _tone(list(noises.values())),
        "made_with": versions(),
    }
    kernels.save(out / KERNELS)
    if patches:
        header = {"method": "residuals of pairs", **asked, "patches": about, "law": law}
        NoisePool(tuple(names), tuple(patches), header).save(out / NOISE)
    else:
        (out / NOISE).unlink(missing_ok=True)
    write_text(out / FIGURES, json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    write_text(out / RECIPE, recipe_text(out.name, len(done), bool(patches)))


def _noise(path: Path) -> PairNoise:
    with np.load(path) as file:
        return PairNoise(**{name: file[name] for name in PairNoise.__dataclass_fields__})


def recipe_text(name: str, pairs: int, noisy: bool) -> str:
    """The recipe of a camera, which draws from the pools beside it; no noise where none could be measured."""
    about = f"The camera {name}, measured from {pairs} registered pairs (realdeg calibrate)."
    text = (
        f'name = {json.dumps(name)}\nabout = {json.dumps(about)}\n\n[[steps]]\nop = "reduce"\nkind = "pool"\n'
    )
    return text + ('\n[[steps]]\nop = "inject"\n' if noisy else "")


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


def noise_law(noises: Sequence[PairNoise]) -> dict[str, Any]:
    """Variance of each channel against brightness, a + b level; errors by leaving out a pair at a time.

    Args:
        noises: of the pairs.

    Returns:
        `offset`, `slope` (a, b; 8-bit levels) and `offset_error`, `slope_error`, lists of R, G, B; None where
        fewer than two ranges of brightness, or fewer than two pairs, are known.
    """
    variance = np.array([noise.variance for noise in noises]).reshape(-1, BINS, 3)
    level = np.array([noise.level for noise in noises]).reshape(-1, BINS, 3)
    law: dict[str, list[float | None]] = {
        name: [] for name in ("offset", "slope", "offset_error", "slope_error")
    }
    for c in range(3):
        whole = _line(level[..., c], variance[..., c])
        without = [
            _line(np.delete(level[..., c], i, 0), np.delete(variance[..., c], i, 0))
            for i in range(len(variance))
            if np.isfinite(variance[i, :, c]).any()
        ]
        known = np.array([line for line in without if line is not None])
        enough = len(known) > 1 and len(known) == len(without)
        spread = known.std(0) * np.sqrt(len(known) - 1) if enough else (None, None)  # the jackknife's
        for i, name in enumerate(("offset", "slope")):
            law[name].append(None if whole is None else round(float(whole[i]), 6))
            error = spread[i]
            law[f"{name}_error"].append(None if error is None else round(float(error), 6))
    return law


def _line(level: Array, variance: Array) -> Array | None:
    """(a, b) of variance = a + b level, each point weighed by its own relative precision."""
    known = np.isfinite(variance)
    x, y = level[known], variance[known]
    if len(x) < 2 or np.ptp(x) < 256 / BINS:
        return None
    weight = np.ones(len(x))
    line: Array = np.zeros(2)
    for _ in range(3):
        design = np.stack([np.ones(len(x)), x], 1) * weight[:, None]
        line = np.linalg.lstsq(design, y * weight, rcond=None)[0]
        weight = 1 / np.maximum(line[0] + line[1] * x, 0.1 * max(float(np.median(y)), 1e-6))
    return line


def noise_shape(patches: Sequence[Array]) -> dict[str, Any]:
    """Correlation of neighbours (along x, along y, means of the channels) and of channels (RG, RB, GB)."""
    if not patches:
        return {"neighbours": None, "channels": None}
    power = sum(np.square(patch, dtype=np.float64).sum() / patch.size for patch in patches)
    along = sum((p[:, 1:] * p[:, :-1]).mean(dtype=np.float64) for p in patches) / power
    down = sum((p[1:] * p[:-1]).mean(dtype=np.float64) for p in patches) / power
    product = sum(np.einsum("yxc,yxd->cd", p, p, dtype=np.float64) for p in patches)
    scale = np.sqrt(np.diag(product))
    both = product / np.maximum(np.outer(scale, scale), 1e-30)
    return {
        "neighbours": [round(float(along), 4), round(float(down), 4)],
        "channels": [round(float(both[i, j]), 4) for i, j in ((0, 1), (0, 2), (1, 2))],
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
