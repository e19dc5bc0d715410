"""`realdeg report`: a page that shows what a dataset, and a model trained on it, are like."""

from __future__ import annotations

import json
from pathlib import Path

import click

from realdeg.cli.common import FOLDER, output_options


@click.command(
    context_settings={"show_default": True}, short_help="Write a page that shows a dataset and its model."
)
@click.argument("dataset", type=FOLDER)
@click.option("--run", type=FOLDER, default=None, help="Run folder of `python -m train.d2c`.")
@click.option("-o", "--out", type=FOLDER, default=None, help="Folder of the page; default DATASET/report.")
@click.option("--title", default="", help="Heading; default the dataset's name.")
@click.option("--limit", type=click.IntRange(0), default=60, help="Most pairs with pictures.")
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@output_options
def report(
    dataset: Path,
    run: Path | None,
    out: Path | None,
    title: str,
    limit: int,
    show: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write DATASET/report/index.html: counts, accuracy, rejects with reasons, a page for each pair.

    A pair's page has sliders at full resolution, an error map, the displacements left, and its
    certificate. With --run: training curves and the model's images.

    The folder is complete in itself: it opens from disk, offline, and can be sent to anyone.
    """
    from realdeg.report.page import build_report

    page = build_report(dataset, out, run, title=title, limit=limit)
    if as_json:
        click.echo(json.dumps({"report": str(page)}))
    elif not quiet:
        click.echo(f"{page}: open it in a browser")
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
