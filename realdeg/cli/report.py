"""`realdeg report`: a page that shows what a dataset, and a model trained on it, are like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from realdeg.cli.common import FOLDER, output_options
from realdeg.errors import EXIT_SOME_FAILED, EXIT_USAGE, UserError

if TYPE_CHECKING:
    from realdeg.report.domain import DomainFigures


@click.command(
    context_settings={"show_default": True}, short_help="Write a page that shows a dataset, or a pool."
)
@click.argument("dataset", type=FOLDER)
@click.option("--run", type=FOLDER, default=None, help="Run folder of `python -m train.d2c`.")
@click.option(
    "--real", type=FOLDER, default=None, help="Real photos: say how far LR is from them (realdeg compare)."
)
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    default=None,
    help="Folder of the page; default DATASET/report, of a pool NAME.report beside it.",
)
@click.option("--title", default="", help="Heading; default the dataset's name.")
@click.option("--limit", type=click.IntRange(0), default=60, help="Most pairs with pictures.")
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@output_options
def report(
    dataset: Path,
    run: Path | None,
    real: Path | None,
    out: Path | None,
    title: str,
    limit: int,
    show: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write DATASET/report/index.html: counts, accuracy, rejects with reasons, a page for each pair.

    A pair's page has sliders at full resolution, an error map, the displacements left, and its
    certificate. With --run: training curves and the model's images. With --real: the distance of LR from
    photos of the camera that it is to look like.

    DATASET may be a pool of kernels or noise (.npz, .npy, .mat or a folder): contact sheet, sizes and
    directions of the kernels; spectra, correlation and levels of the noise.

    The folder is complete in itself: it opens from disk, offline, and can be sent to anyone.
    """
    from realdeg.report.pool_kind import is_pool

    lost = 0
    if is_pool(dataset):
        from realdeg.report.pool_report import build_pool_report

        if run or real:
            problem = "is a pool, of which there is no training and no LR"
            raise UserError(
                dataset, problem, "leave --run and --real away, or give a dataset", exit_code=EXIT_USAGE
            )
        page = build_pool_report(dataset, out, title=title)
    else:
        from realdeg.records import read_manifest
        from realdeg.report.page import build_report
        from realdeg.vouching import unvouched

        domain, lost = _domain(dataset, real) if real else (None, 0)
        page = build_report(dataset, out, run, title=title, limit=limit, domain=domain)
        for wrong in unvouched(dataset, read_manifest(dataset)).values():
            click.echo(str(wrong), err=True)
            lost += 1
    if as_json:
        click.echo(json.dumps({"report": str(page)}))
    elif not quiet:
        click.echo(f"{page}: open it in a browser")
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    if lost:
        raise SystemExit(EXIT_SOME_FAILED)


def _domain(dataset: Path, real: Path) -> tuple[DomainFigures, int]:
    """Distance of LR from photos, as values for the page; and how many images could not be used."""
    import numpy as np

    from realdeg.cli.compare import MOST, PARTS, distance, statistics
    from realdeg.metrics.domain import WEIGHTS
    from realdeg.metrics.photo_statistics import FREQUENCIES, GRADIENTS, LEVELS
    from realdeg.report.domain import PHOTOS, SET, DomainFigures

    def tell(text: str) -> None:
        click.echo(" ".join(text.split()), err=True)

    (photos, lost), (images, bad) = (statistics(folder, MOST, tell) for folder in (real, dataset))
    found = distance(real, photos, dataset, images)
    both = {SET: found.made, PHOTOS: found.real}
    levels = (np.array(LEVELS[:-1]) + LEVELS[1:]) / 2
    figures = DomainFigures(
        found.distance,
        {name: getattr(found, name) for name in PARTS},
        WEIGHTS,
        found.p_value,
        found.images,
        found.photos,
        real.resolve().name,
        {
            name: list(zip(FREQUENCIES.tolist(), (10 * np.log10(2) * one.spectrum).tolist(), strict=True))
            for name, one in both.items()
        },
        {
            name: list(zip(levels.tolist(), np.exp2(one.noise[0]).tolist(), strict=True))
            for name, one in both.items()
        },
        list(zip(GRADIENTS, found.made.gradients.tolist(), found.real.gradients.tolist(), strict=True)),
    )
    return figures, lost + bad
