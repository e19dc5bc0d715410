"""The job of `realdeg align`: folders of photos in, datasets of registered pairs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from realdeg.align.item import align_pair
from realdeg.align.plan import Part, infer_scale, plan
from realdeg.align.settings import AlignSettings
from realdeg.errors import UserError
from realdeg.imagefolder import write_metadata
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing import left_out
from realdeg.io.pairing_settings import PairingSettings
from realdeg.jobs import Ended, JobReport, Progress, Running, run_job
from realdeg.settings import first_names, write_run


def align_folders(
    lr: Path,
    hr: Path,
    out: Path,
    settings: AlignSettings,
    *,
    pairing: PairingSettings = PairingSettings(),
    finding: Finding = Finding(),
    running: Running = Running(),
) -> JobReport:
    """Register photos of the same scenes into one dataset, `out` (docs/dataset.md).

    Args:
        lr: folder of photos of the short focal length.
        hr: folder of photos of the long focal length.
        out: receives LR/, HR/, manifest.csv, metadata.csv, run.yaml and the ledger.
        settings: limits of registration; without a scale, the one that most photos show is taken.
        pairing: how photos are paired, in a way that tells no scale; by stem unless told otherwise.
        finding: which files of the folders are photos.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: a folder is missing or empty, nothing pairs, or `out` cannot be used.
    """
    workers = running.workers
    parts = plan([lr], hr, out, pairing, finding=finding, scale=settings.scale, workers=workers)
    return align_parts(parts, hr, settings, pairing=pairing, finding=finding, running=running)[0]


def align_parts(
    parts: Sequence[Part],
    hr: Path | None,
    settings: AlignSettings,
    *,
    pairing: PairingSettings = PairingSettings(),
    finding: Finding = Finding(),
    running: Running = Running(),
) -> list[JobReport]:
    """Register all that was planned (`realdeg.align.plan`), one dataset after the other.

    Args:
        parts: the datasets.
        hr: folder of HR photos, for run.yaml.
        settings: of registration; a part's scale wins.
        pairing: how photos were paired, for run.yaml.
        finding: how photos were found, likewise.
        running: `limit` holds for each dataset, `max_failures` for all; progress is told over all.

    Returns:
        A report for each part; those not begun after an interrupt have everything unfinished.

    Raises:
        UserError: no scale can be inferred, or an output folder cannot be used.
    """
    keys = [part.pairs.keys for part in parts]
    running.marked.check(key for some in keys for key in some)
    reports: list[JobReport] = []
    planned = [
        len([match for match in part.pairs.matches if running.marked.takes(match.key)][: running.limit])
        for part in parts
    ]
    for part, count, its_keys in zip(parts, planned, keys, strict=True):
        base = Progress(
            sum(n - r.unfinished for n, r in zip(planned, reports, strict=False)),
            sum(planned),
            sum(report.resumed for report in reports),
            sum(report.problems for report in reports),
            sum(report.seconds for report in reports),
        )
        left = None if running.max_failures is None else running.max_failures - base.problems
        ended = any(report.interrupted or report.stopped for report in reports)
        if ended or (left is not None and left <= 0):
            last = reports[-1]
            reports.append(
                JobReport((), unfinished=count, interrupted=last.interrupted, stopped=last.stopped)
            )
            continue
        told = _over_all(running.on_progress, base, part) if len(parts) > 1 else running.on_progress
        marked = running.marked.within(its_keys)
        ours = replace(running, max_failures=left, on_progress=told, marked=marked)
        reports.append(_align_part(part, hr, settings, {**pairing.told(), **finding.told()}, ours))
    return reports


def _over_all(
    tell: Callable[[Progress], None] | None, base: Progress, part: Part
) -> Callable[[Progress], None] | None:
    """Progress of one part told as progress of all, `base` being that of the parts before."""
    if tell is None:
        return None

    def told(now: Progress) -> None:
        last = replace(now.last, key=f"{part.out.name}/{now.last.key}") if now.last else None
        problems, seconds = base.problems + now.problems, base.seconds + now.seconds
        tell(Progress(base.done + now.done, base.total, base.resumed + now.resumed, problems, seconds, last))

    return told


def _align_part(
    part: Part, hr: Path | None, settings: AlignSettings, told: Mapping[str, Any], running: Running
) -> JobReport:
    """Make one dataset."""
    if part.scale is None and not part.pairs.matches:
        raise UserError(part.out, "would hold no pair", part.pairs.failed[0].reason)
    settings = replace(settings, scale=part.scale or infer_scale(part.pairs.matches))
    lr = part.lr[0] if len(part.lr) == 1 else part.lr or None

    def also(ended: Ended) -> None:
        write_run(part.out, "realdeg align", {"lr": lr, "hr": hr, **told, **asdict(settings)})
        write_metadata(part.out, ended.rows)

    return run_job(
        partial(align_pair, out=part.out, settings=settings),
        part.pairs.matches,
        part.out,
        settings={"how": "registration", **first_names(settings)},
        given=part.pairs.failed,
        left_out=left_out([part.pairs]),
        also=also,
        running=running,
    )
