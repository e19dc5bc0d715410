"""`realdeg report`: a page that shows what a dataset, and a model trained on it, are like."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from realdeg.cli.common import FOLDER, Choice, Teller
from realdeg.cli.marking import marked_options
from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.options import command, in_flags
from realdeg.output import Output
from realdeg.terminal import write_line
from realdeg.words import counted

if TYPE_CHECKING:
    from realdeg.marked import Marked
    from realdeg.metrics.photo_statistics import PhotoStatistics
    from realdeg.report.domain import DomainFigures, Strange

T = TypeVar("T")
SUFFIXES = {"apng": ".png", "webp": ".webp", "gif": ".gif"}
MOST_SHOWN = 12  # LR images that are shown beside photos


@command(short_help="Write a page that shows a dataset, a camera, or a pool.")
@click.argument("dataset", type=FOLDER)
@click.option("--run", type=FOLDER, default=None, help="Run folder of `realdeg train d2c`.")
@click.option(
    "--real", type=FOLDER, default=None, help="Real photos: say how far LR is from them (realdeg compare)."
)
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    default=None,
    help="Folder of the page, or with --single-file the file; default DATASET/report, of a pool NAME.report "
    "beside it.",
)
@click.option("--title", default="", help="Heading; default the dataset's name.")
@click.option("--limit", type=click.IntRange(0), default=60, help="Most pairs with pictures.")
@click.option(
    "--single-file",
    "single",
    is_flag=True,
    help="One HTML file with all pictures inside, to send; without the pages of single pairs.",
)
@click.option(
    "--flicker",
    type=Choice(("apng", "webp", "gif")),
    default=None,
    help="Also an animation of each pair, LR and HR (or bicubic and the model) in turns.",
)
@marked_options
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
def report(
    output: Output,
    dataset: Path,
    run: Path | None,
    real: Path | None,
    out: Path | None,
    title: str,
    limit: int,
    single: bool,
    flicker: str | None,
    marked: Marked,
    show: bool,
) -> int:
    """Write DATASET/report/index.html: counts, accuracy, rejects with reasons, a page for each pair.

    A pair's page has sliders at full resolution, an error map, the displacements left, and its
    certificate. With --run: training curves and the model's images. With --real: the distance of LR from
    photos of the camera that it is to look like.

    DATASET may be a pool of kernels or noise (.npz, .npy, .mat or a folder): contact sheet, sizes and
    directions of the kernels; spectra, correlation and levels of the noise.

    DATASET may be a camera's folder of `realdeg calibrate`: its kernels, noise and tone as measured, and
    example pairs; with --single-file also a page that was made already, of an evaluation or a study.

    The folder is complete in itself: it opens from disk, offline, and can be sent to anyone. Pairs are marked
    on the pages; the list that they write is what --only and --except of other commands take.

    Examples:
      realdeg report pairs
      realdeg report pairs --run run --real photos -o page
      realdeg report kernels.npz
      realdeg report camera
      realdeg report pairs --only marked.csv --single-file -o for_you.html
    """
    kind = _kind(dataset, single=single)
    if kind != "dataset":
        _refuse_others(dataset, kind, run=run, real=real, flicker=flicker, marked=marked)
    if single and out is not None and out.suffix.lower() != ".html":
        raise UserError(out, "is to be one file, and does not end in .html", exit_code=EXIT_USAGE)
    if output.dry_run:
        _plan(output, dataset, out, limit, kind, single=single, marked=marked)
        return EXIT_OK
    lost = 0
    told: dict[str, object] = {}
    with contextlib.ExitStack() as stack:
        place = out
        if single:
            import tempfile

            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="realdeg-"))) / "page"
        if kind == "page":
            page = dataset / "index.html"
        elif kind == "camera":
            from realdeg.report.calibration import build_calibration_report

            page = build_calibration_report(dataset, place, title=title)
        elif kind == "pool":
            from realdeg.report.pool_report import build_pool_report

            page = build_pool_report(dataset, place, title=title)
        else:
            from realdeg.records import read_manifest
            from realdeg.report.page import build_report
            from realdeg.vouching import unvouched

            domain, lost = _domain(dataset, real) if real else (None, 0)
            with Teller("pairs drawn") as teller:
                page = build_report(
                    dataset, place, run, title=title, limit=limit, domain=domain, marked=marked,
                    pages=not single, flicker=SUFFIXES[flicker] if flicker else "",
                    on_progress=_telling(teller),
                )  # fmt: skip
            for wrong in unvouched(dataset, read_manifest(dataset)).values():
                write_line(sys.stderr, in_flags(str(wrong)))
                lost += 1
        line = f"{page}: open it in a browser"
        if single:
            from realdeg.report.single import write_single

            target = out or _single_file(dataset, kind)
            size = write_single(page, target)
            page, told = target, {"bytes": size}
            line = f"{page}: {size / 1e6:.1f} MB in one file, open it in a browser"
    output.result({"report": str(page), **told}, *([] if output.quiet else [line]))
    if show:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    return EXIT_SOME_FAILED if lost else EXIT_OK


def _kind(path: Path, *, single: bool) -> str:
    """What a path is: "camera", "page" (one that was made already), "pool" or "dataset"."""
    from realdeg.report.calibration import is_camera
    from realdeg.report.pool_kind import is_pool
    from realdeg.report.single import is_page

    if is_camera(path):
        return "camera"
    if is_page(path) and not (path / "manifest.csv").is_file():
        if not single:
            remedy = "open its index.html, or make one file of it by --single-file"
            raise UserError(path, "is a page that was made already", remedy, exit_code=EXIT_USAGE)
        return "page"
    return "pool" if is_pool(path) else "dataset"


def _refuse_others(
    path: Path, kind: str, *, run: object, real: object, flicker: object, marked: Marked
) -> None:
    """Refuse what only a dataset has.

    Raises:
        UserError: an option that says nothing here was given.
    """
    given = {
        "--run": run,
        "--real": real,
        "--flicker": flicker,
        "--only and --except": marked.source != Path(),
    }
    wrong = [name for name, value in given.items() if value]
    if wrong:
        of = {"pool": "a pool, of which there is no training and no LR", "camera": "a camera's folder"}
        problem = f"is {of.get(kind, 'a page that was made already')}"
        remedy = f"leave {' and '.join(wrong)} away, or give a dataset"
        raise UserError(path, problem, remedy, exit_code=EXIT_USAGE)


def _single_file(path: Path, kind: str) -> Path:
    """Where one file goes that nobody has named."""
    if kind == "pool":
        return path.with_name(f"{path.stem}.report.html")
    return path / "report.html"


def _telling(teller: Teller) -> Callable[[int, int], None]:
    """Progress of the pages as a job's progress is told."""
    from realdeg.jobs import Progress

    started = time.monotonic()

    def tell(done: int, total: int) -> None:
        teller(Progress(done, total, 0, 0, time.monotonic() - started, None))

    return tell


