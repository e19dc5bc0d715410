"""The report of a dataset, and of a model trained on it: a folder of pages and pictures for any browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.errors import UserError
from realdeg.layout import PAIR_FOLDERS, pair_paths, refuse_inside
from realdeg.marked import ALL, Marked
from realdeg.records import PairRecord, read_manifest
from realdeg.report import degradation, overview, training
from realdeg.report.certificate import read_certificate
from realdeg.report.domain import DomainFigures, domain_section
from realdeg.report.folder import Folder
from realdeg.report.listing import MAX_ROWS, listing
from realdeg.report.measures import Measures, facts, measures
from realdeg.report.pair_page import PairPage, of_pair, of_refused
from realdeg.report.pictures import CROP, Views, pair_views, read_pair
from realdeg.report.plans import Drawn, read_plan
from realdeg.report.refusals import kinds
from realdeg.report.run_folder import Run, read_run
from realdeg.report.template import Templates
from realdeg.settings import RUN_FILE
from realdeg.vouching import unvouched

REJECTED = "rejected"  # folder of a dataset that holds rejected pairs which were kept for study


@dataclass(frozen=True)
class Shown:
    """A pair in the gallery: a picture on each side, what else the right side can show, one line of facts.

    `drawn` is how LR was made, `sample` its crop for a contact sheet, where the pair stands on one.
    """

    key: str
    views: Views
    left: dict[str, str]
    right: dict[str, str]
    facts: str
    page: str = ""
    rights: Sequence[dict[str, Any]] = ()
    drawn: Drawn = field(default_factory=Drawn)
    sample: degradation.Sample | None = None


def build_report(
    dataset: Path,
    out: Path | None = None,
    run: Path | None = None,
    *,
    title: str = "",
    limit: int = 60,
    domain: DomainFigures | None = None,
    marked: Marked = ALL,
    pages: bool = True,
    flicker: str = "",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write the report of a dataset.

    index.html is written after all that it refers to; no page holds a date, so the same input gives the
    same bytes. One pair is in memory at a time.

    Args:
        dataset: folder with manifest.csv.
        out: folder of the report; default `dataset/report`.
        run: run folder of `python -m train.d2c`; adds curves, the evaluation table and comparisons.
        title: heading; default the dataset's name.
        limit: at most so many pairs get pictures and a page of their own, spread over the dataset.
        domain: how far LR is from real photos, where that was measured.
        marked: pairs to show; the counts are of them alone.
        pages: whether pairs get pages of their own.
        flicker: suffix of an animation for each pair with pictures, a key of `realdeg.report.flicker.KINDS`;
            "": none.
        on_progress: called with the number of pairs whose pictures are written, and of all that get some.

    Returns:
        Path of index.html.

    Pairs whose files are missing, damaged, or not what the manifest vouches for are shown as failed.

    Raises:
        UserError: no dataset, no run folder, `marked` names other pairs, or `out` cannot be written.
    """
    records = list(marked.chosen(read_manifest(dataset), key=lambda record: record.key))
    wrong = unvouched(dataset, records)
    figures = measures(records)
    name = title or dataset.resolve().name
    if out is not None:
        refuse_inside(out, *(dataset / part for part in PAIR_FOLDERS))
    folder = Folder(out or dataset / "report")
    trained = read_run(run) if run else None
    # Of files that are not what the manifest says nothing is shown, but that it is so.
    lost = {record.key: _lost(record, wrong[record.key]) for record in records if record.key in wrong}
    kept = [(r, m) for r, m in zip(records, figures, strict=True) if r.ok and r.key not in lost]

    gallery, own = _pairs(
        dataset, folder, _spread(kept, limit), lost, pages=pages, flicker=flicker, on_progress=on_progress
    )
    refused = [record for record in records if not record.ok]
    own += _refused_pages(dataset, folder, records, limit) if pages else []
    compared = (
        _compared(dataset, folder, trained, [record for record, _ in kept], lost, flicker) if trained else []
    )
    where = {one.record.key: one.page for one in own}
    names, rows = listing([lost.get(r.key, r) if r.ok else r for r in records], figures, where)

    templates = Templates(name, dataset.resolve().name)
    templates.write_assets(folder)
    for i, one in enumerate(own):
        beside = {
            "before": own[i - 1] if i else None,
            "after": own[i + 1] if i + 1 < len(own) else None,
        }
        folder.text(one.page, templates.render("pair.html.j2", root="../", one=one, **beside))
    html = templates.render(
        "index.html.j2",
        root="",
        lead=overview.lead(records),
        cards=overview.cards(records, [m for _, m in kept], training.gain(trained) if trained else None),
        figures=overview.figures([record for record, _ in kept], [m for _, m in kept], where),
        made=degradation.section(dataset, records, {s.key: s for one in gallery if (s := one.sample)}),
        domain=domain_section(domain, folder) if domain else None,
        run=training.section(trained) if trained else None,
        compared=compared,
        kinds=kinds([*lost.values(), *refused], folder),
        columns=names,
        rows=rows,
        more_rows=max(0, len(records) - MAX_ROWS),
        damaged=_damaged(dataset, records),
        pages=where,
        gallery=gallery,
        more_pairs=len(kept) - len(gallery) - len(lost),
        crop=CROP,
        settings=_settings(dataset, run),
    )
    index = folder.text("index.html", html)
    folder.remove_stale()
    return index


