"""The job of `realdeg degrade`: a folder of clean images in, a dataset of LR/HR pairs out."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from realdeg.degrade.image import apply, draw, mod_crop
from realdeg.degrade.pools import KernelPool, NoisePool, PoolFile
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.io.find import Found, find_images
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import JobReport, Running, run_job
from realdeg.layout import keep_or_encode, pair_paths, refuse_inside, write_metadata
from realdeg.ledger import with_hashes
from realdeg.records import PairRecord
from realdeg.settings import write_run


def degrade_folder(
    hr: Path,
    out: Path,
    settings: DegradeSettings,
    *,
    running: Running = Running(),
) -> JobReport:
    """Make LR images of clean images (docs/dataset.md).

    Args:
        hr: folder of clean images.
        out: receives LR/, HR/, manifest.csv and the rest.
        settings: scale, pools and seed.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: no images, an unusable pool, or `out` cannot be used or overlaps with `hr`.
    """
    _refuse_overlap(hr, out)
    kernels: PoolFile[KernelPool] | None = None
    noises: PoolFile[NoisePool] | None = None
    digests: dict[str, str | None] = {"kernel_pool": None, "noise_pool": None}
    if settings.kernel_pool:
        kernels, kernel_pool = PoolFile.read(KernelPool, settings.kernel_pool, settings.scale)
        digests["kernel_pool"] = kernel_pool.digest
    if settings.noise_pool:
        noises, noise_pool = PoolFile.read(NoisePool, settings.noise_pool)
        digests["noise_pool"] = noise_pool.digest
    report = run_job(
        partial(degrade_image, out=out, settings=settings, kernel_file=kernels, noise_file=noises),
        find_images(hr),
        out,
        settings={
            "how": "degradation",
            "scale": settings.scale,
            "seed": settings.seed,
            **digests,
        },
        running=running,
    )
    write_run(out, "realdeg degrade", {"hr": hr, **asdict(settings)})
    write_metadata(out, report.records)
    return report


def degrade_image(
    found: Found,
    out: Path,
    settings: DegradeSettings,
    kernel_file: PoolFile[KernelPool] | None = None,
    noise_file: PoolFile[NoisePool] | None = None,
) -> PairRecord:
    """Degrade one image and write the pair: the work of one item."""
    photo, scale = read(found.path), settings.scale
    kernels = kernel_file.pool() if kernel_file else None
    noises = noise_file.pool() if noise_file else None
    height, width = (n // scale for n in photo.size_hw)
    if not height or not width:
        problem = f"is {photo.size_hw[1]}x{photo.size_hw[0]} px, too small for x{scale}"
        raise UserError(found.path, problem, "use larger images or a smaller --scale")
    pixels = np.ascontiguousarray(mod_crop(photo.pixels, scale))
    plan = draw(settings, found.key, (height, width), kernels, noises)
    try:
        lr = apply(plan, pixels, scale, kernels, noises)
    except UserError as error:
        raise UserError(found.path, f"{error.subject}: {error.problem}", error.remedy) from None
    to_lr, to_hr = pair_paths(found.key)
    if pixels.shape == photo.pixels.shape:
        keep_or_encode(photo, out / to_hr)
    else:
        write_image(out / to_hr, pixels)
    write_image(out / to_lr, lr)
    record = PairRecord(
        found.key,
        "ok",
        lr=to_lr,
        hr=to_hr,
        scale=scale,
        scene=found.key,
        how="degradation",
        source_hr=str(found.path),
        detail=plan,
    )
    return with_hashes(out, record)


def _refuse_overlap(hr: Path, out: Path) -> None:
    """Outputs must not become inputs of the next run, nor replace the inputs of this one."""
    refuse_inside(out, hr)
    source, target = hr.resolve(), out.resolve()
    if any(source.is_relative_to(target / part) for part in ("LR", "HR")):
        raise UserError(hr, f"lies where the outputs in {out} go", "choose another output folder")
