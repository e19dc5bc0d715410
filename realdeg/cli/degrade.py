"""`realdeg degrade`: clean images become a dataset of LR/HR pairs."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.cli.common import FOLDER, Choice, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import finding_options, show_left_out
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.settings import ALPHA, DegradeSettings
from realdeg.io.finding_settings import Finding


@click.command(
    context_settings={"show_default": True},
    short_help="Make LR images of clean images: blur, reduce, add noise, compress.",
)
@click.argument("hr", type=FOLDER, nargs=-1, required=True)
@click.option("--scale", type=click.IntRange(2, 16), required=True, help="HR size / LR size.")
@click.option(
    "--recipe",
    default=DegradeSettings.recipe,
    help=f"A preset ({', '.join(PRESETS)}) or a TOML file; else kernels and noise as far as there are pools.",
)
@click.option(
    "--kernel-pool",
    type=FOLDER,
    default=DegradeSettings.kernel_pool,
    help="Blur kernels: .npz, .npy or .mat, or a folder (KernelGAN's too).",
)
@click.option(
    "--noise-pool",
    type=FOLDER,
    default=DegradeSettings.noise_pool,
    help="Noise patches: a folder of images, .npz or .npy.",
)
@click.option("--seed", type=int, default=DegradeSettings.seed, help="Of every draw; same seed, same bytes.")
@click.option(
    "--alpha",
    type=Choice(ALPHA),
    default=DegradeSettings.alpha,
    help="Background of transparent pixels; refuse: such images fail.",
)
@click.option(
    "--cleanup",
    type=click.IntRange(1, 16),
    default=DegradeSettings.cleanup,
    help="First reduce HR so many times, which removes its own noise (RealSR: 2); default the recipe's.",
)
@click.option(
    "--draws",
    type=click.IntRange(1, 10_000),
    default=DegradeSettings.draws,
    help="LR images of each HR image.",
)
@click.option(
    "--preview",
    type=click.IntRange(1, 100),
    default=None,
    help="Write OUT/preview.png, one image under N draws, and nothing else.",
)
@finding_options
@job_options
@click.pass_context
def degrade(
    ctx: click.Context,
    /,
    job: JobOptions,
    hr: tuple[Path, ...],
    scale: int,
    recipe: str | None,
    kernel_pool: Path | None,
    noise_pool: Path | None,
    seed: int,
    alpha: str,
    cleanup: int | None,
    draws: int,
    preview: int | None,
    prefer: str | None,
    follow_links: bool,
) -> None:
    """Make LR images of the clean images in the folders HR, as a recipe says.

    HR is cut at the right and bottom to a multiple of SCALE; PNG files that need no cut are linked, not
    encoded again. What was drawn for each image stands in manifest.csv, number by number, and `realdeg
    replay` makes the LR images again from it. Without a recipe and pools LR is MATLAB's bicubic.
    """
    settings = DegradeSettings(scale, kernel_pool, noise_pool, seed, recipe, alpha, cleanup, draws)  # type: ignore[arg-type]
    finding = Finding(prefer, follow_links)
    if job.dry_run:
        _plan(job, settings, hr, finding)
        return
    if preview:
        from realdeg.degrade.preview import write_preview

        path = write_preview(hr, job.out, settings, preview, finding)
        click.echo(f"{path}: {preview} draws, seeds as in a run")
        return
    from realdeg.degrade.folder import degrade_folder

    with Teller("images degraded", quiet=job.quiet or job.as_json) as teller:
        report = degrade_folder(
            hr,
            job.out,
            settings,
            finding=finding,
            running=job.running(teller),
        )
    finish(ctx, report, job)


def _plan(job: JobOptions, settings: DegradeSettings, hr: tuple[Path, ...], finding: Finding) -> None:
    from realdeg.degrade.folder import find_sources
    from realdeg.degrade.resolved import given

    made_with = given(settings)
    images, twins, left_out = find_sources(hr, settings.draws, finding)
    images, kernels, noises = images[: job.limit], made_with.kernels, made_with.noises
    click.echo(f"would make {len(images)} pairs by x{settings.scale} into {job.out}, {job.workers} workers")
    click.echo(f"  recipe {made_with.recipe.name} ({made_with.recipe.digest}); seed {settings.seed}")
    if kernels:
        click.echo(f"  {len(kernels.names)} kernels from {settings.kernel_pool}")
    if noises:
        click.echo(f"  {len(noises.names)} noise patches from {settings.noise_pool}")
    for twin in twins:
        click.echo(f"  would fail: {twin.reason}")
    show_left_out(left_out)
