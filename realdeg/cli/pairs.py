"""How photos are paired: the options, the plan, and the plan shown by --dry-run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from realdeg.cli.common import FOLDER, Choice, JobOptions, Teller, add_options
from realdeg.cli.finding import show_left_out
from realdeg.io.finding_settings import Finding
from realdeg.io.pairing_settings import PAIR_BY, PairingSettings
from realdeg.io.rule import NAMINGS

if TYPE_CHECKING:
    from realdeg.align.plan import Part

F = TypeVar("F", bound=Callable[..., Any])

SHOWN = 10  # pairs of each dataset that --dry-run lists


class _Folders(click.Option):
    """An option that may be repeated; one folder in an options file need not be a list."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        return super().type_cast_value(ctx, [value] if isinstance(value, (str, Path)) else value)


def pairing_options(function: F) -> F:
    """Add the options that say which photos make a pair.

    The command receives `lr`, `hr` and the fields of
    `PairingSettings`.
    """
    options = (
        click.option(
            "--lr",
            cls=_Folders,
            type=FOLDER,
            multiple=True,
            help="LR photos (short focal length). Several folders make a dataset each, OUT/x2, OUT/x4 ...",
        ),
        click.option("--hr", type=FOLDER, help="HR photos of the same scenes."),
        click.option(
            "--pair-by",
            type=Choice(PAIR_BY),
            default=None,
            help="How photos find their partner: equal stem (default), a naming rule, capture time, a table, "
            "or content (every LR photo is compared with every HR photo).",
        ),
        click.option(
            "--lr-suffix", default="", help="Text at the end of LR stems that is no part of the name."
        ),
        click.option("--hr-suffix", default="", help="Likewise for HR, e.g. H for 001H.png."),
        click.option(
            "--lr-rule",
            default=None,
            help="Naming rule of LR, e.g. '{stem}_LR{scale}'; {any} is text that does not matter. A rule "
            "with {scale} makes a dataset for each scale.",
        ),
        click.option("--hr-rule", default=None, help="Likewise for HR, e.g. '{stem}_HR'."),
        click.option(
            "--naming", type=Choice(list(NAMINGS)), default=None, help="Naming rules of a published set."
        ),
        click.option(
            "--max-seconds",
            type=click.FloatRange(0),
            default=PairingSettings.max_seconds,
            help="Pairing by time: longest time between the two captures.",
        ),
        click.option(
            "--pairs",
            type=FOLDER,
            default=None,
            help="Table of pairs: CSV with the columns lr, hr and perhaps key, scale, scene.",
        ),
    )
    return add_options(function, options)


def planned(
    job: JobOptions,
    lr: Sequence[Path],
    hr: Path | None,
    pairing: PairingSettings,
    finding: Finding,
    scale: int | None,
) -> list[Part]:
    """Pair the photos, with progress where every photo is looked at."""
    from realdeg.align.plan import plan
    from realdeg.jobs import Progress

    teller = Teller("photos compared", quiet=job.quiet or job.as_json or pairing.way != "content")

    def tell(done: int, total: int) -> None:
        teller(Progress(done, total, 0, 0, 0.0))

    with teller:
        parts = plan(
            lr, hr, job.out, pairing, finding=finding, scale=scale, workers=job.workers, on_photo=tell
        )
    if (left_out := parts[0].pairs.left_out) and not job.quiet:
        click.echo(f"{left_out} photos fit no rule or suffix and are left out", err=True)
    return parts


def show_plan(job: JobOptions, parts: Sequence[Part], pairing: PairingSettings, verb: str) -> None:
    """Say what would be done: for each dataset the first pairs, and what has no partner."""
    for part in parts:
        matches, failed = part.pairs.matches[: job.limit], part.pairs.failed
        scale = f"x{part.scale}" if part.scale else "inferred from the photos"
        click.echo(f"would {verb} {len(matches)} pairs into {part.out}, scale {scale}, {job.workers} workers")
        click.echo(f"  paired {pairing}")
        for match in matches[:SHOWN]:
            click.echo(f"  {match.key}: {match.lr} + {match.hr}")
        if len(matches) > SHOWN:
            click.echo(f"  and {len(matches) - SHOWN} more")
        size = sum(path.stat().st_size for match in matches for path in (match.lr, match.hr))
        click.echo(
            f"  {len(failed)} photos have no partner; inputs {size / 1e6:.1f} MB, outputs about as much"
        )
        for record in failed:
            click.echo(f"  {record.reason}", err=True)
    from realdeg.io.pairing import left_out

    show_left_out(left_out(part.pairs for part in parts))
