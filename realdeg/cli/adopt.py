"""`realdeg adopt`: LR/HR folders that are registered already become a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from realdeg.check.settings import AdoptSettings
from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import left_out_lines
from realdeg.errors import EXIT_OK
from realdeg.io.find import Match
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PairingSettings
from realdeg.options import command, in_flags, settings_options
from realdeg.output import Output
from realdeg.words import counted

BY_STEM = ("pair_by", "lr_rule", "hr_rule", "naming", "max_seconds", "pairs")


@command(short_help="Take in LR/HR pairs that others registered.")
@click.option("--lr", type=FOLDER, required=True, help="LR images.")
@click.option("--hr", type=FOLDER, required=True, help="HR images of the same stems.")
@click.option(
    "--scale",
    type=click.IntRange(1, 16),
    default=None,
    help="HR size / LR size; else measured. 1: LR was enlarged before, or both come from one grid.",
)
@settings_options(PairingSettings, "pairing", leave=BY_STEM)
@settings_options(AdoptSettings, "limits")
@settings_options(Finding, "finding")
@job_options()
def adopt(
    job: JobOptions,
    output: Output,
    lr: Path,
    hr: Path,
    scale: int | None,
    pairing: PairingSettings,
    limits: AdoptSettings,
    finding: Finding,
) -> int:
    """Make a dataset of pairs that others registered (RealSR, DRealSR, DIV2K).

    Pixels stay as they are: PNG files are linked or copied. HR must be exactly SCALE times LR. Where HR lies
    against LR is measured and written into the manifest; what is surely off by more than --max-error is
    rejected. --regrid mends a shift that the whole set has: HR is drawn anew, once, and LR cut where HR shows
    nothing. What else is to be known of a set, `realdeg check` says.

    Examples:
      realdeg adopt --lr LR --hr HR -o pairs
      realdeg adopt --lr X4 --hr HR --lr-suffix x4 -o div2k
      realdeg adopt --lr lr --hr hr --regrid -o mended
    """
    if output.dry_run:
        from realdeg.io.pairing import left_out, pair_by_stem

        pairs = pair_by_stem(lr, hr, pairing, finding)
        left = left_out([pairs])
        chosen = pairs.matches[: job.limit]
        told = {"dry_run": True, "out": str(job.out), "pairs": [match.key for match in chosen],
                "without_partner": len(pairs.failed), "left_out": dict(left)}  # fmt: skip
        lines = [f"would adopt {counted(len(chosen), 'pairs')} into {job.out}"]
        lines.append(f"  {counted(len(pairs.failed), 'images')} without a partner")
        output.result(told, *lines, *left_out_lines(left))
        return EXIT_OK
    from realdeg.check.adopting import Looking, looking
    from realdeg.check.audit import placed_of
    from realdeg.check.grid import in_words
    from realdeg.dataset.adopt import adopt_folders

    def look(matches: Sequence[Match], scale: int) -> Looking | None:
        found = looking(matches, scale, limits)
        if found and found.mending:
            output.say(f"regrid: {in_flags(found.mending.reason)}")
        return found

    with Teller("pairs adopted") as teller:
        report = adopt_folders(
            lr,
            hr,
            job.out,
            scale=scale,
            lr_suffix=pairing.lr_suffix,
            hr_suffix=pairing.hr_suffix,
            finding=finding,
            looking=look if limits.look else None,
            options=asdict(limits),
            running=job.running(teller),
        )
    placed = placed_of([record for record in report.records if record.ok])
    doubts = [in_flags(line) for scale, one in placed.items() if (line := in_words(one, scale))]
    code = finish(report, job, output, only_json={"doubts": doubts})
    for line in doubts if not output.as_json and not output.quiet else ():
        output.say(f"  {line}")
    return code
