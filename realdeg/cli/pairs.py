"""How photos are paired: the options, the plan, and the plan shown by --dry-run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller
from realdeg.cli.finding import left_out_lines
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PairingSettings
from realdeg.options import F, Option, add_options, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.align.plan import Part

SHOWN = 10  # pairs of each dataset that --dry-run lists


class _Folders(Option):
    """An option that may be repeated; one folder in an options file need not be a list."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        return super().type_cast_value(ctx, [value] if isinstance(value, (str, Path)) else value)


def pairing_options(function: F) -> F:
    """Add the folders, and the options that say which photos make a pair.

    The command receives `lr`, `hr`, `pairing: PairingSettings` and `finding: Finding`.
    """
    folders = (
        click.option(
            "--lr",
            cls=_Folders,
            type=FOLDER,
            multiple=True,
            help="LR photos (short focal length). Several folders make a dataset each, OUT/x2, OUT/x4 ...",
        ),
        click.option("--hr", type=FOLDER, help="HR photos of the same scenes."),
    )
    function = settings_options(Finding, "finding")(function)
    return add_options(settings_options(PairingSettings, "pairing")(function), folders)


def planned(
    job: JobOptions,
    output: Output,
    lr: Sequence[Path],
    hr: Path | None,
    pairing: PairingSettings,
    finding: Finding,
    scale: int | None,
) -> list[Part]:
    """Pair the photos, with progress where every photo is looked at."""
    from realdeg.align.plan import doubts, plan
    from realdeg.jobs import Progress

    teller = Teller("photos compared", quiet=pairing.way != "content")

    def tell(done: int, total: int) -> None:
        teller(Progress(done, total, 0, 0, 0.0))

    with teller:
        parts = plan(
            lr, hr, job.out, pairing, finding=finding, scale=scale, workers=job.workers, on_photo=tell
        )
    if (left_out := parts[0].pairs.left_out) and not output.quiet:
        write_line(sys.stderr, f"left out: {counted(left_out, 'photos')} that no rule or suffix means")
    for line in doubts(parts, hr, job.out, pairing, finding=finding, scale=scale):
        write_line(sys.stderr, line)
    return parts


def show_plan(
    job: JobOptions, output: Output, parts: Sequence[Part], pairing: PairingSettings, verb: str
) -> None:
    """Say what would be done: for each dataset the first pairs, and what has no partner."""
    from realdeg.io.pairing import left_out

    lines, sets = [], []
    for part in parts:
        matches, failed = part.pairs.matches[: job.limit], part.pairs.failed
        scale = f"x{part.scale}" if part.scale else "inferred from the photos"
        pairs = counted(len(matches), "pairs")
        lines.append(f"would {verb} {pairs} into {part.out}, scale {scale}, {job.workers} workers")
        lines.append(f"  paired {pairing}")
        shown = len(matches) if output.verbose else SHOWN
        lines += [f"  {match.key}: {match.lr} + {match.hr}" for match in matches[:shown]]
        if len(matches) > shown:
            lines.append(f"  and {len(matches) - shown} more")
        size = sum(path.stat().st_size for match in matches for path in (match.lr, match.hr))
        lonely = counted(len(failed), "photos")
        lines.append(f"  {lonely} without a partner; inputs {size / 1e6:.1f} MB, outputs about as much")
        for record in failed:
            write_line(sys.stderr, in_flags(f"  {record.reason}"))
        found = {"out": str(part.out), "scale": part.scale, "pairs": [match.key for match in matches]}
        sets.append({**found, "without_partner": len(failed), "input_bytes": size})
    left = left_out(part.pairs for part in parts)
    told = {"dry_run": True, "would": verb, "sets": sets, "left_out": dict(left)}
    output.result(told, *lines, *left_out_lines(left))
