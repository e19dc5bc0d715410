"""`realdeg calibrate`: a camera measured from registered pairs becomes a recipe with its own pools."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.calibrate.settings import CalibrateSettings
from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options


@click.command(
    context_settings={"show_default": True},
    short_help="Measure a camera from registered pairs: a recipe that imitates it.",
)
@click.argument("dataset", type=FOLDER)
@click.option("--scale", type=click.IntRange(2, 16), required=True, help="HR size / LR size of the pairs.")
@click.option("--only", default=CalibrateSettings.only, help="Keys of the camera's pairs, e.g. 'Canon_*'.")
@click.option(
    "--size",
    type=click.IntRange(3, 65),
    default=CalibrateSettings.size,
    help="Side of the kernels, HR px; default about 6 times the scale.",
)
@click.option(
    "--grid",
    type=click.IntRange(1, 16),
    nargs=2,
    default=CalibrateSettings.grid,
    help="Kernels down and across each photo, for lenses that blur the corners.",
)
@click.option(
    "--max-error",
    type=click.FloatRange(0),
    default=CalibrateSettings.max_error,
    help="Refuse pairs whose stated error is above (LR px).",
)
@click.option(
    "--patch",
    type=click.IntRange(8, 256),
    default=CalibrateSettings.patch,
    help="Side of the noise patches, LR px; smaller ones find more flat places.",
)
@job_options
@click.pass_context
def calibrate(
    ctx: click.Context,
    /,
    job: JobOptions,
    dataset: Path,
    scale: int,
    only: str,
    size: int | None,
    grid: tuple[int, int],
    max_error: float,
    patch: int,
) -> None:
    """Measure the camera that took the LR photos of DATASET, of registered pairs, and write it to OUT.

    OUT holds kernels.npz, noise.npz, camera.toml and camera.json with all figures and their errors;
    OUT/measured/manifest.csv has a row for every pair. `realdeg degrade --recipe OUT` imitates the camera.
    """
    settings = CalibrateSettings(scale, only, size, (grid[0], grid[1]), max_error, patch)
    from realdeg.calibrate.folder import MEASURED, chosen
    from realdeg.calibrate.folder import calibrate as measure

    if job.dry_run:
        pairs = chosen(dataset, settings)[: job.limit]
        click.echo(f"would measure {len(pairs)} pairs of x{scale} into {job.out}, {job.workers} workers")
        return
    with Teller("pairs measured", quiet=job.quiet or job.as_json) as teller:
        report = measure(dataset, job.out, settings, running=job.running(teller))
    finish(ctx, report, job, manifests=job.out / MEASURED / "manifest.csv", what="pairs measured")
