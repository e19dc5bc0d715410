"""`realdeg align`: two folders of photos become a dataset of registered pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from realdeg.align.settings import BRIGHTNESS, AlignSettings
from realdeg.cli.common import FOLDER, Choice, JobOptions, Teller, finish, job_options, pick


@click.command(context_settings={"show_default": True})
@click.option("--lr", type=FOLDER, required=True, help="LR photos (short focal length).")
@click.option("--hr", type=FOLDER, required=True, help="HR photos of the same scenes, same stems.")
@click.option(
    "--scale",
    type=click.IntRange(2, 16),
    default=AlignSettings.scale,
    help="HR size / LR size of the pairs; without it, the whole scale nearest to the measured zoom.",
)
@click.option("--lr-suffix", default="", help="Text at the end of LR stems that is no part of the name.")
@click.option("--hr-suffix", default="", help="Likewise for HR, e.g. H for 001H.png.")
@click.option(
    "--brightness",
    type=Choice(BRIGHTNESS),
    default=AlignSettings.brightness,
    help="How HR is brought to LR's brightness.",
)
@click.option(
    "--max-error",
    type=click.FloatRange(0, min_open=True),
    default=AlignSettings.max_error,
    help="Reject a pair whose measured residual (p95) is above, LR px.",
)
@click.option(
    "--max-disagreeing",
    type=click.FloatRange(0, 1),
    default=AlignSettings.max_disagreeing,
    help="Reject above this share of tiles with a motion of their own (parallax).",
)
@click.option(
    "--max-enlargement",
    type=click.FloatRange(1),
    default=AlignSettings.max_enlargement,
    help="Reject where HR would be enlarged by more to reach the scale.",
)
@click.option(
    "--edge",
    type=click.IntRange(0),
    default=AlignSettings.edge,
    help="LR px cut from each side of the common field.",
)
@click.option(
    "--min-side", type=click.IntRange(16), default=AlignSettings.min_side, help="Smallest LR side kept, px."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, min_open=True),
    default=AlignSettings.tolerance,
    help="Registration ends when no corner moves by more, LR px.",
)
@job_options
@click.pass_context
def align(
    ctx: click.Context, /, job: JobOptions, lr: Path, hr: Path, lr_suffix: str, hr_suffix: str, **params: Any
) -> None:
    """Register LR/HR photos of the same scenes into training pairs.

    Photos are paired by stem. LR is cropped and never resampled; HR is resampled once, to exactly SCALE
    times LR's size. A pair that cannot be trusted is rejected with its reason in manifest.csv.
    """
    settings = pick(AlignSettings, params)
    if job.dry_run:
        _plan(job, settings, lr, hr, lr_suffix, hr_suffix)
        return
    from realdeg.align.folder import align_folders

    with Teller("pairs registered", quiet=job.quiet or job.as_json) as teller:
        report = align_folders(
            lr,
            hr,
            job.out,
            settings,
            lr_suffix=lr_suffix,
            hr_suffix=hr_suffix,
            running=job.running(teller),
        )
    errors = sorted(r.detail["error_lr_px"] for r in report.records if r.ok)
    extra = {}
    if errors:
        scale = next(record.scale for record in report.records if record.ok)
        extra = {
            "scale": scale,
            "median_error_lr_px": errors[len(errors) // 2],
            "worst_error_lr_px": errors[-1],
        }
    finish(ctx, report, job, extra=extra)


def _plan(
    job: JobOptions, settings: AlignSettings, lr: Path, hr: Path, lr_suffix: str, hr_suffix: str
) -> None:
    from realdeg.io.find import match_stems

    matches, lonely = match_stems(lr, hr, lr_suffix=lr_suffix, hr_suffix=hr_suffix)
    matches = matches[: job.limit]
    size = sum(path.stat().st_size for match in matches for path in (match.lr, match.hr))
    scale = f"x{settings.scale}" if settings.scale else "inferred from the photos"
    click.echo(f"would register {len(matches)} pairs into {job.out}, scale {scale}, {job.workers} workers")
    click.echo(f"  {len(lonely)} photos have no partner; inputs {size / 1e6:.1f} MB, outputs about as much")
    for record in lonely:
        click.echo(f"  {record.reason}", err=True)
