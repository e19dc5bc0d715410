"""`realdeg export`: lists of pairs for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, Choice
from realdeg.cli.marking import marked_options
from realdeg.options import command
from realdeg.output import Output
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.marked import Marked


@command(short_help="Write lists of pairs for D2C-SR or BasicSR.")
@click.argument("dataset", type=FOLDER)
@click.option(
    "--format",
    "style",
    type=Choice(("d2c-sr", "basicsr")),
    required=True,
    help="d2c-sr: lines `LR_path HR_path`; basicsr: meta files with `name.png (height,width,3)`.",
)
@click.option("-o", "--out", type=FOLDER, required=True, help="A .txt file, or a folder for one per split.")
@click.option("--split", type=Choice(("train", "val", "test")), default=None, help="Only this split.")
@click.option(
    "--root", type=FOLDER, default=None, help="d2c-sr: folder that paths start from; else DATASET itself."
)
@click.option("--absolute", is_flag=True, help="d2c-sr: paths in full.")
@marked_options
def export(
    output: Output,
    dataset: Path,
    style: str,
    out: Path,
    split: str | None,
    root: Path | None,
    absolute: bool,
    marked: Marked,
) -> None:
    """List the pairs of DATASET for another trainer: one file for each split, if it has any.

    Examples:
      realdeg export pairs --format basicsr -o lists
      realdeg export pairs --format d2c-sr --split train -o train.txt
    """
    from realdeg.dataset.export import export_lists

    if root is not None and absolute:
        raise click.UsageError("--root and --absolute exclude each other")
    if style != "d2c-sr" and (root is not None or absolute):
        raise click.UsageError("--root and --absolute are for d2c-sr; BasicSR's lists hold file names alone")
    lists = export_lists(
        dataset,
        out,
        style=style,
        split=split,
        root=root,
        absolute=absolute,
        marked=marked,
        write=not output.dry_run,
    )
    would = "would hold " if output.dry_run else ""
    lines = [f"{path}: {would}{counted(count, 'pairs')}" for path, count in lists.items()]
    told = {str(path): count for path, count in lists.items()}
    output.result(told, *([] if output.quiet else lines))
