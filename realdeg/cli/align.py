"""`realdeg align`: two folders of photos become a dataset of registered pairs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.align.settings import AlignSettings
from realdeg.cli.common import JobOptions, Teller, finish, job_options
from realdeg.cli.marking import marked_options
from realdeg.cli.pairs import pairing_options, planned, show_plan
from realdeg.errors import EXIT_OK
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PairingSettings
from realdeg.options import command, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line

if TYPE_CHECKING:
    from realdeg.align.plan import Part
    from realdeg.jobs import JobReport
    from realdeg.marked import Marked


@command(short_help="Register LR/HR photos of the same scenes into training pairs.")
@pairing_options
@settings_options(AlignSettings)
@marked_options
@job_options(
    "Folder that receives LR/, HR/, manifest.csv, certificates/; of several scales OUT/x2 and so on."
)
def align(
    job: JobOptions,
    output: Output,
    lr: tuple[Path, ...],
    hr: Path | None,
    pairing: PairingSettings,
    finding: Finding,
    settings: AlignSettings,
    marked: Marked,
) -> int:
    """Register LR/HR photos of the same scenes into training pairs.

    Photos are paired by stem, unless told otherwise. LR is cropped and never resampled; HR is resampled
    once, to exactly SCALE times LR's size. A pair that cannot be trusted is rejected with its reason in
    manifest.csv. Several --lr, or names that tell the scale, make one dataset for each: OUT/x2, OUT/x4.

    Examples:
      realdeg align --lr wide --hr tele -o pairs
      realdeg align --lr wide --hr tele -o pairs --scale 4 --pair-by time --dry-run
      realdeg align --lr x2 --lr x4 --hr hr -o sets --method d2crealsr --brightness linear
    """
    parts = planned(job, output, lr, hr, pairing, finding, settings.scale)
    taken = _taken(parts, marked)
    job = _within(job, output, taken)
    if output.dry_run:
        show_plan(job, output, taken, pairing, "register")
        return EXIT_OK
    from realdeg.align.folder import align_parts

    with Teller("pairs registered") as teller:
        running = replace(job.running(teller), marked=marked)
        reports = align_parts(parts, hr, settings, pairing=pairing, finding=finding, running=running)
    if len(parts) == 1 and parts[0].out == job.out:
        return finish(reports[0], job, output, extra=_figures(reports[0]))
    sets = [_summary(part, report) for part, report in zip(parts, reports, strict=True)]
    extra = {"sets": sets}
    return finish(_together(parts, reports), job, output, extra=extra, manifests="x*/manifest.csv")


def _taken(parts: Sequence[Part], marked: Marked) -> list[Part]:
    """The parts with the marked pairs alone.

    Raises:
        UserError: the list names pairs of none of them.
    """
    marked.check(key for part in parts for key in part.pairs.keys)
    return [
        replace(
            part,
            pairs=replace(part.pairs, matches=tuple(m for m in part.pairs.matches if marked.takes(m.key))),
        )
        for part in parts
    ]


def _within(job: JobOptions, output: Output, parts: Sequence[Part]) -> JobOptions:
    """As many workers as fit into the memory; says so where that decides."""
    from realdeg.align.memory import available, largest, workers_within

    budget = job.memory_bytes or available()
    if budget is None:
        return job
    need = largest(match for part in parts for match in part.pairs.matches[: job.limit])
    workers = workers_within(budget, need, job.workers)
    room = f"the largest pair takes up to {need / 1e9:.1f} GB of {budget / 1e9:.1f} GB"
    if need > budget:
        write_line(sys.stderr, f"memory: {room}; it may not fit")
    elif workers < job.workers and not output.quiet:
        write_line(sys.stderr, f"memory: {room}, so {workers} of {job.workers} workers run")
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
