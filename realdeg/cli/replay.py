"""`realdeg replay`: LR images made again from HR and the manifest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from realdeg.cli.common import FOLDER, JobOptions, Teller, cores, finish, output_options


@click.command(
    context_settings={"show_default": True}, short_help="Make LR again from HR and the manifest, and compare."
)
@click.argument("manifest", type=FOLDER)
@click.option("-o", "--out", type=FOLDER, default=None, help="Receives LR/; else nothing is written.")
@click.option("--kernel-pool", type=FOLDER, default=None, help="Default kernels.npz of the dataset.")
@click.option("--noise-pool", type=FOLDER, default=None, help="Default noise.npz of the dataset.")
@click.option("-j", "--workers", type=click.IntRange(0), default=0, help="Processes; 0 = one per core.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Only the first N pairs.")
@output_options
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    manifest: Path,
    out: Path | None,
    kernel_pool: Path | None,
    noise_pool: Path | None,
    workers: int,
    limit: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the LR images of a degraded dataset again: from its HR images and the plans in MANIFEST alone.

    MANIFEST is the dataset's folder or its manifest.csv. Each image is compared with the one in the
    dataset; one that differs by more than rounding is an error. With -o the images are written.
    """
    from realdeg.degrade.replay import replay as run

    job = JobOptions(out or manifest, workers or cores(), False, False, as_json, quiet, limit, None, False)
    with Teller("images made again", quiet=quiet or as_json) as teller:
        report = run(
            manifest, out, kernel_pool=kernel_pool, noise_pool=noise_pool, running=job.running(teller)
        )
    equal = sum(bool(record.detail.get("equal")) for record in report.records)
    compared = sum("levels" in record.detail for record in report.records)
    extra = {"equal to the byte": f"{equal} of {compared} compared"}
    finish(ctx, replace(report, resumed=0), job, extra=extra, manifests="")
