"""`realdeg degrade`: clean images become a dataset of LR/HR pairs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import left_out_lines
from realdeg.cli.marking import marked_options
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import EXIT_OK
from realdeg.io.finding_settings import Finding
from realdeg.options import command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.marked import Marked


@command(short_help="Make LR images of clean images: blur, reduce, add noise, compress.")
@click.argument("hr", type=FOLDER, nargs=-1, required=True)
@settings_options(DegradeSettings)
@click.option(
    "--preview",
    type=click.IntRange(1, 100),
    default=None,
    help="Write OUT/preview.png, one image under N draws, and nothing else.",
)
@settings_options(Finding, "finding")
@marked_options
@job_options("Folder that receives LR/, HR/, manifest.csv, recipe.toml and the pools.")
def degrade(
    job: JobOptions,
    output: Output,
    hr: tuple[Path, ...],
    settings: DegradeSettings,
    preview: int | None,
    finding: Finding,
    marked: Marked,
) -> int:
    """Make LR images of the clean images in the folders HR, as a recipe says.

    HR is cut at the right and bottom to a multiple of SCALE; PNG files that need no cut are linked, not
    encoded again. What was drawn for each image stands in manifest.csv, number by number, and `realdeg
    replay` makes the LR images again from it. Without a recipe and pools LR is MATLAB's bicubic.

    Examples:
      realdeg degrade clean --scale 4 --recipe realesrgan -o synthetic
      realdeg degrade clean --scale 4 --recipe bsrgan -o look --preview 11
      realdeg degrade clean --scale 2 --kernel-pool kernels.npz --noise-pool noise.npz -o pairs
    """
    from realdeg.degrade.resolved import with_camera
    from realdeg.noise.structure import doubt_of

    if line := doubt_of(with_camera(settings).noise_pool):
        write_line(sys.stderr, line)
    if output.dry_run:
        _plan(job, output, settings, hr, finding, preview, marked)
        return EXIT_OK
    if preview:
        from realdeg.degrade.preview import write_preview

        path = write_preview(hr, job.out, settings, preview, finding)
        output.result(
            {"preview": str(path), "draws": preview},
            f"{path}: {counted(preview, 'draws')}, seeds as in a run",
        )
        return EXIT_OK
    from realdeg.degrade.folder import degrade_folder

    with Teller("images degraded") as teller:
        running = replace(job.running(teller), marked=marked)
        report = degrade_folder(hr, job.out, settings, finding=finding, running=running)
    return finish(report, job, output)


def _plan(
    job: JobOptions,
    output: Output,
    settings: DegradeSettings,
    hr: tuple[Path, ...],
    finding: Finding,
    preview: int | None,
    marked: Marked,
) -> None:
    from realdeg.degrade.folder import find_sources
    from realdeg.degrade.resolved import resolve

    made_with = resolve(settings)
    images, twins, left_out = find_sources(hr, settings.draws, finding)
    taken = marked.chosen(images, [twin.key for twin in twins], key=lambda image: image.key)
    images, kernels, noises = list(taken[: job.limit]), made_with.kernels, made_with.noises
    pairs = counted(len(images), "pairs")
    lines = [f"would make {pairs} by x{settings.scale} into {job.out}, {job.workers} workers"]
    if preview:
        lines = [f"would draw one of {counted(len(images), 'images')} {preview} times into {job.out}"]
    lines.append(f"  recipe {made_with.recipe.name} ({made_with.recipe.digest}); seed {settings.seed}")
    if kernels:
        lines.append(f"  {counted(len(kernels.names), 'kernels')} from {settings.kernel_pool}")
    if noises:
        lines.append(
            f"  {counted(len(noises.names), 'patches', 'patch')} of noise from {settings.noise_pool}"
        )
    lines += [in_flags(f"  would fail: {twin.reason}") for twin in twins]
    if output.verbose:
        lines += [f"  {image.key}: {image.path}" for image in images]
    told = {
        "dry_run": True, "out": str(job.out), "images": len(images), "scale": settings.scale,
        "recipe": made_with.recipe.name, "sha": made_with.recipe.digest, "seed": settings.seed,
        "would_fail": len(twins), "left_out": dict(left_out),
    }  # fmt: skip
    output.result(told, *lines, *left_out_lines(left_out))
