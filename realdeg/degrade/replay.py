"""The job of `realdeg replay`: LR images made again from HR and the manifest alone, and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg import atomic
from realdeg.degrade.apply.image import apply, refuse_other_size
from realdeg.degrade.plan import Plan
from realdeg.degrade.stored_pools import KERNELS, NOISES
from realdeg.errors import UserError
from realdeg.guard import locked, stop_signals
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import JobReport, Progress, Running
from realdeg.layout import PAIR_FOLDERS, refuse_inside, refuse_replacing
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.pools.on_disk import PoolFile
from realdeg.records import MANIFEST, PairRecord, read_manifest
from realdeg.settings import RUN_FILE, read_yaml
from realdeg.workers import results

MOST_PIXELS = 64  # that a step may make of one of HR: recipes enlarge by 2 or so
CLOSE = 1  # levels: what rounding may differ by on another machine


@dataclass(frozen=True)
class Replayed:
    """Pools that plans were drawn from, as files."""

    kernel_file: PoolFile[KernelPool] | None = None
    noise_file: PoolFile[NoisePool] | None = None


@dataclass(frozen=True)
class Row:
    """A pair whose LR is made again."""

    record: PairRecord
    dataset: Path

    @property
    def key(self) -> str:
        """Of the pair."""
        return self.record.key

    @property
    def sources(self) -> tuple[Path, ...]:
        """HR, as `realdeg.workers` asks for it."""
        return (self.dataset / self.record.hr,)


def replay(
    manifest: Path,
    out: Path | None = None,
    *,
    kernel_pool: Path | None = None,
    noise_pool: Path | None = None,
    running: Running = Running(),
) -> JobReport:
    """Make the LR images of a dataset again.

    Args:
        manifest: the dataset's folder or its manifest.csv.
        out: receives LR/; None: nothing is written, the images are compared with those in the dataset.
        kernel_pool: default `kernels.npz` of the dataset, where it is.
        noise_pool: default `noise.npz` of the dataset, where it is; else the one that run.yaml names.
        running: limit, workers, when to give up, progress.

    Returns:
        A record for each pair: `levels`: largest difference from the LR image in the dataset, in its own
        levels (8 or 16 bit); "rejected" where that is more than rounding.

    Raises:
        UserError: no dataset, no row with a plan, a pool is missing, or `out` cannot be written.
    """
    dataset = manifest.parent if manifest.name == MANIFEST else manifest
    rows = [row for row in read_manifest(dataset) if row.ok and row.detail.get("plan")]
    if not rows:
        raise UserError(dataset, "has no pair with a plan", "give a dataset made by `realdeg degrade`")
    if out is not None and (out / MANIFEST).exists():
        raise UserError(out, "is a dataset, and its LR images would be replaced", "choose another folder")
    if out is not None:
        refuse_inside(out, *(dataset / part for part in PAIR_FOLDERS))
        images = [dataset / path for row in rows for path in (row.lr, row.hr)]
        refuse_replacing([out / row.lr for row in rows], images)
    pools = _pools(dataset, rows, kernel_pool, noise_pool)
    work = partial(_again, out=out, pools=pools)
    todo = [Row(row, dataset) for row in rows]
    if out is None:
        return _run(work, todo, running)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(out, f"cannot be made ({error.strerror})", "choose another output folder") from None
    with locked(out):
        atomic.sweep(out)
        return _run(work, todo, running)


def plan_of(record: PairRecord) -> Plan:
    """The plan in a manifest row.

    Raises:
        UserError: there is none, or it is damaged.
    """
    try:
        return Plan.from_json(str(record.detail.get("plan", "")), record.scale)
    except ValueError as error:
        raise UserError(
            record.key, f"its plan in the manifest is damaged ({error})", "restore the manifest"
        ) from None


def _fits(plan: Plan, hr: npt.NDArray[Any]) -> bool:
    """Whether no step makes an image so large that memory would be gone before anyone sees it."""
    height, width = hr.shape[:2]
    after = [size for size in plan.sizes((height, width)) if size]
    return all(h * w <= MOST_PIXELS * height * width for h, w in after)


def _run(work: Callable[[Row], PairRecord], rows: list[Row], running: Running) -> JobReport:
    import time

    rows, started, done = rows[: running.limit], time.monotonic(), {}
    problems = 0
    with stop_signals() as stop:
        for record in results(work, rows, running.workers, stop, limits=running.limits):
            done[record.key] = record
            problems += not record.ok
            if running.on_progress:
                elapsed = time.monotonic() - started
                running.on_progress(Progress(len(done), len(rows), 0, problems, elapsed, record))
            if running.max_failures is not None and problems >= running.max_failures:
                stop.set()
    made = tuple(done[row.key] for row in rows if row.key in done)
    unfinished = len(rows) - len(made)
    return JobReport(made, 0, time.monotonic() - started, unfinished, stop.by_signal, stopped=stop.reason)


def _again(row: Row, out: Path | None, pools: Replayed) -> PairRecord:
    """Make one LR image again: the work of one item."""
    record, dataset = row.record, row.dataset
    hr = read(dataset / record.hr).pixels
    kernels = pools.kernel_file.pool() if pools.kernel_file else None
    noises = pools.noise_file.pool() if pools.noise_file else None
    plan = plan_of(record)
    try:
        refuse_other_size(plan, (hr.shape[0], hr.shape[1]))
        if not _fits(plan, hr):
            raise ValueError("it makes an image of absurd size")
        lr = apply(plan, hr, kernels=kernels, noises=noises)
    except UserError as error:
        raise UserError(record.key, f"{error.subject}: {error.problem}", error.remedy) from None
    except MemoryError:
        raise
    except Exception as error:  # numbers that no recipe draws end in any of a dozen
        text = " ".join(str(error).split())[:80]
        problem = f"its plan in the manifest does not fit the image ({text})"
        raise UserError(record.key, problem, "restore the manifest and HR") from None
    detail: Mapping[str, Any] = {}
    path = dataset / record.lr
    if path.is_file():
        before = read(path).pixels
        if before.shape != lr.shape or before.dtype != lr.dtype:
            return replace(
                record, status="rejected", reason=f"{record.key}: LR in the dataset has another size or depth"
            )
        levels = int(np.abs(before.astype(np.int32) - lr).max())
        detail = {"levels": levels, "equal": bool(levels == 0)}
        if levels > CLOSE:
            reason = (
                f"{record.key}: LR made again differs by up to {levels} levels; HR, LR or a pool was changed"
            )
            return replace(record, status="rejected", reason=reason, detail=detail)
    elif out is None:
        raise UserError(path, "is missing", "give `out` to make it again")
    if out is not None:
        write_image(out / record.lr, lr)
    return replace(record, detail=detail)


def _pools(
    dataset: Path, rows: list[PairRecord], kernel_pool: Path | None, noise_pool: Path | None
) -> Replayed:
    wants_kernels = any(row.detail.get("kernel_sha") for row in rows)
    wants_noise = any(row.detail.get("noise_sha") for row in rows)
    run = read_yaml(dataset / RUN_FILE) if (dataset / RUN_FILE).is_file() else {}
    if wants_kernels and kernel_pool is None:
        kernel_pool = dataset / KERNELS
    if wants_noise and noise_pool is None and (dataset / NOISES).is_file():
        noise_pool = dataset / NOISES
    if wants_noise and noise_pool is None:
        if not run.get("noise_pool"):
            raise UserError(dataset, "its noise pool is not known", "give `noise_pool`")
        noise_pool = Path(str(run["noise_pool"]).replace("\0", ""))
        if not noise_pool.exists():  # too large to be stored, or of an earlier version
            problem = f"its noise pool {noise_pool} is not there"
            raise UserError(dataset, problem, "give `noise_pool`, or run where the dataset was made")
    scale = rows[0].scale
    return Replayed(
        PoolFile.read(KernelPool, kernel_pool, scale)[0] if wants_kernels and kernel_pool else None,
        PoolFile.read(NoisePool, noise_pool)[0] if wants_noise and noise_pool else None,
    )
