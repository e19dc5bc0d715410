"""The job of `realdeg noise`: patches of noise from a folder of photos, into one pool.

The state of a job lies beside the pool, in NAME.job/, as with kernels; it may be deleted.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.atomic import write_bytes
from realdeg.degrade.classic_noise import classic
from realdeg.degrade.estimate import job_folder
from realdeg.degrade.kernel_files import told
from realdeg.degrade.noise_settings import NoiseSettings
from realdeg.degrade.pools import NoisePool
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.find import Found, find_images
from realdeg.io.photo import read
from realdeg.jobs import JobReport, Running, run_job
from realdeg.layout import refuse_inside
from realdeg.records import PairRecord, file_hash
from realdeg.settings import versions, write_run

PATCHES = "patches"  # folder of a job
COUNTED = ("looked_at", "uneven", "dark")


def harvest(src: Path, out: Path, settings: NoiseSettings, *, running: Running = Running()) -> JobReport:
    """Take noise patches from each photo in a folder; no pool is written where none has any.

    Args:
        src: folder of photos of the camera that is to be imitated.
        out: the pool: .npz, or a folder of PNG files.
        settings: the rule's numbers.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no photos, or `out` cannot be used.
    """
    check(src, out)
    job = job_folder(out)
    photos = find_images(src)
    asked = {"how": "noise", **asdict(settings)}
    work = partial(take, job=job, settings=settings)
    report = run_job(work, photos, job, settings=asked, running=running)
    write_run(job, "realdeg noise", {"src": src, **asdict(settings)})
    # What an earlier run has written stays until a whole one replaces it.
    if not report.interrupted and (pool := pool_of(job, report.records, settings)):
        pool.save(out)
    return report


def check(src: Path, out: Path) -> None:
    """Refuse what cannot become a pool before anything is read.

    Raises:
        UserError: the place of the output.
    """
    if out.suffix.lower() not in ("", ".npz"):
        problem = f"pools are not written as {out.suffix}"
        raise UserError(out, problem, "end it in .npz, or name a folder", exit_code=EXIT_USAGE)
    refuse_inside(job_folder(out), src)
    refuse_inside(out, src)


def take(found: Found, job: Path, settings: NoiseSettings) -> PairRecord:
    """The patches of one photo: the work of one item."""
    photo = read(found.path)
    size = settings.size
    seen = classic(photo.pixels, size, settings.max_variance, settings.min_mean)
    detail: dict[str, Any] = {
        "source": found.path.name,
        "source_sha256": file_hash(found.path),
        "pixels": hashlib.blake2b(np.ascontiguousarray(photo.pixels).tobytes(), digest_size=8).hexdigest(),
        "iso": photo.iso,
        "camera": photo.camera,
        **{name: getattr(seen, name) for name in COUNTED},
        "patches": len(seen.windows),
    }
    record = PairRecord(
        found.key, "rejected", scene=found.key, how="classic", source_lr=str(found.path), detail=detail
    )
    if not seen.windows:
        if not seen.looked_at:
            height, width = photo.pixels.shape[:2]
            reason = f"is {width}x{height} px, more than {size} a side are needed; use a smaller --size"
        else:
            reason = (
                f"has no window of {size} px: {seen.uneven} of {seen.looked_at} have a variance of "
                f"{settings.max_variance:g} or more, {seen.dark} a mean of {settings.min_mean:g} or less; "
                "use a smaller --size, or a larger --max-variance where the noise is strong"
            )
        return replace(record, reason=told(found.path, reason))
    content = io.BytesIO()
    np.save(content, np.stack([photo.pixels[y : y + size, x : x + size] for y, x, _, _ in seen.windows]))
    path = f"{PATCHES}/{record.key}.npy"
    write_bytes(job / path, content.getvalue())
    columns = zip(*seen.windows, strict=True)
    detail |= {
        name: [round(value, 4) for value in column]
        for name, column in zip(("y", "x", "variance", "mean"), columns, strict=True)
    }
    detail["lr_sha256"] = hashlib.sha256(content.getvalue()).hexdigest()
    return replace(record, status="ok", lr=path, detail=detail)


def pool_of(job: Path, records: Sequence[PairRecord], settings: NoiseSettings) -> NoisePool | None:
    """The pool of all that was found, with its origin; None where nothing was. Equal photos count once."""
    names, patches = [], []
    about: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for record in records:
        if not record.ok or record.detail["pixels"] in seen:
            continue
        seen.add(record.detail["pixels"])
        origin = {name: record.detail[name] for name in ("source", "source_sha256", "iso", "camera")}
        for number, patch in enumerate(np.load(job / record.lr)):
            name = f"{record.key}_{number:03d}"
            names.append(name)
            patches.append(patch)
            place = {key: record.detail[key][number] for key in ("y", "x", "variance", "mean")}
            unit = 255 / np.iinfo(patch.dtype).max
            level = [round(float(one), 2) for one in patch.mean((0, 1), dtype=np.float64) * unit]
            about[name] = {**origin, **place, "level": level, "how": "classic"}
    if not patches:
        return None
    head = {"method": "classic", **asdict(settings), "made_with": versions(), "patches": about}
    return NoisePool(tuple(names), tuple(patches), head)


def counts(records: Sequence[PairRecord]) -> dict[str, int]:
    """How many windows were looked at, refused by each threshold, and taken."""
    found = [record.detail for record in records if "looked_at" in record.detail]
    return {name: sum(int(one[name]) for one in found) for name in (*COUNTED, "patches")}
