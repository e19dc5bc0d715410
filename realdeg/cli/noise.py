"""`realdeg noise`: take the noise of a camera from its photos, into a noise pool."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import left_out_lines
from realdeg.errors import EXIT_OK
from realdeg.io.finding_settings import Finding
from realdeg.noise.settings import NoiseSettings
from realdeg.options import command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted


@command(short_help="Take the noise of a camera from its photos: a noise pool.")
@click.argument("src", type=FOLDER)
@settings_options(NoiseSettings)
@settings_options(Finding, "finding")
@job_options("Pool to write: .npz; by the classic rule also a folder of PNG.")
def noise(job: JobOptions, output: Output, src: Path, settings: NoiseSettings, finding: Finding) -> int:
    """Take noise from the photos in SRC, as a noise pool for `realdeg degrade`.

    By default windows are taken that show noise alone: of all photos their energy is the least at their
    brightness, and no coarser than the usual. Shading and the lowest frequencies are taken out. A photo
    without such a window gives patches as strong as its own noise. The classic rule takes windows of little
    variance that are not dark: texture gets through where the limits are wide, and nothing where noise is
    strong. Look at the result with `realdeg report OUT`. OUT is a file (.npz with origin), by the classic
    rule also a folder of PNG; OUT.job/manifest.csv has a row for every photo.

    Examples:
      realdeg noise photos -o noise.npz
      realdeg noise photos --method classic --size 256 -o patches
    """
    from realdeg.noise.folder import check, counts, extract_noise_pool
    from realdeg.noise.patches import ENOUGH
    from realdeg.pools.found import job_folder
    from realdeg.pools.noise_pool import NoisePool

    if output.dry_run:
        from realdeg.io.find import look

        check(src, job.out, settings)
        listing = look(src, finding)
        photos = counted(len(listing.single[: job.limit]), "photos")
        lines = [f"would take windows of {settings.side} px from {photos} into {job.out}"]
        lines += [in_flags(f"  would fail: {record.reason}") for record in listing.refused("lr")]
        told = {
            "dry_run": True, "out": str(job.out), "photos": len(listing.single[: job.limit]),
            "size": settings.side, "would_fail": len(listing.refused("lr")),
            "left_out": dict(listing.left_out),
        }  # fmt: skip
        output.result(told, *lines, *left_out_lines(listing.left_out))
        return EXIT_OK
    with Teller("photos looked at") as teller:
        report = extract_noise_pool(src, job.out, settings, finding=finding, running=job.running(teller))
    made = report.count("ok") and not report.interrupted and settings.method == "flat"
    pool = NoisePool.read(job.out) if made else None
    if report.count("rejected") and not report.count("ok"):
        stays = f"; {job.out} is that of an earlier run" if job.out.exists() else ""
        ways = (
            "--size 64, or a larger --max-variance"
            if settings.method == "classic"
            else "--size 32, or more photos"
        )
        write_line(sys.stderr, f"no window passes, no pool is written; try {ways}{stays}")
    if pool and pool.about["chosen"]["flat"] < ENOUGH:
        few = pool.about["chosen"]["flat"]
        text = f"only {few} windows show noise alone, so the strength of what is made for other photos is an "
        write_line(sys.stderr, text + "upper estimate; give more or larger photos, with skies or walls")
    manifest = job_folder(job.out) / "manifest.csv"
    extra = counts(report.records, pool, settings)
    return finish(report, job, output, manifests=manifest, what="photos with noise", extra=extra)
