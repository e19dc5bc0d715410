"""`realdeg kernels`: learn a camera's blur from its photos, or from registered pairs, into a kernel pool."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from realdeg.cli.common import FOLDER, STOPPED, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import left_out_lines
from realdeg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED
from realdeg.io.finding_settings import Finding
from realdeg.kernels.estimator_settings import TrainSettings
from realdeg.kernels.settings import KernelSettings
from realdeg.options import command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted


@command(short_help="Learn the blur of a camera from its photos: a kernel pool.")
@click.argument("src", type=FOLDER)
@settings_options(KernelSettings)
@click.option(
    "--from-pairs", is_flag=True, help="SRC is a dataset of registered pairs; fit kernels between its photos."
)
@click.option(
    "--train", is_flag=True, help="Train the amortised estimator on the sharp photos in SRC; OUT is weights."
)
@settings_options(TrainSettings, "training", leave=("epochs", "seed"))
@settings_options(Finding, "finding")
@job_options("Pool to write: .npz, .mat, or a folder as KernelGAN's; with --train weights.")
def kernels(
    job: JobOptions,
    output: Output,
    src: Path,
    settings: KernelSettings,
    from_pairs: bool,
    train: bool,
    training: TrainSettings,
    finding: Finding,
) -> int:
    """Learn the blur kernels of the photos in SRC, and write them as a pool for `realdeg degrade`.

    OUT is a file (.npz with origin and figures, or .mat), or a folder with KernelGAN's
    NAME/NAME_kernel_xS.mat. Beside it, OUT.job/manifest.csv has a row for every photo, with the reason where
    there is no kernel.

    With --train, OUT.npz receives weights for --weights instead; some minutes for the default.

    Examples:
      realdeg kernels photos --scale 4 -o kernels.npz
      realdeg kernels pairs --from-pairs --scale 2 -o kernels.npz
      realdeg kernels sharp --train --scale 4 -o weights.npz
    """
    if train:
        return _train(src, settings.scale, replace(training, seed=settings.seed), job, output, finding)
    from realdeg.kernels.folder import check, estimate_pairs, estimate_photos, find_pairs
    from realdeg.pools.found import job_folder

    if output.dry_run:
        from realdeg.io.find import Listing, look

        check(settings, job.out, src, pairs=from_pairs)
        listing = Listing(src) if from_pairs else look(src, finding)
        items = find_pairs(src, settings.scale) if from_pairs else listing.single
        how = "least squares of pairs" if from_pairs else str(settings.method)
        how += f", {settings.iterations} iterations, seed {settings.seed}" if how == "kernelgan" else ""
        count = counted(len(items[: job.limit]), "pairs" if from_pairs else "photos")
        lines = [
            f"would learn kernels for x{settings.scale} from {count} into {job.out}, {job.workers} workers"
        ]
        lines.append(f"  {how}")
        lines += [in_flags(f"  would fail: {record.reason}") for record in listing.refused("lr")]
        told = {
            "dry_run": True, "out": str(job.out), "scale": settings.scale, "from": len(items[: job.limit]),
            "method": how, "would_fail": len(listing.refused("lr")), "left_out": dict(listing.left_out),
        }  # fmt: skip
        output.result(told, *lines, *left_out_lines(listing.left_out))
        return EXIT_OK
    with Teller("kernels learned") as teller:
        running = job.running(teller)
        if from_pairs:
            report = estimate_pairs(src, job.out, settings, running=running)
        else:
            report = estimate_photos(src, job.out, settings, finding=finding, running=running)
    if not report.interrupted and not report.count("ok"):
        stays = f"; {job.out} is that of an earlier run" if job.out.exists() else ""
        write_line(sys.stderr, f"nothing gives a kernel, no pool is written{stays}")
    what = f"{'pairs' if from_pairs else 'photos'} with kernels"
    found = {record.key: dict(record.detail) for record in report.records if record.ok}
    manifest = job_folder(job.out) / "manifest.csv"
    return finish(report, job, output, manifests=manifest, what=what, only_json={"kernels": found})


def _train(
    src: Path, scale: int, settings: TrainSettings, job: JobOptions, output: Output, finding: Finding
) -> int:
    """Weights of an estimator."""
    from realdeg.kernels.training_folder import broken_photos, check, train_kernels

    if output.dry_run:
        from realdeg.io.find import look

        check(src, job.out, settings)
        listing = look(src, finding)
        photos = counted(len(listing.single), "photos")
        lines = [
            f"would make {settings.examples} examples for x{scale} of {photos} in {src}",
            f"  {settings.epochs} passes over them, seed {settings.seed}; weights into {job.out}",
        ]
        lines += [in_flags(f"  would fail: {record.reason}") for record in listing.refused("hr")]
        told = {
            "dry_run": True, "out": str(job.out), "scale": scale, "from": len(listing.single),
            "examples": settings.examples, "would_fail": len(listing.refused("hr")),
            "left_out": dict(listing.left_out),
        }  # fmt: skip
        output.result(told, *lines, *left_out_lines(listing.left_out))
        return EXIT_OK
    passes: list[float] = []
    with Teller("hundreds of examples") as teller:
        report = train_kernels(
            src,
            job.out,
            scale,
            settings,
            finding=finding,
            running=job.running(teller),
            say=lambda _, db: passes.append(db),
        )
    twins = [record.reason for record in report.records if record.source_hr]  # told one by one already
    broken = broken_photos(report.records)
    for line in broken:
        write_line(sys.stderr, in_flags(line))
    result = {
        "out": str(job.out),
        "kernel_db": passes[-1:],
        "seconds": report.seconds,
        "broken": [*twins, *broken],
        "left_out": dict(report.left_out),
    }
    lines = []
    if passes and not output.quiet:
        lines = [f"{job.out}: weights for x{scale}, {passes[-1]:.1f} dB of kernels at the last pass"]
    output.result(result, *lines, *left_out_lines(report.left_out))
    if report.interrupted:
        write_line(sys.stderr, STOPPED)
        return EXIT_INTERRUPTED
    if not passes:
        why = f"no weights are written; {report.unfinished} chunks left"
        write_line(sys.stderr, f"stopped after too many failures, {why}")
    return EXIT_OK if passes and (job.exit_zero or not (broken or twins)) else EXIT_SOME_FAILED
