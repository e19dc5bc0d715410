"""`realdeg adopt`: LR/HR folders that are registered already become a dataset."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.cli.finding import left_out_lines
from realdeg.errors import EXIT_OK
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PairingSettings
from realdeg.options import command, settings_options
from realdeg.output import Output
from realdeg.words import counted

BY_STEM = ("pair_by", "lr_rule", "hr_rule", "naming", "max_seconds", "pairs")


@command(short_help="Take in LR/HR pairs that others registered.")
@click.option("--lr", type=FOLDER, required=True, help="LR images.")
@click.option("--hr", type=FOLDER, required=True, help="HR images of the same stems.")
@click.option("--scale", type=click.IntRange(2, 16), default=None, help="HR size / LR size; else measured.")
@settings_options(PairingSettings, "pairing", leave=BY_STEM)
@settings_options(Finding, "finding")
@job_options()
def adopt(
    job: JobOptions,
    output: Output,
    lr: Path,
    hr: Path,
    scale: int | None,
    pairing: PairingSettings,
    finding: Finding,
) -> int:
    """Make a dataset of pairs that others registered (RealSR, DRealSR, DIV2K).

    Pixels stay as they are: PNG files are linked or copied. HR must be exactly SCALE times LR.

    Examples:
      realdeg adopt --lr LR --hr HR -o pairs
      realdeg adopt --lr X4 --hr HR --lr-suffix x4 -o div2k
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
    from realdeg.dataset.adopt import adopt_folders

    with Teller("pairs adopted") as teller:
        report = adopt_folders(
            lr,
            hr,
            job.out,
            scale=scale,
            lr_suffix=pairing.lr_suffix,
            hr_suffix=pairing.hr_suffix,
            finding=finding,
            running=job.running(teller),
        )
    return finish(report, job, output)