def _spread(items: Sequence[Any], limit: int) -> list[Any]:
    if len(items) <= limit:
        return list(items)
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, limit).round().astype(int))]


def _pairs(
    dataset: Path,
    folder: Folder,
    kept: list[tuple[PairRecord, Measures]],
    lost: dict[str, PairRecord],
    *,
    pages: bool,
    flicker: str,
    on_progress: Callable[[int, int], None],
) -> tuple[list[Shown], list[PairPage]]:
    """Pictures of each pair; those that cannot be read are noted in `lost`."""
    gallery, own = [], []
    sampled = degradation.sampled([record for record, _ in kept])
    for done, (record, m) in enumerate(kept):
        on_progress(done, len(kept))
        try:
            lr, hr = read_pair(dataset / record.lr, dataset / record.hr, record.scale)
        except UserError as error:
            lost[record.key] = _lost(record, error)
            continue
        views = pair_views(lr, hr, record.scale, folder, record.key, None, flicker=flicker)
        page = of_pair(record, lr, hr, dataset, folder, m) if pages else None
        left = {"file": views.lr, "name": "LR, bicubic", "pixels": views.pixels}
        right = {"file": views.hr, "name": "HR"}
        drawn = read_plan(record)
        link = page.page if page else ""
        sample = degradation.sample(record, lr, link, folder) if record.key in sampled else None
        line = facts(record, m, told=bool(drawn))
        gallery.append(Shown(record.key, views, left, right, line, link, drawn=drawn, sample=sample))
        own += [page] if page else []
    on_progress(len(kept), len(kept))
    return gallery, own


def _refused_pages(dataset: Path, folder: Folder, records: list[PairRecord], limit: int) -> list[PairPage]:
    """Pages of refused pairs of which files were kept for study, or at least a certificate."""
    taken = {record.key for record in records if record.ok}
    refused = {record.key: record for record in records if not record.ok and record.key not in taken}
    pages = []
    for record in _spread(list(refused.values()), limit):
        images = None
        paths = [dataset / REJECTED / path for path in pair_paths(record.key)]
        if record.scale and all(path.is_file() for path in paths):
            with contextlib.suppress(UserError):  # what cannot be read is shown by its certificate alone
                images = read_pair(paths[0], paths[1], record.scale)
        if images:
            page: PairPage | None = of_pair(record, *images, dataset, folder, measures([record])[0])
        else:
            page = of_refused(record, dataset, folder)
        pages += [page] if page else []
    return pages


def _compared(
    dataset: Path,
    folder: Folder,
    run: Run,
    kept: list[PairRecord],
    lost: dict[str, PairRecord],
    flicker: str,
) -> list[Shown]:
    """Pairs that were evaluated: bicubic, model and HR."""
    shown = []
    for record, entry in training.to_compare(run, kept):
        try:
            lr, hr = read_pair(dataset / record.lr, dataset / record.hr, record.scale)
            sr = run.sr_path(record.key)
            views = pair_views(lr, hr, record.scale, folder, f"{record.key} SR", sr, flicker=flicker)
        except UserError as error:
            if str(folder.out) in error.subject:
                raise
            lost.setdefault(record.key, _lost(record, error))
            continue
        if not views.sr:
            continue
        bicubic, model = entry.figures.get("psnr_y_bicubic", 0), entry.figures.get("psnr_y", 0)
        rights = [
            {"file": views.sr, "name": "model", "shown": True},
            {"file": views.hr, "name": "HR", "shown": False},
        ]
        line = f"bicubic {bicubic:.2f} dB, model {model:.2f} dB ({entry.gain:+.2f} dB)"
        left = {"file": views.lr, "name": "bicubic", "pixels": views.pixels}
        shown.append(Shown(record.key, views, left, {"file": views.sr, "name": "model"}, line, rights=rights))
    return shown


def _lost(record: PairRecord, error: UserError) -> PairRecord:
    return PairRecord(record.key, "failed", str(error))


def _damaged(dataset: Path, records: list[PairRecord]) -> list[str]:
    """Certificates that are there and cannot be used, of all records that may have one."""
    made = (read_certificate(dataset, r.key).damage for r in records if r.how in ("", "registration"))
    return [damage for damage in made if damage]


def _settings(dataset: Path, run: Path | None) -> list[tuple[str, str]]:
    found = []
    for name, folder in (("dataset", dataset), ("training", run)):
        if folder and (folder / RUN_FILE).is_file():
            text = (folder / RUN_FILE).read_text(encoding="utf-8", errors="replace")
            found.append((f"{name}: {RUN_FILE}", text))
    return found