def _plan(
    output: Output, path: Path, out: Path | None, limit: int, kind: str, *, single: bool, marked: Marked
) -> None:
    """Which page would be written, of how many pairs."""
    told: dict[str, object] = {"dry_run": True, "dataset": str(path)}
    page = out or (_single_file(path, kind) if single else path / "report")
    if kind == "pool":
        page = out or (page if single else path.with_name(f"{path.stem}.report"))
    if kind != "dataset":
        names = {"pool": "the pool", "camera": "the camera", "page": "what was made in"}
        output.result({**told, "out": str(page)}, f"would write a page of {names[kind]} {path} into {page}")
        return
    from realdeg.records import read_manifest

    rows = read_manifest(path)
    pairs = sum(row.ok for row in marked.chosen(rows, key=lambda row: row.key))
    shown = min(pairs, limit)
    line = f"would write a page of {counted(pairs, 'pairs')}, {shown} with pictures, into {page}"
    output.result({**told, "out": str(page), "pairs": pairs, "pictures": shown}, line)


def _domain(dataset: Path, real: Path) -> tuple[DomainFigures, int]:
    """Distance of LR from photos, as values for the page; and how many images could not be used."""
    import numpy as np

    from realdeg.cli.compare import MOST, PARTS, distance, statistics
    from realdeg.metrics.domain import WEIGHTS, doubts
    from realdeg.metrics.photo_statistics import FREQUENCIES, GRADIENTS, LEVELS
    from realdeg.report.domain import PHOTOS, SET, DomainFigures

    def tell(text: str) -> None:
        write_line(sys.stderr, " ".join(in_flags(text).split()))

    of_photos: list[tuple[Path, PhotoStatistics]] = []
    of_images: list[tuple[Path, PhotoStatistics]] = []
    photos, lost = statistics(real, MOST, tell, see=lambda *seen: of_photos.append(seen))
    images, bad = statistics(dataset, MOST, tell, see=lambda *seen: of_images.append(seen))
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
        _strange(dataset, of_images, photos),
        [path for path, _ in _spread(of_photos)],
        doubts(photos, {str(dataset): images}, str(real)),
    )
    return figures, lost + bad


def _strange(
    dataset: Path, images: Sequence[tuple[Path, PhotoStatistics]], photos: Sequence[PhotoStatistics]
) -> list[Strange]:
    """Images from the one whose spectrum is farthest from the photos' to the nearest, spread over all."""
    import numpy as np

    from realdeg.records import read_manifest
    from realdeg.report.domain import Strange

    keys = {dataset / record.lr: record.key for record in read_manifest(dataset) if record.ok}
    spectra = np.array([photo.spectrum for photo in photos])
    mean, spread = spectra.mean(0), np.maximum(spectra.std(0), 1e-6)
    off = [float(np.sqrt(np.square((one.spectrum - mean) / spread).mean())) for _, one in images]
    ranked = sorted(range(len(images)), key=lambda i: -off[i])
    return [Strange(keys[images[i][0]], images[i][0], round(off[i], 4)) for i in _spread(ranked)]


def _spread(items: Sequence[T]) -> list[T]:
    """At most `MOST_SHOWN` of them, from the first to the last."""
    count = min(MOST_SHOWN, len(items))
    return [items[i * (len(items) - 1) // max(1, count - 1)] for i in range(count)]
