"""The page of one pair: full resolution, error map, displacements, tone curves, all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from realdeg.arraytypes import Image
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.io.photo import read
from realdeg.records import PairRecord
from realdeg.report.certificate import Certificate, read_certificate
from realdeg.report.facts import Group, columns, groups, photos
from realdeg.report.folder import Folder, page_name
from realdeg.report.layers import BACKDROP_SIDE, FULL_QUALITY, Layers, full_layers
from realdeg.report.measures import Measures, facts
from realdeg.report.pictures import shrunk
from realdeg.report.plans import StepRow, read_plan, rows
from realdeg.report.quiver import Quiver, quiver
from realdeg.report.tone import BeforeAfter, Cluster, before_after, chart, clusters


@dataclass(frozen=True)
class PairPage:
    """All that the template of a pair's page shows.

    Attributes:
        page: its path relative to the folder.
        line: one line of figures.
        layers: its pictures, None for a refused pair without files.
        backdrop: LR as the displacements are drawn on it, or "".
        quiver: displacements, or None where none were recorded.
        tone: chart of the tone curves (SVG), or "".
        clusters: how far HR and LR were and are apart, by colour.
        steps: how LR was made, step by step.
        columns: cells of the pair's row in the manifest.
        damage: why the pair's certificate could not be used, or "".
        plan_damage: why what was drawn for it could not, or "".
        before_after: pictures of the correction of colours, where one was applied.
    """

    record: PairRecord
    page: str
    line: str
    layers: Layers | None
    backdrop: str
    quiver: Quiver | None
    tone: str
    clusters: list[Cluster]
    groups: list[Group]
    photos: list[tuple[str, str, str]]
    columns: list[tuple[str, str]]
    damage: str
    steps: list[StepRow] = field(default_factory=list)
    plan_damage: str = ""
    before_after: BeforeAfter | None = None


def of_pair(
    record: PairRecord, lr: Image, hr: Image, dataset: Path, folder: Folder, figures: Measures
) -> PairPage:
    """The page of a pair of files, whose pictures are written.

    Args:
        record: row of the manifest.
        lr: LR image, uint8 or uint16.
        hr: HR image of `record.scale` times its size.
        dataset: folder with the certificates.
        folder: the report's.
        figures: of this pair.

    Raises:
        UserError: the output cannot be written.
    """
    certificate = read_certificate(dataset, record.key)
    layers = full_layers(lr, hr, record.scale, folder, record.key)
    size_hw = lr.shape[0], lr.shape[1]
    drawn = read_plan(record)
    line = facts(record, figures, told=bool(drawn))
    page = _page(record, certificate, layers, layers.backdrop, size_hw, line)
    steps, damage = rows(drawn, (hr.shape[0], hr.shape[1]))
    shown = before_after(certificate, lr, hr, dataset, folder, record.key)
    return replace(page, steps=steps, plan_damage=damage, before_after=shown)


def of_refused(record: PairRecord, dataset: Path, folder: Folder) -> PairPage | None:
    """The page of a refused pair: what its certificate knows, drawn over its LR photo; None without one.

    Raises:
        UserError: the output cannot be written.
    """
    certificate = read_certificate(dataset, record.key)
    if not certificate:
        return None
    backdrop, size_hw = "", (0, 0)
    if certificate.arrows("tiles") or certificate.arrows("blind"):
        try:
            lr = _cut(read(Path(record.source_lr)).pixels, certificate.numbers("lr_crop"))
        except UserError:
            lr = None
        if lr is not None:
            size_hw = lr.shape[0], lr.shape[1]
            small = np.ascontiguousarray(to_8bit(shrunk(lr, BACKDROP_SIDE)))
            backdrop = folder.picture(small, f"backdrop {record.key}", FULL_QUALITY)
    return _page(record, certificate, None, backdrop, size_hw, "")


def _page(
    record: PairRecord,
    c: Certificate,
    layers: Layers | None,
    backdrop: str,
    size_hw: tuple[int, int],
    line: str,
) -> PairPage:
    drawn = quiver(c.arrows("tiles"), c.arrows("blind"), size_hw) if backdrop else None
    return PairPage(
        record,
        page_name(record.key),
        line,
        layers,
        backdrop,
        drawn,
        chart(c),
        clusters(c),
        groups(c, record),
        photos(c),
        columns(record),
        c.damage,
    )


def _cut(pixels: Image, box: list[float]) -> Image | None:
    """The LR crop of the certificate, or the whole photo where it has none; None where it lies outside."""
    if len(box) != 4:
        return pixels
    x, y, w, h = (int(value) for value in box)
    height, width = pixels.shape[:2]
    inside = min(x, y) >= 0 and min(w, h) > 0 and x + w <= width and y + h <= height
    return pixels[y : y + h, x : x + w] if inside else None
