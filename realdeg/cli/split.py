"""`realdeg split`: keep scenes apart."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from realdeg.cli.common import FOLDER, output_options


@click.command(context_settings={"show_default": True}, short_help="Assign scenes to train, val and test.")
@click.argument("dataset", type=FOLDER)
@click.option("--test", default="10%", metavar="SCENES", help="Test scenes: a number, or 15%, or 0.15.")
@click.option("--val", default="0", metavar="SCENES", help="Validation scenes, likewise.")
@click.option("--seed", type=int, default=0, help="Another seed chooses other scenes.")
@click.option("--group", default=None, help="Regular expression; its first group in a key names the scene.")
@output_options
def split(
    dataset: Path,
    test: str,
    val: str,
    seed: int,
    group: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Assign the pairs of DATASET to train, val and test; all pairs of a scene go the same way."""
    from realdeg.dataset.split import split_dataset

    counts = split_dataset(
        dataset, test=test, val=val, seed=seed, group=group, say=partial(click.echo, err=True)
    )
    if as_json:
        click.echo(json.dumps({"dataset": str(dataset), **counts}))
    elif not quiet:
        names = [f"{counts[name]} {name}" for name in ("train", "val", "test") if name in counts]
        click.echo(f"{dataset}: {', '.join(names) or 'no pairs'}")
