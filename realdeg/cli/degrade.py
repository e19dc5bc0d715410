"""`realdeg degrade`: clean images become a dataset of LR/HR pairs."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.degrade.settings import DegradeSettings


@click.command(
    context_settings={"show_default": True},
    short_help="Make LR images of clean images: blur, subsample, add noise.",
)
@click.argument("hr", type=FOLDER)
@click.option("--scale", type=click.IntRange(2, 16), required=True, help="HR size / LR size.")
@click.option(
    "--kernel-pool",
    type=FOLDER,
    default=DegradeSettings.kernel_pool,
    help="Blur kernels: .npz, .npy or .mat, or a folder (KernelGAN's too); without it MATLAB's bicubic.",
)
@click.option(
    "--noise-pool",
    type=FOLDER,
    default=DegradeSettings.noise_pool,
    help="Noise patches: a folder of images, .npz or .npy; without it no noise.",
)
@click.option("--seed", type=int, default=DegradeSettings.seed, help="Of every draw; same seed, same bytes.")
@job_options
@click.pass_context
def degrade(
    ctx: click.Context,
    /,
    job: JobOptions,
    hr: Path,
    scale: int,
    kernel_pool: Path | None,
    noise_pool: Path | None,
    seed: int,
) -> None:
    """Make LR images of the clean images in HR: blur, subsample, add noise (RealSR, Algorithm 1).

    HR is cut at the right and bottom to a multiple of SCALE; PNG files that need no cut are linked, not
    encoded again. What was drawn for each image stands in manifest.csv.
    """
    settings = DegradeSettings(scale, kernel_pool, noise_pool, seed)
    if job.dry_run:
        _plan(job, settings, hr)
        return
    from realdeg.degrade.folder import degrade_folder

    with Teller("images degraded", quiet=job.quiet or job.as_json) as teller:
        report = degrade_folder(
            hr,
            job.out,
            settings,
            running=job.running(teller),
        )
    finish(ctx, report, job)


def _plan(job: JobOptions, settings: DegradeSettings, hr: Path) -> None:
    from realdeg.degrade.pools import KernelPool, NoisePool
    from realdeg.io.find import find_images

    images = find_images(hr)[: job.limit]
    how = "MATLAB's bicubic"
    if settings.kernel_pool:
        kernels = KernelPool.read(settings.kernel_pool, settings.scale)
        how = f"{len(kernels.names)} kernels from {settings.kernel_pool}"
    if settings.noise_pool:
        noises = NoisePool.read(settings.noise_pool)
        how += f", {len(noises.names)} noise patches from {settings.noise_pool}"
    else:
        how += ", no noise"
    click.echo(
        f"would degrade {len(images)} images by x{settings.scale} into {job.out}, {job.workers} workers"
    )
    click.echo(f"  {how}; seed {settings.seed}")
