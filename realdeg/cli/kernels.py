"""`realdeg kernels`: learn a camera's blur from its photos, or from registered pairs, into a kernel pool."""

from __future__ import annotations

import json
from pathlib import Path

import click

from realdeg.cli.common import FOLDER, Choice, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import finding_options, show_left_out
from realdeg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED
from realdeg.io.finding_settings import Finding
from realdeg.io.left_out import in_words
from realdeg.kernels.estimator_settings import TrainSettings
from realdeg.kernels.settings import METHODS, KernelSettings


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
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=KernelSettings.min_confidence,
    help="Amortised: photos whose kernel is less sure give none.",
)
@click.option(
    "--weights",
    type=FOLDER,
    default=None,
    help="Amortised: weights that --train wrote; default those of realdeg (x2, x3, x4, x8).",
)
@click.option(
    "--iterations",
    type=click.IntRange(1),
    default=KernelSettings.iterations,
    help="KernelGAN: 1000 take 4 times as long and bring about 1 dB, the paper's 3000 no more.",
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
    help="Kernels down and across each photo, for lenses that blur the corners; not by KernelGAN.",
)
@click.option(
    "--max-error",
    type=click.FloatRange(0),
    default=KernelSettings.max_error,
    help="From pairs: refuse those whose stated error is above (LR px).",
)
@click.option(
    "--train", is_flag=True, help="Train the amortised estimator on the sharp photos in SRC; OUT is weights."
)
@click.option(
    "--examples",
    type=click.IntRange(1),
    default=TrainSettings.examples,
    help="To train on: photos reduced by random kernels.",
)
@finding_options
@job_options
@click.pass_context
def kernels(
    ctx: click.Context,
    /,
    job: JobOptions,
    src: Path,
    scale: int,
    method: str,
    min_confidence: float,
    weights: Path | None,
    iterations: int,
    seed: int,
    from_pairs: bool,
    size: int | None,
    grid: tuple[int, int],
    max_error: float,
    train: bool,
    examples: int,
    prefer: str | None,
    follow_links: bool,
) -> None:
    """Learn the blur kernels of the photos in SRC, and write them as a pool for `realdeg degrade`.

    OUT is a file (.npz with origin and figures, or .mat), or a folder with KernelGAN's
    NAME/NAME_kernel_xS.mat. Beside it, OUT.job/manifest.csv has a row for every photo, with the reason where
    there is no kernel.

    With --train, OUT.npz receives weights for --weights instead; some minutes for the default.
    """
    finding = Finding(prefer, follow_links)
    if train:
        _train(ctx, src, scale, TrainSettings(examples, seed=seed), job, finding)
        return
    settings = KernelSettings(
        scale,
        method,  # type: ignore[arg-type]
        iterations=iterations,
        seed=seed,
        size=size,
        grid=(grid[0], grid[1]),
        weights=weights,
        min_confidence=min_confidence,
        max_error=max_error,
    )
    from realdeg.kernels.folder import check, estimate_pairs, estimate_photos, find_pairs
    from realdeg.pools.found import job_folder

    if job.dry_run:
        from realdeg.io.find import Listing, look

        check(settings, job.out, src, pairs=from_pairs)
        listing = Listing(src) if from_pairs else look(src, finding)
        items = find_pairs(src, scale) if from_pairs else listing.single
        how = "least squares of pairs" if from_pairs else method
        how += f", {iterations} iterations, seed {seed}" if how == "kernelgan" else ""
        click.echo(
            f"would learn kernels for x{scale} from {len(items[: job.limit])} "
            f"{'pairs' if from_pairs else 'photos'} into {job.out}, {job.workers} workers"
        )
        click.echo(f"  {how}")
        for record in listing.refused("lr"):
            click.echo(f"  would fail: {record.reason}")
        show_left_out(listing.left_out)
        return
    with Teller("kernels learned", quiet=job.quiet or job.as_json) as teller:
        running = job.running(teller)
        if from_pairs:
            report = estimate_pairs(src, job.out, settings, running=running)
        else:
            report = estimate_photos(src, job.out, settings, finding=finding, running=running)
    if not report.interrupted and not report.count("ok") and not job.as_json:
        stays = f"; {job.out} is that of an earlier run" if job.out.exists() else ""
        click.echo(f"nothing gives a kernel, no pool is written{stays}", err=True)
    what = f"{'pairs' if from_pairs else 'photos'} with kernels"
    found = {record.key: dict(record.detail) for record in report.records if record.ok}
    manifest = job_folder(job.out) / "manifest.csv"
    finish(ctx, report, job, manifests=manifest, what=what, only_json={"kernels": found})


def _train(
    ctx: click.Context,
    src: Path,
    scale: int,
    settings: TrainSettings,
    job: JobOptions,
    finding: Finding,
) -> None:
    """Weights of an estimator."""
    from realdeg.kernels.training_folder import broken_photos, check, train_kernels

    if job.dry_run:
        from realdeg.io.find import look

        check(src, job.out, settings)
        listing = look(src, finding)
        photos = len(listing.single)
        click.echo(f"would make {settings.examples} examples for x{scale} of {photos} photos in {src}")
        click.echo(f"  {settings.epochs} passes over them, seed {settings.seed}; weights into {job.out}")
        for record in listing.refused("hr"):
            click.echo(f"  would fail: {record.reason}")
        show_left_out(listing.left_out)
        return
    quiet = job.quiet or job.as_json
    passes: list[float] = []
    with Teller("hundreds of examples", quiet=quiet) as teller:
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
        click.echo(line, err=True)
    if job.as_json:
        result = {
            "out": str(job.out),
            "kernel_db": passes[-1:],
            "seconds": report.seconds,
            "broken": [*twins, *broken],
            "left_out": dict(report.left_out),
        }
        click.echo(json.dumps(result, ensure_ascii=False))
    elif passes and not quiet:
        click.echo(f"{job.out}: weights for x{scale}, {passes[-1]:.1f} dB of kernels at the last pass")
    if report.left_out and not job.as_json:
        click.echo(f"  {in_words(report.left_out)}")
    if report.interrupted:
        click.echo("stopped; what was finished is saved, run the same command again to go on", err=True)
        ctx.exit(EXIT_INTERRUPTED)
    if not passes:
        click.echo(
            f"stopped after too many failures, no weights are written; {report.unfinished} chunks left",
            err=True,
        )
    ctx.exit(EXIT_OK if passes and (job.exit_zero or not (broken or twins)) else EXIT_SOME_FAILED)
