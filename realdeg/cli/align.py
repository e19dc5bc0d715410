"""`realdeg align`: two folders of photos become a dataset of registered pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from realdeg.align.settings import BRIGHTNESS, DIGITAL_ZOOM, RECIPES, SIDES, AlignSettings
from realdeg.cli.common import Choice, JobOptions, Teller, finish, job_options, pick
from realdeg.cli.finding import finding_options
from realdeg.cli.pairs import pairing_options, planned, show_plan
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PairingSettings

if TYPE_CHECKING:
    from realdeg.align.plan import Part
    from realdeg.jobs import JobReport


@click.command(context_settings={"show_default": True})
@pairing_options
@finding_options
@click.option(
    "--scale",
    type=click.IntRange(1, 16),
    default=AlignSettings.scale,
    help="HR size / LR size of the pairs (1: two cameras, one grid); else the scale nearest to the zooms.",
)
@click.option(
    "--recipe",
    type=Choice(RECIPES),
    default=AlignSettings.recipe,
    help="Dense sub-pixel registration with lens terms, or the paper's two passes of SIFT.",
)
@click.option(
    "--brightness",
    type=Choice(BRIGHTNESS),
    default=AlignSettings.brightness,
    help="How brightness is aligned: curve per channel, gain and offset (the paper's), or not at all.",
)
@click.option(
    "--adjust",
    type=Choice(SIDES),
    default=AlignSettings.adjust,
    help="Which image is brought to the other's brightness.",
)
@click.option(
    "--vignetting/--no-vignetting",
    default=AlignSettings.vignetting,
    help="With curves, fit a gain that varies slowly over the field as well.",
)
@click.option(
    "--max-error",
    type=click.FloatRange(0, min_open=True),
    default=AlignSettings.max_error,
    help="Reject a pair whose expected error or measured residual (p95) is above, LR px.",
)
@click.option(
    "--max-disagreeing",
    type=click.FloatRange(0, 1),
    default=AlignSettings.max_disagreeing,
    help="Reject above this share of tiles with a motion of their own (parallax).",
)
@click.option(
    "--mask",
    is_flag=True,
    help="Keep a pair of which up to half moved apart, and write where it is valid (MASK/).",
)
@click.option(
    "--max-blur",
    type=click.FloatRange(0, min_open=True),
    default=AlignSettings.max_blur,
    help="Reject where LR is blurred by more against HR, LR px (out of focus).",
)
@click.option(
    "--max-enlargement",
    type=click.FloatRange(1),
    default=AlignSettings.max_enlargement,
    help="Reject where HR would be enlarged by more to reach the scale.",
)
@click.option(
    "--digital-zoom",
    type=Choice(DIGITAL_ZOOM),
    default=AlignSettings.digital_zoom,
    help="Photos that the camera itself enlarged (EXIF DigitalZoomRatio).",
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
@click.option(
    "--keep-rejects",
    is_flag=True,
    help="Write rejected pairs, where one can be made, into rejected/ for study.",
)
@job_options
@click.pass_context
def align(
    ctx: click.Context,
    /,
    job: JobOptions,
    lr: tuple[Path, ...],
    hr: Path | None,
    **params: Any,
) -> None:
    """Register LR/HR photos of the same scenes into training pairs.

    Photos are paired by stem, unless told otherwise. LR is cropped and never resampled; HR is resampled
    once, to exactly SCALE times LR's size. A pair that cannot be trusted is rejected with its reason in
    manifest.csv. Several --lr, or names that tell the scale, make one dataset for each: OUT/x2, OUT/x4.
    """
    settings = pick(AlignSettings, params)
    pairing = pick(PairingSettings, params)
    finding = pick(Finding, params)
    parts = planned(job, lr, hr, pairing, finding, settings.scale)
    job = _within(job, parts)
    if job.dry_run:
        show_plan(job, parts, pairing, "register")
        return
    from realdeg.align.folder import align_parts

    with Teller("pairs registered", quiet=job.quiet or job.as_json) as teller:
        reports = align_parts(
            parts, hr, settings, pairing=pairing, finding=finding, running=job.running(teller)
        )
    if len(parts) == 1 and parts[0].out == job.out:
        finish(ctx, reports[0], job, extra=_figures(reports[0]))
        return
    sets = [_summary(part, report) for part, report in zip(parts, reports, strict=True)]
    finish(ctx, _together(parts, reports), job, extra={"sets": sets}, manifests="x*/manifest.csv")


def _within(job: JobOptions, parts: Sequence[Part]) -> JobOptions:
    """As many workers as fit into the memory; says so where that decides."""
    from realdeg.align.memory import available, largest, workers_within

    budget = job.memory or available()
    if budget is None:
        return job
    need = largest(match for part in parts for match in part.pairs.matches[: job.limit])
    workers = workers_within(budget, need, job.workers)
    room = f"the largest pair takes up to {need / 1e9:.1f} GB of {budget / 1e9:.1f} GB"
    if need > budget:
        click.echo(f"memory: {room}; it may not fit", err=True)
    elif workers < job.workers and not job.quiet:
        click.echo(f"memory: {room}, so {workers} of {job.workers} workers run", err=True)
    return replace(job, workers=workers)


def _figures(report: JobReport) -> dict[str, Any]:
    """Scale and errors of a finished dataset; nothing where it has no pair."""
    errors = sorted(r.detail["error_lr_px"] for r in report.records if r.ok)
    if not errors:
        return {}
    scale = next(record.scale for record in report.records if record.ok)
    residuals = sorted(r.detail["residual_lr_px"] for r in report.records if r.ok)
    return {
        "scale": scale,
        "median_error_lr_px": errors[len(errors) // 2],
        "worst_error_lr_px": errors[-1],
        "median_residual_lr_px": residuals[len(residuals) // 2],
    }


def _summary(part: Part, report: JobReport) -> dict[str, Any]:
    """One line of the table over several datasets."""
    counts = {status: report.count(status) for status in ("ok", "rejected", "failed")}
    return {"out": str(part.out), "scale": part.scale, **counts, **_figures(report)}


def _together(parts: Sequence[Part], reports: Sequence[JobReport]) -> JobReport:
    """Reports as one; keys begin with the dataset's folder, as they are the same in all."""
    from realdeg.io.pairing import left_out
    from realdeg.jobs import JobReport

    return JobReport(
        tuple(
            replace(record, key=f"{part.out.name}/{record.key}")
            for part, report in zip(parts, reports, strict=True)
            for record in report.records
        ),
        sum(report.resumed for report in reports),
        sum(report.seconds for report in reports),
        sum(report.unfinished for report in reports),
        any(report.interrupted for report in reports),
        left_out(part.pairs for part in parts),
        others=sum(report.others for report in reports),
        absent=sum(report.absent for report in reports),
        leftover=sum(report.leftover for report in reports),
        stopped=next((report.stopped for report in reports if report.stopped), ""),
    )
