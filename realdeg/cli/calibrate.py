"""`realdeg calibrate`: a camera measured from registered pairs becomes a recipe with its own pools."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.camera.settings import CalibrateSettings
from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.errors import EXIT_OK
from realdeg.options import command, settings_options
from realdeg.output import Output
from realdeg.words import counted


@command(short_help="Measure a camera from registered pairs: a recipe that imitates it.")
@click.argument("dataset", type=FOLDER)
@settings_options(CalibrateSettings)
@job_options("Folder that receives camera.toml, camera.json, kernels.npz, noise.npz, measured/, report/.")
def calibrate(job: JobOptions, output: Output, dataset: Path, settings: CalibrateSettings) -> int:
    """Measure the camera that took the LR photos of DATASET, of registered pairs, and write it to OUT.

    OUT holds kernels.npz, noise.npz, camera.toml and camera.json with all figures and their errors;
    OUT/measured/manifest.csv has a row for every pair, OUT/report/index.html shows it all.
    `realdeg degrade --recipe OUT` imitates the camera.

    Examples:
      realdeg calibrate pairs --scale 2 -o camera
      realdeg calibrate pairs --scale 4 --camera 'Canon_*' --grid 3 4 -o canon
    """
    from realdeg.camera.folder import MEASURED, chosen
    from realdeg.camera.folder import calibrate as measure

    if output.dry_run:
        pairs = chosen(dataset, settings)[: job.limit]
        count = counted(len(pairs), "pairs")
        told = {"dry_run": True, "out": str(job.out), "pairs": len(pairs), "scale": settings.scale}
        line = f"would measure {count} of x{settings.scale} into {job.out}, {job.workers} workers"
        output.result(told, line)
        return EXIT_OK
    from realdeg.report.calibration import build_calibration_report, is_camera

    with Teller("pairs measured") as teller:
        report = measure(dataset, job.out, settings, running=job.running(teller))
    manifest = job.out / MEASURED / "manifest.csv"
    extra = {}
    if not (report.interrupted or report.stopped) and is_camera(job.out):
        extra = {"report": str(build_calibration_report(job.out))}
    return finish(report, job, output, extra=extra, manifests=manifest, what="pairs measured")
