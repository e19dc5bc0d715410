"""`realdeg adopt`: LR/HR folders that are registered already become a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options


@click.command(
    context_settings={"show_default": True}, short_help="Take in LR/HR pairs that others registered."
)
@click.option("--lr", type=FOLDER, required=True, help="LR images.")
@click.option("--hr", type=FOLDER, required=True, help="HR images of the same stems.")
@click.option("--scale", type=click.IntRange(2, 16), default=None, help="HR size / LR size; else measured.")
@click.option("--lr-suffix", default="", help="Text at the end of LR stems, e.g. _LR4.")
@click.option("--hr-suffix", default="", help="Likewise for HR, e.g. _HR.")
@job_options
@click.pass_context
def adopt(
    ctx: click.Context,
    /,
    job: JobOptions,
    lr: Path,
    hr: Path,
    scale: int | None,
    lr_suffix: str,
    hr_suffix: str,
) -> None:
    """Make a dataset of pairs that others registered (RealSR, DRealSR, DIV2K).

    Pixels stay as they are: PNG files are linked or copied. HR must be exactly SCALE times LR.
    """
    if job.dry_run:
        from realdeg.io.find import match_stems

        matches, lonely = match_stems(lr, hr, lr_suffix=lr_suffix, hr_suffix=hr_suffix)
        click.echo(f"would adopt {len(matches[: job.limit])} pairs into {job.out}")
        click.echo(f"  {len(lonely)} images have no partner")
        return
    from realdeg.dataset.adopt import adopt_folders

    with Teller("pairs adopted", quiet=job.quiet or job.as_json) as teller:
        report = adopt_folders(
            lr,
            hr,
            job.out,
            scale=scale,
            lr_suffix=lr_suffix,
            hr_suffix=hr_suffix,
            running=job.running(teller),
        )
    finish(ctx, report, job)
