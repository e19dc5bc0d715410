"""`realdeg export`: lists of pairs for other trainers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER
from realdeg.cli.marking import marked_options
from realdeg.dataset.settings import ExportSettings
from realdeg.options import Option, command, settings_options
from realdeg.output import Output
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.marked import Marked


@command(short_help="Write lists of pairs for D2C-SR or BasicSR.")
@click.argument("dataset", type=FOLDER)
@settings_options(ExportSettings, style={"flag": "--format"}, absolute={"flag": "--absolute"})
@click.option(
    "-o", "--out", type=FOLDER, required=True, cls=Option, help="A .txt file, or a folder for one per split."
)
@marked_options
def export(output: Output, dataset: Path, settings: ExportSettings, out: Path, marked: Marked) -> None:
    """List the pairs of DATASET for another trainer: one file for each split, if it has any.

    Examples:
      realdeg export pairs --format basicsr -o lists
      realdeg export pairs --format d2c-sr --split train -o train.txt
    """
    from realdeg.dataset.export import export_lists

    if settings.root is not None and settings.absolute:
        raise click.UsageError("--root and --absolute exclude each other")
    if settings.style != "d2c-sr" and (settings.root is not None or settings.absolute):
        raise click.UsageError("--root and --absolute are for d2c-sr; BasicSR's lists hold file names alone")
    lists = export_lists(dataset, out, settings, marked=marked, write=not output.dry_run)
    would = "would hold " if output.dry_run else ""
    lines = [f"{path}: {would}{counted(count, 'pairs')}" for path, count in lists.items()]
    told = {str(path): count for path, count in lists.items()}
    output.result(told, *([] if output.quiet else lines))
