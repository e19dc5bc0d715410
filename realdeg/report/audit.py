"""The page of an audit: what the set has in common, the worst pairs in pictures, what is there twice."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from realdeg.arraytypes import Array, Image
from realdeg.check import geometry
from realdeg.check.audit import Audit, Twin
from realdeg.check.audit import Row as Judged
from realdeg.check.prints import small_grey
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.report.charts import bars, histogram
from realdeg.report.deck import DeckPair, Plate
from realdeg.report.evaluation import heat
from realdeg.report.folder import Folder
from realdeg.report.listing import MAX_ROWS, Cell, Row
from realdeg.report.overview import Figure
from realdeg.report.pictures import read_pair
from realdeg.report.template import Templates

MOST = 24  # pairs with pictures
GOOD = 4  # of them that are kept, to compare with
TWINS = 12
QUALITY = 95
SHOWN = 384  # px a side of a picture, about
FULL = 32  # 8-bit levels of difference that are drawn in the hottest colour
LONGEST = 0.8  # of the arrows, in spacings
LEAST = 0.1  # LR px, that the longest arrow stands for at least: noise is not drawn large
COLUMNS = {
    "severity": "",
    "residual, LR px": "residual_lr_px",
    "shift x, LR px": "shift_x_lr_px",
    "shift y, LR px": "shift_y_lr_px",
    "grid": "grid",
    "colours, levels": "colour_rms",
    "moved on its own": "beside",
    "detail": "detail",
    "JPEG blocks, levels": "hr_block_levels",
}
LEGEND = (
    "LR, HR reduced to LR's grid, their difference (luma, blue to red: 0 to {full} levels), and where HR's "
    "content lies against LR's: arrows are enlarged, by how much stands with each pair. HR at its own pixels "
    "is the part around the middle."
)


def build_audit_report(audit: Audit, out: Path, *, source: str, title: str = "") -> Path:
    """Write a page about an audit.

    Args:
        audit: of `realdeg.check`.
        out: folder of index.html.
        source: name of the set.
        title: heading.

    Returns:
        Path of index.html.

    Raises:
        UserError: the folder cannot be written. Pairs whose files are gone have no pictures.
    """
    folder = Folder(out)
    templates = Templates(title or f"Audit of {source}", source)
    templates.write_assets(folder)
    pairs = [one for row in _chosen(audit) if (one := _pair(row, folder))]
    twins = [one for i, twin in enumerate(audit.twins[:TWINS]) if (one := _twin(twin, i, folder))]
    rows = [_row(row) for row in audit.rows[:MAX_ROWS]]
    counts = audit.counts
    lead = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items() if count)
    residuals = [float(v) for row in audit.rows if (v := row.record.detail.get("residual_lr_px")) is not None]
    figures = [
        Figure(bars(list(counts.items()), max(1, len(audit.rows)), label="pairs"), "Pairs by verdict."),
    ]
    if residuals:
        chart = histogram(residuals, x_label="residual, LR px", y_label="pairs")
        figures.append(Figure(chart, "95th percentile of the displacement in each pair."))
    page = templates.render(
        "audit.html.j2", root="", lead=f"{len(audit.rows):,} pairs: {lead}.", lines=audit.lines(),
        figures=[one for one in figures if one.svg], pairs=pairs, twins=twins, columns=list(COLUMNS),
        rows=rows,
        links={pair.key: f"#shown-{i}" for i, pair in enumerate(pairs, 1)},
        legend=LEGEND.format(full=FULL),
        more=f"The first {MAX_ROWS:,}; audit.csv has all." if len(audit.rows) > MAX_ROWS else "",
    )  # fmt: skip
    index = folder.text("index.html", page)
    folder.remove_stale()
    return index


def _chosen(audit: Audit) -> list[Judged]:
    """The worst pairs, and some good ones."""
    wrong = [row for row in audit.rows if row.judged.verdict != "keep"]
    good = [row for row in audit.rows if row.judged.verdict == "keep"]
    return [*wrong[: MOST - min(GOOD, len(good))], *good[:GOOD]]


def _row(row: Judged) -> Row:
    cells = [Cell(f"{row.judged.severity:.1f}", str(row.judged.severity))]
    for name in list(COLUMNS.values())[1:]:
        value = row.record.detail.get(name, "")
        cells.append(Cell(f"{value:.3g}", repr(value)) if isinstance(value, float) else Cell(str(value)))
    return Row(row.record.key, "", row.judged.verdict, row.judged.reason, cells)


def _pair(row: Judged, folder: Folder) -> DeckPair | None:
    """Pictures of a pair; None where its files are not there any more."""
    record, judged = row.record, row.judged
    if not record.scale:
        return None
    try:
        lr, hr = (
            to_8bit(one) for one in read_pair(Path(record.source_lr), Path(record.source_hr), record.scale)
        )
    except UserError:
        return None
    found = geometry.look(lr, hr, record.scale)
    there = np.clip(np.rint(resize(hr.astype(np.float32), 1 / record.scale)), 0, 255).astype(np.uint8)
    off = np.abs(geometry.grey(lr) - geometry.grey(there)) / FULL
    drawn, factor = _arrows(lr, found)
    pictures = {
        "LR": lr,
        "HR, reduced": there,
        "difference": heat(off.astype(np.float32)),
        "displacement": drawn,
    }
    crops = [_plate(folder, record.key, what, _enlarged(one)) for what, one in pictures.items()]
    size = crops[0].size_hw
    crops.append(_plate(folder, record.key, "HR, its own pixels", _middle(hr, size)))
    line = f"{judged.verdict}: {judged.reason}." if judged.reason else f"{judged.verdict}."
    line += f" Arrows enlarged {factor:g} times." if factor else ""
    return DeckPair(record.key, tuple(crops), line=line, badness=judged.severity)


def _arrows(lr: Image, found: geometry.Geometry | None) -> tuple[Image, float]:
    """LR, pale, with what HR's content is displaced by; and by how much arrows are enlarged."""
    step = max(1, round(SHOWN / max(lr.shape[:2])))
    pale = cv2.resize(lr, None, fx=step, fy=step, interpolation=cv2.INTER_NEAREST) // 2 + 110
    if found is None:
        return np.ascontiguousarray(pale), 0.0
    residual = found.residual
    sizes = np.hypot(*residual.shift.T)
    spacing = np.sqrt(lr.shape[0] * lr.shape[1] / max(1, len(sizes)))
    factor = float(LONGEST * spacing / max(LEAST, float(np.percentile(sizes, 90))))
    factor = float(f"{factor:.1g}")
    thick = max(1, round(step * spacing / 18))
    for (x, y), (dx, dy) in zip(residual.centre, residual.shift, strict=True):
        start = (round(step * x), round(step * y))
        end = (round(step * (x + factor * dx)), round(step * (y + factor * dy)))
        cv2.arrowedLine(pale, start, end, (200, 30, 60), thick, cv2.LINE_AA, tipLength=0.3)
    return np.ascontiguousarray(pale), factor


