"""`realdeg tile`: cut the pairs of a dataset into tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options
from realdeg.cli.marking import marked_options
from realdeg.dataset.settings import TileSettings
from realdeg.errors import EXIT_OK
from realdeg.options import command, settings_options
from realdeg.output import Output
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.marked import Marked


@command(short_help="Cut pairs into tiles on one grid.")
@click.argument("dataset", type=FOLDER)
@settings_options(TileSettings)
@marked_options
@job_options()
def tile(job: JobOptions, output: Output, dataset: Path, settings: TileSettings, marked: Marked) -> int:
    """Cut the pairs of DATASET into tiles, LR and HR on one grid; scenes and splits are kept.

    For trainers that decode whole images. `realdeg train d2c` does not need it.

    Examples:
      realdeg tile pairs -o tiles --size 480 --overlap 96
    """
    size = settings.size
    if output.dry_run:
        from realdeg.records import read_manifest

        rows = read_manifest(dataset)
        count = sum(row.ok for row in marked.chosen(rows, key=lambda row: row.key))
        told = {"dry_run": True, "out": str(job.out), "pairs": count, "tile_hr_px": size}
        output.result(told, f"would cut {counted(count, 'pairs')} into tiles of {size} HR px in {job.out}")
        return EXIT_OK
    from realdeg.dataset.tile import tile_dataset

    with Teller("tiles cut") as teller:
        running = replace(job.running(teller), marked=marked)
        report = tile_dataset(dataset, job.out, settings, running=running)
    # What --size was brought down to, a multiple of the scale.
    sides = sorted({size // record.scale * record.scale for record in report.records if record.ok})
    extra = {"tile_hr_px": sides[0]} if sides and sides != [size] else {}
    return finish(report, job, output, extra=extra)
