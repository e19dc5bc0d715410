"""`realdeg adopt`: LR/HR folders that are registered already become a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import finding_options, show_left_out
from realdeg.io.finding_settings import Finding


@click.command(
    context_settings={"show_default": True}, short_help="Take in LR/HR pairs that others registered."
)
@click.option("--lr", type=FOLDER, required=True, help="LR images.")
@click.option("--hr", type=FOLDER, required=True, help="HR images of the same stems.")
@click.option("--scale", type=click.IntRange(2, 16), default=None, help="HR size / LR size; else measured.")
@click.option("--lr-suffix", default="", help="Text at the end of LR stems, e.g. _LR4.")
@click.option("--hr-suffix", default="", help="Likewise for HR, e.g. _HR.")
@finding_options
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
    prefer: str | None,
    follow_links: bool,
) -> None:
    """Make a dataset of pairs that others registered (RealSR, DRealSR, DIV2K).

    Pixels stay as they are: PNG files are linked or copied. HR must be exactly SCALE times LR.
    """
    finding = Finding(prefer, follow_links)
    if job.dry_run:
        from realdeg.io.pairing import left_out, pair_by_stem
        from realdeg.io.pairing_settings import PairingSettings

        pairing = PairingSettings(lr_suffix=lr_suffix, hr_suffix=hr_suffix)
        pairs = pair_by_stem(lr, hr, pairing, finding)
        click.echo(f"would adopt {len(pairs.matches[: job.limit])} pairs into {job.out}")
        click.echo(f"  {len(pairs.failed)} images have no partner")
        show_left_out(left_out([pairs]))
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
            finding=finding,
            running=job.running(teller),
        )
    finish(ctx, report, job)
