"""`realdeg kernels`: learn a camera's blur from its photos, or from registered pairs, into a kernel pool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, Choice, JobOptions, Teller, job_options
from realdeg.degrade.kernel_settings import METHODS, KernelSettings
from realdeg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED

if TYPE_CHECKING:
    from realdeg.jobs import JobReport


@click.command(
    context_settings={"show_default": True},
    short_help="Learn the blur of a camera from its photos: a kernel pool.",
)
@click.argument("src", type=FOLDER)
@click.option("--scale", type=click.IntRange(2, 16), required=True, help="HR size / LR size of the kernels.")
@click.option(
    "--method",
    type=Choice(METHODS),
    default=KernelSettings.method,
    help="How kernels are learned from photos alone.",
)
@click.option(
    "--iterations",
    type=click.IntRange(1),
    default=KernelSettings.iterations,
    help="Of KernelGAN; 1000 take 4 times as long and bring about 1 dB, the paper's 3000 no more.",
)
@click.option("--seed", type=int, default=KernelSettings.seed, help="Of every draw; same seed, same bytes.")
@click.option(
    "--from-pairs", is_flag=True, help="SRC is a dataset of registered pairs; fit kernels between its photos."
)
@click.option(
    "--size",
    type=click.IntRange(3, 65),
    default=KernelSettings.size,
    help="From pairs: side of the kernels, HR px; default about 6 times the scale.",
)
@click.option(
    "--grid",
    type=click.IntRange(1, 16),
    nargs=2,
    default=KernelSettings.grid,
    help="From pairs: kernels down and across each photo, for lenses that blur the corners.",
)
@click.option(
    "--max-error",
    type=click.FloatRange(0),
    default=KernelSettings.max_error,
    help="From pairs: refuse those whose stated error is above (LR px).",
)
@job_options
@click.pass_context
def kernels(
    ctx: click.Context,
    /,
    job: JobOptions,
    src: Path,
    scale: int,
    method: str,
    iterations: int,
    seed: int,
    from_pairs: bool,
    size: int | None,
    grid: tuple[int, int],
    max_error: float,
) -> None:
    """Learn the blur kernels of the photos in SRC, and write them as a pool for `realdeg degrade`.

    OUT is a file (.npz with origin and figures, or .mat), or a folder with KernelGAN's
    NAME/NAME_kernel_xS.mat. Beside it, OUT.job/manifest.csv has a row for every photo, with the reason where
    there is no kernel.
    """
    settings = KernelSettings(scale, method, iterations, seed, size, (grid[0], grid[1]), max_error)  # type: ignore[arg-type]
    from realdeg.degrade.estimate import check, estimate_pairs, estimate_photos, find_pairs

    if job.dry_run:
        from realdeg.io.find import find_images

        check(settings, job.out, src, pairs=from_pairs)
        items = find_pairs(src, scale) if from_pairs else find_images(src)
        how = "least squares of pairs" if from_pairs else f"{method}, {iterations} iterations, seed {seed}"
        click.echo(
            f"would learn kernels for x{scale} from {len(items[: job.limit])} "
            f"{'pairs' if from_pairs else 'photos'} into {job.out}, {job.workers} workers"
        )
        click.echo(f"  {how}")
        return
    with Teller("kernels learned", quiet=job.quiet or job.as_json) as teller:
        estimate = estimate_pairs if from_pairs else estimate_photos
        report = estimate(src, job.out, settings, running=job.running(teller))
    _finish(ctx, report, job)


def _finish(ctx: click.Context, report: JobReport, job: JobOptions) -> None:
    """The result, and the documented exit code."""
    from realdeg.degrade.estimate import job_folder

    counts = {status: report.count(status) for status in ("ok", "rejected", "failed")}
    if job.as_json:
        result = {
            "out": str(job.out),
            **counts,
            "unfinished": report.unfinished,
            "resumed": report.resumed,
            "seconds": round(report.seconds, 3),
            "interrupted": report.interrupted,
            "problems": {r.key: r.reason for r in report.records if not r.ok},
            "kernels": {r.key: dict(r.detail) for r in report.records if r.ok},
        }
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        resumed = f" ({report.resumed} from an earlier run)" if report.resumed else ""
        what = "kernels of" if counts["ok"] else "no pool written, kernels of"
        click.echo(f"{job.out}: {what} {counts['ok']} photos{resumed} in {report.seconds:.1f} s")
        for status in ("rejected", "failed"):
            if counts[status]:
                click.echo(f"  {status:<9}{counts[status]:>5}")
        if report.unfinished:
            click.echo(f"  {'not done':<9}{report.unfinished:>5}  run again to go on")
        if report.problems:
            click.echo(f"  every reason: {job_folder(job.out) / 'manifest.csv'}")
    if report.interrupted:
        click.echo("stopped; what was finished is saved, run the same command again to go on", err=True)
        ctx.exit(EXIT_INTERRUPTED)
    ctx.exit(EXIT_SOME_FAILED if report.problems and not job.exit_zero else EXIT_OK)
