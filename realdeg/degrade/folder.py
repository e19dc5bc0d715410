"""The job of `realdeg degrade`: a folder of clean images in, a dataset of LR/HR pairs out."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from realdeg.degrade.image import apply, draw, mod_crop
from realdeg.degrade.pools import KernelPool, NoisePool
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.io.find import Found, find_images
from realdeg.io.photo import Photo, read
from realdeg.io.save import link_or_copy, write_image
from realdeg.jobs import JobReport, Running, run_job
from realdeg.layout import pair_paths, write_metadata
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
        UserError: no images, an unusable pool, or `out` cannot be used.
    """
    kernels = KernelPool.read(settings.kernel_pool, settings.scale) if settings.kernel_pool else None
    noises = NoisePool.read(settings.noise_pool) if settings.noise_pool else None
    report = run_job(
        partial(degrade_image, out=out, settings=settings, kernels=kernels, noises=noises),
        find_images(hr),
        out,
        settings={
            "how": "degradation",
            "scale": settings.scale,
            "seed": settings.seed,
            "kernel_pool": kernels.digest if kernels else None,
            "noise_pool": noises.digest if noises else None,
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
    kernels: KernelPool | None,
    noises: NoisePool | None,
) -> PairRecord:
    """Degrade one image and write the pair: the work of one item."""
    photo, scale = read(found.path), settings.scale
    height, width = (n // scale for n in photo.size_hw)
    if not height or not width:
        problem = f"is {photo.size_hw[1]}x{photo.size_hw[0]} px, too small for x{scale}"
        raise UserError(found.path, problem, "use larger images or a smaller --scale")
    pixels = np.ascontiguousarray(mod_crop(photo.pixels, scale))
    plan = draw(settings, found.key, (height, width), kernels, noises)
    lr = apply(plan, pixels, scale, kernels, noises)
    to_lr, to_hr = pair_paths(found.key)
    if pixels.shape == photo.pixels.shape and _as_it_is(photo):
        link_or_copy(found.path, out / to_hr)
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


def _as_it_is(photo: Photo) -> bool:
    """Whether the file decodes to these very pixels everywhere, so that HR need not be encoded again."""
    plain = photo.path.suffix.lower() == ".png" and photo.orientation == 1 and not photo.notes
    return plain and photo.profile == "sRGB"
