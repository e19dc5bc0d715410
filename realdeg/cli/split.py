"""`realdeg split`: keep scenes apart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER
from realdeg.cli.marking import marked_options
from realdeg.dataset.settings import SplitSettings
from realdeg.options import command, in_flags, settings_options
from realdeg.output import Output
from realdeg.terminal import write_line

if TYPE_CHECKING:
    from realdeg.marked import Marked


@command(short_help="Assign scenes to train, val and test.")
@click.argument("dataset", type=FOLDER)
@settings_options(SplitSettings)
@marked_options
def split(output: Output, dataset: Path, settings: SplitSettings, marked: Marked) -> None:
    """Assign the pairs of DATASET to train, val and test; all pairs of a scene go the same way.

    With --only or --except the other pairs belong to no split: they are neither trained nor tested on.

    The split is written into DATASET/manifest.csv.

    Examples:
      realdeg split pairs --test 15
      realdeg split pairs --test 10% --val 5% --group '(.*)_x.*'
    """
    from collections import Counter

    from realdeg.dataset.split import split_dataset, split_scenes
    from realdeg.records import read_manifest

    def say(text: str) -> None:
        write_line(sys.stderr, in_flags(text))

    if output.dry_run:
        records = split_scenes(read_manifest(dataset), settings, marked=marked)
        counts: dict[str, int] = Counter(record.split for record in records if record.split)
    else:
        counts = split_dataset(dataset, settings, marked=marked, say=say)
        records = read_manifest(dataset) if output.verbose else []
    for record in records if output.verbose else []:
        output.more(f"{record.key}: {record.split or record.status}")
    names = [f"{counts[name]} {name}" for name in ("train", "val", "test") if counts.get(name)]
    told = {"dataset": str(dataset), **({"dry_run": True} if output.dry_run else {}), **counts}
    would = "would be " if output.dry_run else ""
    output.result(told, *([] if output.quiet else [f"{dataset}: {would}{', '.join(names) or 'no pairs'}"]))
