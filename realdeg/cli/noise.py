"""`realdeg noise`: take the noise of a camera from its photos, into a noise pool."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from realdeg.cli.common import FOLDER, Choice, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import finding_options, show_left_out
from realdeg.io.finding_settings import Finding
from realdeg.noise.settings import METHODS, Method, NoiseSettings


@click.command(
    context_settings={"show_default": True},
    short_help="Take the noise of a camera from its photos: a noise pool.",
)
@click.argument("src", type=FOLDER)
@click.option(
    "--method",
    type=Choice(METHODS),
    default=NoiseSettings.method,
    help="Windows that show noise alone by the measure of all photos, or RealSR's rule.",
)
@click.option(
    "--size",
    type=click.IntRange(8),
    default=None,
    show_default="64; classic: 256",
    help="Side of patches, px; step of the classic grid.",
)
@click.option(
    "--energy",
    type=click.FloatRange(1),
    default=NoiseSettings.energy,
    help="flat: most energy of a window, times the least of the set at its brightness.",
)
@click.option(
    "--shape",
    type=click.FloatRange(1),
    default=NoiseSettings.shape,
    help="flat: most coarse against fine energy, times the usual of the set.",
)
@click.option(
    "--per-level",
    type=click.IntRange(1),
    default=NoiseSettings.per_level,
    help="flat: most windows of each of eight ranges of brightness.",
)
@click.option(
    "--max-variance",
    type=click.FloatRange(0),
    default=NoiseSettings.max_variance,
    help="classic: windows whose grey varies less are taken (8-bit levels squared).",
)
@click.option(
    "--min-mean",
    type=click.FloatRange(0, 255),
    default=NoiseSettings.min_mean,
    help="classic: windows whose grey is brighter are taken; 0 for clean studio light.",
)
@finding_options
@job_options
@click.pass_context
def noise(
    ctx: click.Context,
    /,
    job: JobOptions,
    src: Path,
    method: str,
    size: int | None,
    energy: float,
    shape: float,
    per_level: int,
    max_variance: float,
    min_mean: float,
    prefer: str | None,
    follow_links: bool,
) -> None:
    """Take noise from the photos in SRC, as a noise pool for `realdeg degrade`.

    By default windows are taken that show noise alone: of all photos their energy is the least at their
    brightness, and no coarser than the usual. Shading and the lowest frequencies are taken out. A photo
    without such a window gives patches as strong as its own noise. The classic rule takes windows of little
    variance that are not dark: texture gets through where the limits are wide, and nothing where noise is
    strong. Look at the result with `realdeg report OUT`. OUT is a file (.npz with origin), by the classic
    rule also a folder of PNG; OUT.job/manifest.csv has a row for every photo.
    """
    from realdeg.noise.folder import check, counts, harvest
    from realdeg.noise.patches import ENOUGH
    from realdeg.pools.found import job_folder
    from realdeg.pools.pools import NoisePool

    settings = NoiseSettings(cast(Method, method), size, energy, shape, per_level, max_variance, min_mean)
    finding = Finding(prefer, follow_links)
    if job.dry_run:
        from realdeg.io.find import look

        check(src, job.out, settings)
        listing = look(src, finding)
        photos = len(listing.single[: job.limit])
        click.echo(f"would take windows of {settings.side} px from {photos} photos into {job.out}")
        for record in listing.refused("lr"):
            click.echo(f"  would fail: {record.reason}")
        show_left_out(listing.left_out)
        return
    with Teller("photos looked at", quiet=job.quiet or job.as_json) as teller:
        report = harvest(src, job.out, settings, finding=finding, running=job.running(teller))
    made = report.count("ok") and not report.interrupted and method == "flat"
    pool = NoisePool.read(job.out) if made else None
    if report.count("rejected") and not report.count("ok") and not job.as_json:
        stays = f"; {job.out} is that of an earlier run" if job.out.exists() else ""
        ways = "--size 64, or a larger --max-variance" if method == "classic" else "--size 32, or more photos"
        click.echo(f"no window passes, no pool is written; try {ways}{stays}", err=True)
    if pool and pool.about["chosen"]["flat"] < ENOUGH and not job.as_json:
        few = pool.about["chosen"]["flat"]
        text = f"only {few} windows show noise alone, so the strength of what is made for other photos is an "
        click.echo(text + "upper estimate; give more or larger photos, with skies or walls", err=True)
    manifest = job_folder(job.out) / "manifest.csv"
    extra = counts(report.records, pool, settings)
    finish(ctx, report, job, manifests=manifest, what="photos with noise", extra=extra)