def _plate(folder: Folder, key: str, what: str, image: Image) -> Plate:
    """A picture of the deck; not without loss, which takes ten times as long for what is glanced at."""
    return Plate(folder.picture(image, f"{what} of {key}", quality=QUALITY), what, image.shape[:2])


def _enlarged(image: Array) -> Image:
    """A small picture with each pixel a square, so that it is seen; a large one reduced."""
    step = round(SHOWN / max(image.shape[:2]))
    if step > 1:
        return np.ascontiguousarray(np.kron(image, np.ones((step, step, 1), np.uint8)))
    factor = 2 * SHOWN / max(image.shape[:2])
    if factor < 1:
        return np.ascontiguousarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        )
    return np.ascontiguousarray(image)


def _middle(image: Image, size_hw: tuple[int, int]) -> Image:
    """The middle of a picture at its own pixels, of the size given where it has so many."""
    height, width = (min(a, b) for a, b in zip(size_hw, image.shape[:2], strict=True))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    cut = np.zeros((*size_hw, 3), np.uint8)
    cut[:height, :width] = image[top : top + height, left : left + width]
    return cut


def _twin(twin: Twin, number: int, folder: Folder) -> DeckPair | None:
    """Both pictures, beside each other; None where one is not there any more."""
    plates: list[Plate] = []
    for side in (twin.first, twin.second):
        try:
            pixels = read(side.path).pixels
        except UserError:
            return None
        small = small_grey(pixels, SHOWN).shape
        image = cv2.resize(to_8bit(pixels), small[::-1], interpolation=cv2.INTER_AREA)
        cut = np.full((SHOWN, SHOWN, 3), 255, np.uint8)
        cut[: small[0], : small[1]] = image
        plates.append(
            _plate(folder, f"twin {number}", f"{side.key}{f' of {side.of}' if side.of else ''}", cut)
        )
    way = f", {twin.way}" if twin.way else ""
    line = f"{twin.kind}{way}: {twin.share:.0%} shared, {twin.inliers} matches, "
    line += f"correlation {twin.correlation:.3f}"
    return DeckPair(f"{twin.first.key} and {twin.second.key}", tuple(plates), line=line)
