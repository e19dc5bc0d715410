"""`realdeg noise`: take the noise of a camera from its photos, into a noise pool."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.degrade.noise_settings import NoiseSettings


@click.command(
    context_settings={"show_default": True},
    short_help="Take the noise of a camera from its photos: a noise pool.",
)
@click.argument("src", type=FOLDER)
@click.option(
    "--size",
    type=click.IntRange(8),
    default=NoiseSettings.size,
    help="Side of patches, step of the grid, px.",
)
@click.option(
    "--max-variance",
    type=click.FloatRange(0),
    default=NoiseSettings.max_variance,
    help="Windows whose grey varies less are taken (8-bit levels squared).",
)
@click.option(
    "--min-mean",
    type=click.FloatRange(0, 255),
    default=NoiseSettings.min_mean,
    help="Windows whose grey is brighter are taken; 0 for clean studio light.",
)
@job_options
@click.pass_context
def noise(
    ctx: click.Context, /, job: JobOptions, src: Path, size: int, max_variance: float, min_mean: float
) -> None:
    """Take flat windows of the photos in SRC by RealSR's rule, as a noise pool for `realdeg degrade`.

    The rule takes windows of little variance that are not dark. It lets texture through where the limits are
    wide, and finds nothing where noise is strong: look at the result (`realdeg report OUT`). OUT is a file
    (.npz with origin) or a folder of PNG; OUT.job/manifest.csv has a row for every photo.
    """
    from realdeg.degrade.estimate import job_folder
    from realdeg.degrade.harvest import check, counts, harvest

    settings = NoiseSettings(size, max_variance, min_mean)
    if job.dry_run:
        from realdeg.io.find import find_images

        check(src, job.out)
        photos = len(find_images(src)[: job.limit])
        click.echo(f"would take windows of {size} px from {photos} photos into {job.out}")
        return
    with Teller("photos looked at", quiet=job.quiet or job.as_json) as teller:
        report = harvest(src, job.out, settings, running=job.running(teller))
    found = counts(report.records)
    extra = {
        "patches": found["patches"],
        "windows looked at": found["looked_at"],
        f"variance of {max_variance:g} or more": found["uneven"],
        f"mean of {min_mean:g} or less": found["dark"],
    }
    if not found["patches"] and not job.as_json:
        stays = f"; {job.out} is that of an earlier run" if job.out.exists() else ""
        remedy = f"try --size 64, or a larger --max-variance{stays}"
        click.echo(f"no window passes, no pool is written; {remedy}", err=True)
    manifest = job_folder(job.out) / "manifest.csv"
    finish(ctx, report, job, manifests=manifest, what="photos with noise", extra=extra)
