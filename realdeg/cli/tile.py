"""`realdeg tile`: cut the pairs of a dataset into tiles."""

from __future__ import annotations

from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish, job_options


@click.command(context_settings={"show_default": True}, short_help="Cut pairs into tiles on one grid.")
@click.argument("dataset", type=FOLDER)
@click.option("--size", type=click.IntRange(8), default=480, help="Side of a tile, HR px.")
@click.option("--overlap", type=click.IntRange(0), default=0, help="HR px that neighbours share.")
@click.option(
    "--min-valid",
    type=click.FloatRange(0, 1),
    default=0.95,
    help="Leave out tiles of which a smaller share is valid, by the masks of `realdeg align --mask`.",
)
@job_options
@click.pass_context
def tile(
    ctx: click.Context, /, job: JobOptions, dataset: Path, size: int, overlap: int, min_valid: float
) -> None:
    """Cut the pairs of DATASET into tiles, LR and HR on one grid; scenes and splits are kept.

    For trainers that decode whole images. `python -m train.d2c` does not need it.
    """
    if job.dry_run:
        from realdeg.records import read_manifest

        count = sum(record.ok for record in read_manifest(dataset))
        click.echo(f"would cut {count} pairs into tiles of {size} HR px in {job.out}")
        return
    from realdeg.dataset.tile import tile_dataset

    with Teller("tiles cut", quiet=job.quiet or job.as_json) as teller:
        report = tile_dataset(
            dataset,
            job.out,
            size=size,
            overlap=overlap,
            min_valid=min_valid,
            running=job.running(teller),
        )
    # What --size was brought down to, a multiple of the scale.
    sides = sorted({size // record.scale * record.scale for record in report.records if record.ok})
    extra = {"tile_hr_px": sides[0]} if sides and sides != [size] else {}
    finish(ctx, report, job, extra=extra)
