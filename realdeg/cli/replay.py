"""`realdeg replay`: LR images made again from HR and the manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, finish
from realdeg.errors import EXIT_OK
from realdeg.options import command
from realdeg.output import Output
from realdeg.words import counted


@command(short_help="Make LR again from HR and the manifest, and compare.")
@click.argument("manifest", type=FOLDER)
@click.option(
    "-o", "--out", type=FOLDER, default=None, help="Folder that receives LR/; else none is written."
)
@click.option(
    "--kernel-pool", type=FOLDER, default=None, help="Blur kernels; default kernels.npz of the dataset."
)
@click.option(
    "--noise-pool", type=FOLDER, default=None, help="Noise patches; default noise.npz of the dataset."
)
@click.option("-j", "--workers", type=click.IntRange(0), default=0, help="Processes; 0 = one per core.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Only the first N items.")
def replay(
    output: Output,
    manifest: Path,
    out: Path | None,
    kernel_pool: Path | None,
    noise_pool: Path | None,
    workers: int,
    limit: int | None,
) -> int:
    """Make the LR images of a degraded dataset again: from its HR images and the plans in MANIFEST alone.

    MANIFEST is the dataset's folder or its manifest.csv. Each image is compared with the one in the
    dataset; one that differs by more than rounding is an error. With -o the images are written.

    Examples:
      realdeg replay synthetic
      realdeg replay synthetic -o again --limit 10
    """
    from realdeg.degrade.replay import replay as run

    if output.dry_run:
        from realdeg.records import read_manifest

        folder = manifest.parent if manifest.is_file() else manifest
        count = sum(record.ok for record in read_manifest(folder)[:limit])
        where = f"into {out}" if out else "and write none"
        told = {"dry_run": True, "out": str(out) if out else None, "images": count}
        output.result(told, f"would make {counted(count, 'LR images')} of {folder} again {where}")
        return EXIT_OK
    job = JobOptions(out=out or manifest, workers=workers, limit=limit)
    with Teller("images made again") as teller:
        report = run(
            manifest, out, kernel_pool=kernel_pool, noise_pool=noise_pool, running=job.running(teller)
        )
    equal = sum(bool(record.detail.get("equal")) for record in report.records)
    compared = sum("levels" in record.detail for record in report.records)
    extra = {"equal to the byte": f"{equal} of {compared} compared"}
    return finish(replace(report, resumed=0), job, output, extra=extra, manifests="")
