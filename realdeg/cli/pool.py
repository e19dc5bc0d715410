"""`realdeg pool`: look at a pool of kernels or noise, check it, write it in another form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from realdeg.cli.common import FOLDER
from realdeg.options import command, settings_options
from realdeg.output import Output
from realdeg.pools.settings import PoolSettings
from realdeg.terminal import write_line

SHOWN = 20  # entries that are listed


@command(short_help="Check a pool of kernels or noise; write it anew.")
@click.argument("path", type=FOLDER)
@settings_options(PoolSettings)
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    default=None,
    help="Write it: .npz with names and origin; kernels also .mat, or a folder as KernelGAN's.",
)
def pool(output: Output, path: Path, settings: PoolSettings, out: Path | None) -> None:
    """Check the pool in PATH (a file or folder), and say what it holds.

    With -o it is written anew. With --noisy-suffix and --clean-suffix the noise is the difference of two
    photos: a noisy one, and the mean of many shots.

    Examples:
      realdeg pool kernels.npz --kind kernel
      realdeg pool noise --kind noise -o noise.npz
    """
    from realdeg.layout import refuse_inside, refuse_replacing
    from realdeg.noise.structure import doubt
    from realdeg.pools.kernel_pool import KernelPool
    from realdeg.pools.noise_pool import NoisePool

    s = settings
    if out is not None:
        refuse_replacing([out], [path])
        if path.is_dir():
            refuse_inside(out, path)
    rows: list[dict[str, Any]] = []
    if s.kind == "kernel":
        kernels = KernelPool.read(path, s.scale)
        rows = [kernels.facts(index) for index in range(len(kernels.names))]
        digest = kernels.digest
        if out and not output.dry_run:
            kernels.save(out, s.scale)
    else:
        ends = s.noisy_suffix, s.clean_suffix
        noises = NoisePool.of_pairs(path, *ends) if s.of_pairs else NoisePool.read(path)
        rows = [noises.facts(index) for index in range(len(noises.names))]
        digest = noises.digest
        if line := doubt(noises, path):
            write_line(sys.stderr, line)
        if out and not output.dry_run:
            noises.save(out)
    what = "kernels" if s.kind == "kernel" else "noise patches"
    shown = len(rows) if output.verbose else SHOWN
    lines = [f"{path}: {len(rows)} {what}, {digest}"]
    for row in rows[:shown]:
        told = ", ".join(f"{name} {value}" for name, value in row.items() if name != "name")
        lines.append(f"  {row['name']}: {told}")
    if len(rows) > shown:
        lines.append(f"  and {len(rows) - shown} more")
    if out:
        lines.append(f"would be written to {out}" if output.dry_run else f"written to {out}")
    result = {"pool": str(path), "sha": digest, "entries": rows}
    output.result(result, *([] if output.quiet else lines))
