"""The job of `realdeg kernels`: blur kernels learned from photos, or from registered pairs, into one pool.

The state of a job lies beside the pool, in NAME.job/: the journal, manifest.csv with a row for every photo,
run.yaml, and the kernels found so far; the pool is written from these at the end. It may be deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.atomic import write_bytes
from realdeg.degrade.from_pairs import PairKernel, kernel_of_pair
from realdeg.degrade.kernel_settings import KernelSettings
from realdeg.degrade.pools import KernelPool
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.imaging.blur import blur_subsample_reference, placed
from realdeg.imaging.kernels import centre_of_mass
from realdeg.io.find import Found, find_images
from realdeg.io.photo import read
from realdeg.jobs import JobReport, Running, run_job
from realdeg.layout import refuse_inside
from realdeg.records import PairRecord, file_hash, read_manifest
from realdeg.settings import to_mapping, versions, write_run

Array = npt.NDArray[Any]

CONVENTION = "applied as correlation, centre of mass at the LR pixel's place"
SCALES = (2, 4)  # KernelGAN's: it learns x2 and derives x4
FLAT_8BIT = 2.0  # a photo whose steepest 3 % of slopes stay below shows no blur
CLIPPED_8BIT = 0.5
MOST_CLIPPED = 0.5
MIN_SUM, MAX_SUM = 0.7, 1.4  # of a converged G's kernel
MAX_BICUBIC = 0.04  # G has not even learned bicubic reduction (mean square on [-1, 1])
UNSTEADY_8BIT = 2.0  # such a residual halves the confidence
KERNELS = "kernels"  # folder of a job


def estimate_photos(
    src: Path, out: Path, settings: KernelSettings, *, running: Running = Running()
) -> JobReport:
    """Learn the kernel of each photo in a folder from the photo alone.

    Args:
        src: folder of photos, such as LR ones of the camera that is to be imitated.
        out: the pool: .npz, .mat, or a folder of KernelGAN's `NAME/NAME_kernel_xS.mat`.
        settings: scale, iterations and seed.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no photos, a scale that KernelGAN has not, or `out` cannot be used.
    """
    check(settings, out, src)
    asked = {"scale": settings.scale, "iterations": settings.iterations, "seed": settings.seed}
    work = partial(learn_photo, job=job_folder(out), settings=settings)
    return _run(work, find_images(src), out, settings, "kernelgan", asked, src, running)


def estimate_pairs(
    dataset: Path, out: Path, settings: KernelSettings, *, running: Running = Running()
) -> JobReport:
    """Fit the kernel of each registered pair of a dataset.

    Args:
        dataset: folder with manifest.csv.
        out, running: as in `estimate_photos`.
        settings: scale, size, grid and largest stated error.

    Raises:
        UserError: no dataset, no pair of this scale in it, or `out` cannot be used.
    """
    check(settings, out, dataset, pairs=True)
    pairs = find_pairs(dataset, settings.scale)
    asked = {name: to_mapping(settings)[name] for name in ("scale", "size", "grid", "max_error")}
    work = partial(fit_pair, job=job_folder(out), settings=settings)
    return _run(work, pairs, out, settings, "least squares of pairs", asked, dataset, running)


def check(settings: KernelSettings, out: Path, src: Path, *, pairs: bool = False) -> None:
    """Refuse what cannot become a pool before anything is read.

    Raises:
        UserError: the scale, or the place of the output.
    """
    if not pairs and settings.scale not in SCALES:
        problem = f"KernelGAN knows x{' and x'.join(map(str, SCALES))}, not x{settings.scale}"
        raise UserError("--scale", problem, "choose one, or give pairs (--from-pairs)", exit_code=EXIT_USAGE)
    if out.suffix.lower() not in ("", ".npz", ".mat"):
        problem = f"pools are not written as {out.suffix}"
        raise UserError(out, problem, "end it in .npz or .mat, or name a folder", exit_code=EXIT_USAGE)
    refuse_inside(job_folder(out), src)
    refuse_inside(out, src)


def job_folder(out: Path) -> Path:
    """Where the state of the job for a pool lies."""
    return out.with_name(f"{out.stem}.job")


@dataclass(frozen=True)
class Pair:
    """A registered pair: its key, its files, and its stated error, LR px, where there is one."""

    key: str
    lr: Path
    hr: Path
    error: float | None


def find_pairs(dataset: Path, scale: int) -> list[Pair]:
    """Pairs of a dataset, in its order.

    Raises:
        UserError: no dataset, or no pair of this scale.
    """
    records = [record for record in read_manifest(dataset) if record.ok]
    found = [
        Pair(record.key, dataset / record.lr, dataset / record.hr, _number(record.detail.get("error_lr_px")))
        for record in records
        if record.scale == scale
    ]
    if not found:
        there = ", ".join(f"x{s}" for s in sorted({record.scale for record in records})) or "none at all"
        raise UserError(dataset, f"holds no pair of x{scale} ({there})", "give the scale of its pairs")
    return found


def _number(text: Any) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        return float(text)
    return None


# One photo


def learn_photo(found: Found, job: Path, settings: KernelSettings) -> PairRecord:
    """The kernel of one photo: the work of one item."""
    from realdeg.degrade import kernelgan

    photo = read(found.path)
    pixels = photo.as_float()
    record = PairRecord(
        found.key,
        "rejected",
        scale=settings.scale,
        scene=found.key,
        how="kernelgan",
        source_lr=str(found.path),
        detail={"source": found.path.name, "source_sha256": file_hash(found.path)},
    )
    if reason := unusable(pixels, kernelgan.MIN_SIDE):
        return replace(record, reason=_told(found.path, reason))
    with one_thread():
        made = kernelgan.learn([pixels], [found.key], iterations=settings.iterations, seed=settings.seed)[0]
    total = float(made.kernel.sum())
    detail = {**record.detail, "sum": round(total, 4), "bicubic_mse": round(made.bicubic, 5)}
    if not (MIN_SUM < total < MAX_SUM) or made.bicubic > MAX_BICUBIC:
        reason = f"has not converged in {settings.iterations} iterations (sum {total:.2f}, "
        reason += f"squared error to bicubic {made.bicubic:.3f}); use more iterations or another photo"
        return replace(record, detail=detail, reason=_told(found.path, reason))
    kernel = kernelgan.pruned(made.kernel)
    x, y = centre_of_mass(made.kernel)
    residual = steadiness(pixels, kernel, kernelgan.pruned(made.before))
    kept = float(np.minimum(kernel, made.kernel / total).clip(0).sum())
    detail |= {
        "centre_x": round(x - kernelgan.MIDDLE, 4),
        "centre_y": round(y - kernelgan.MIDDLE, 4),
        "kept": round(kept, 4),
        "residual_8bit": round(residual, 4),
        "confidence": round(1 / (1 + (residual / UNSTEADY_8BIT) ** 2), 4),
    }
    # Its centre goes where LR pixels sit; what that formula of KernelGAN's is for is `placed` here.
    kernel = kernelgan.centred(kernel, 2)
    kernel = kernel / kernel.sum()
    if settings.scale == 4:
        kernel = kernelgan.analytic_x4(kernel)
    return _with_kernels(job, replace(record, status="ok", detail=detail), [kernel])


def unusable(pixels: Array, min_side: int) -> str:
    """Why a photo, float in [0, 1], tells nothing of its blur; "" where it may."""
    height, width = pixels.shape[:2]
    if min(height, width) < min_side:
        return (
            f"is {width}x{height} px, its shorter side {min(height, width) // 2} at half the size, "
            f"{min_side // 2} are needed; use larger photos"
        )
    clipped = (pixels <= CLIPPED_8BIT / 255) | (pixels >= 1 - CLIPPED_8BIT / 255)
    if (share := float(clipped.all(2).mean())) > MOST_CLIPPED:
        return f"is black or white to {share:.0%}; use a better exposed one"
    slopes = np.hypot(*np.gradient(pixels.mean(2) * 255))
    if (steep := float(np.quantile(slopes, 0.97))) < FLAT_8BIT:
        return f"is flat: steep slopes of {steep:.1f} levels a pixel, {FLAT_8BIT:.0f} are needed; use another"
    return ""


def steadiness(pixels: Array, kernel: Array, before: Array) -> float:
    """RMS difference, 8-bit levels, of the photo reduced by 2 by a kernel and by an earlier state of it.

    What is judged is the wobble of training about the kernel: small where the photo determines it.
    """
    height, width = (n // 2 * 2 for n in pixels.shape[:2])
    one, other = (
        blur_subsample_reference(pixels[:height, :width], placed(k, 2), 2) for k in (kernel, before)
    )
    return float(255 * np.sqrt(np.square(one - other).mean()))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch, so that sums, and with them kernels, do not depend on the number of cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# One pair


def fit_pair(pair: Pair, job: Path, settings: KernelSettings) -> PairRecord:
    """The kernels of one pair, one a cell of the grid: the work of one item."""
    record = PairRecord(
        pair.key,
        "rejected",
        scale=settings.scale,
        scene=pair.key,
        how="pairs",
        source_lr=str(pair.lr),
        source_hr=str(pair.hr),
        detail={
            "source": pair.lr.name,
            "source_sha256": file_hash(pair.lr),
            "hr_source_sha256": file_hash(pair.hr),
        },
    )
    if pair.error is not None and pair.error > settings.max_error:
        reason = (
            f"its stated error of {pair.error:.3f} LR px is above {settings.max_error:g}; raise --max-error"
        )
        return replace(record, reason=_told(pair.lr, reason))
    lr, hr = read(pair.lr).as_float(), read(pair.hr).as_float()
    scale = settings.scale
    if hr.shape != (lr.shape[0] * scale, lr.shape[1] * scale, 3):
        sizes = f"{hr.shape[1]}x{hr.shape[0]} px, not {scale} times {lr.shape[1]}x{lr.shape[0]}"
        raise UserError(pair.hr, f"is {sizes}", "make the pair again")
    down, across = settings.grid
    kernels: list[Array] = []
    names: list[str] = []
    figures: list[dict[str, Any]] = []
    refused: list[str] = []
    for row in range(down):
        for column in range(across):
            part = (_cell(row, down, lr.shape[0]), _cell(column, across, lr.shape[1]))
            found = kernel_of_pair(lr, hr, scale, settings.size, part=part)
            if isinstance(found, PairKernel):
                kernels.append(found.kernel)
                names.append(f"r{row}c{column}" if down * across > 1 else "")
                figures.append(figures_of(found))
            else:
                refused.append(found.reason)
    if not kernels:
        return replace(record, reason=_told(pair.lr, refused[0]))
    detail: dict[str, Any] = {**record.detail, "refused_cells": len(refused)}
    for name in figures[0]:
        values = [figure[name] for figure in figures]
        detail[name] = values[0] if len(values) == 1 else values
    return _with_kernels(job, replace(record, status="ok", detail=detail), kernels, names)


def _cell(number: int, count: int, size: int) -> slice:
    return slice(number * size // count, (number + 1) * size // count)


def figures_of(found: PairKernel) -> dict[str, float]:
    """Figures of a kernel from a pair, by column."""
    names = ("centre", "centre_sd", "width", "width_sd")
    figures = {f"{name}_{a}": getattr(found, name)[i] for name in names for i, a in enumerate("xy")}
    for name in ("gain", "offset_8bit"):
        figures |= {f"{name}_{c}": getattr(found, name)[i] for i, c in enumerate("rgb")}
    figures |= {
        "weight_sd": float(np.sqrt(np.square(found.sd).mean())),
        "explained": found.explained,
        "residual_8bit": found.residual_8bit,
        "confidence": found.confidence,
    }
    return {name: round(value, 5) for name, value in figures.items()}


# Job


def _with_kernels(
    job: Path, record: PairRecord, kernels: Sequence[Array], names: Sequence[str] = ("",)
) -> PairRecord:
    """Write the kernels of an item; the record names the file in its column `lr`, which resuming checks."""
    path = f"{KERNELS}/{record.key}.npy"
    content = io.BytesIO()
    np.save(content, np.stack(kernels))
    write_bytes(job / path, content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    return replace(record, lr=path, detail={**record.detail, "cells": " ".join(names), "lr_sha256": digest})


def _told(path: Path, reason: str) -> str:
    problem, _, remedy = reason.partition("; ")
    return str(UserError(path, problem, remedy))


def _run(
    work: Any,
    items: Sequence[Any],
    out: Path,
    settings: KernelSettings,
    method: str,
    asked: dict[str, Any],
    src: Path,
    running: Running,
) -> JobReport:
    job = job_folder(out)
    report = run_job(
        work, items, job, settings={"how": "kernels", "method": method, **asked}, running=running
    )
    write_run(job, "realdeg kernels", {"src": src, "from_pairs": method != "kernelgan", **asdict(settings)})
    if pool := pool_of(job, report.records, method, asked):
        pool.save(out, settings.scale)
    return report


def pool_of(
    job: Path, records: Sequence[PairRecord], method: str, asked: dict[str, Any]
) -> KernelPool | None:
    """The pool of all that was found, with its origin; None where nothing was."""
    names: list[str] = []
    kernels: list[Array] = []
    sources: dict[str, dict[str, Any]] = {}
    for record in records:
        if not record.ok:
            continue
        cells = str(record.detail["cells"]).split() or [""]
        for i, (cell, kernel) in enumerate(zip(cells, np.load(job / record.lr), strict=True)):
            name = f"{record.key}/{cell}" if cell else record.key
            names.append(name)
            kernels.append(kernel)
            sources[name] = {
                column: value[i] if isinstance(value, list) else value
                for column, value in record.detail.items()
                if column not in ("cells", "lr_sha256", "refused_cells")
            }
    if not kernels:
        return None
    about = {"method": method, **asked, "convention": CONVENTION, "made_with": versions(), "kernels": sources}
    return KernelPool(tuple(names), tuple(kernels), about)
