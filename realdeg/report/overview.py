"""The head of the page: counts, how well the set is registered as a whole, charts over all pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from realdeg.records import PairRecord
from realdeg.report.charts import Point, histogram, scatter
from realdeg.report.measures import Measures

MAX_MARKS = 2000  # of the scatter chart: every n-th pair beyond
MADE = {
    "registration": "registered from photos",
    "degradation": "degraded from clean images",
    "adopted": "adopted from existing pairs",
    "tile": "cut into tiles",
}
STATED = (
    "Stated error: the 95th percentile of the displacement over the pair, predicted by the registration "
    "from the texture and noise of the pair."
)
BLIND = (
    "Blind residual: the 95th percentile of the displacement measured on the finished files by a method "
    "of its own. It contains that method's own noise, so it says little below it."
)
SCATTER = (
    "Stated error against blind residual, a mark for each pair (2,000 at most), logarithmic. On the dashed "
    "line both agree. Far above it, the registration is too sure of itself or the measurement is noisy."
)
OLD = (
    "95th percentile of the displacement left in each pair, measured on the finished pair by feature "
    "tracking, independently of the registration. It contains the tracker's own noise (about 0.05 to "
    "0.15 px), and averages over cells, so it says little below that and rounds off the outermost corners."
)


@dataclass(frozen=True)
class Card:
    """A figure at the head of the page: value, what it is, and a second line."""

    value: str
    what: str
    kind: str = ""
    more: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart (SVG) and what to know about it."""

    svg: str
    caption: str


def lead(records: list[PairRecord]) -> str:
    """One sentence: how many inputs became pairs, and how."""
    kept = [record for record in records if record.ok]
    how = sorted({record.how for record in kept if record.how})
    made = " and ".join(MADE.get(name, name) for name in how) or "no pair was made"
    return f"{len(kept)} of {len(records)} inputs became LR/HR pairs, {made}."


def cards(records: list[PairRecord], kept: list[Measures], gain: float | None) -> list[Card]:
    """Counts, scale, recipe, median and worst error, and the model's gain where there is one (dB)."""
    count = {status: sum(r.status == status for r in records) for status in ("ok", "rejected", "failed")}
    scales = ", ".join(f"x{s}" for s in sorted({record.scale for record in records if record.ok}))
    made = [Card(f"{count['ok']:,}", "pairs kept", more=f"scale {scales}" if scales else "")]
    made += [
        Card(f"{count[status]:,}", status, kind)
        for status, kind in (("rejected", "warn"), ("failed", "bad"))
        if count[status]
    ]
    made += _recipe([record for record in records if record.ok and record.how == "degradation"])
    stated = [(m.stated_lr, m.stated_hr) for m in kept if m.stated_lr is not None]
    blind = [m.blind for m in kept if m.blind is not None]
    if stated:
        in_lr, in_hr = [lr for lr, _ in stated if lr is not None], [hr for _, hr in stated if hr is not None]
        more = [f"{value:.3f} HR px" for value in (median(in_hr), max(in_hr))] if in_hr else ["", ""]
        made.append(Card(f"{median(in_lr):.3f}", "median stated error, LR px", more=more[0]))
        made.append(Card(f"{max(in_lr):.3f}", "worst stated error, LR px", more=more[1]))
    if blind:
        name = "blind residual" if stated else "residual"
        made.append(Card(f"{median(blind):.3f}", f"median {name}, LR px", more=f"largest {max(blind):.3f}"))
    if gain is not None:
        made.append(Card(f"{gain:+.2f} dB", "model over bicubic, PSNR-Y", "good" if gain > 0 else "bad"))
    return made


def _recipe(degraded: list[PairRecord]) -> list[Card]:
    recipes, seeds = (
        list(dict.fromkeys(str(r.detail[name]) for r in degraded if r.detail.get(name)))
        for name in ("recipe", "seed")
    )
    if not recipes:
        return []
    more = f"seed {seeds[0]}" if len(seeds) == 1 else ""
    return [Card(recipes[0] if len(recipes) == 1 else str(len(recipes)), "recipe", "named", more)]


def figures(kept: list[PairRecord], values: list[Measures], pages: Mapping[str, str]) -> list[Figure]:
    """Histograms of the stated error and the blind residual on one axis, and one against the other.

    Args:
        kept: pairs.
        values: figures of each.
        pages: by key, where a mark of the scatter chart leads.
    """
    stated = [m.stated_lr for m in values if m.stated_lr is not None]
    blind = [m.blind for m in values if m.blind is not None]
    top = max([*stated, *blind], default=0.0)
    made = []
    if stated:
        svg = histogram(stated, x_label="stated error, LR px (p95)", y_label="pairs", top=top)
        made.append(Figure(svg, STATED))
    if blind:
        label = "blind residual, LR px (p95)" if stated else "residual, LR px (p95)"
        svg = histogram(blind, x_label=label, y_label="pairs", top=top)
        made.append(Figure(svg, BLIND if stated else OLD))
    points = [
        Point(
            m.stated_lr,
            m.blind,
            f"{record.key}: stated {m.stated_lr:.4f}, blind {m.blind:.4f} LR px",
            pages.get(record.key, ""),
        )
        for record, m in zip(kept, values, strict=True)
        if m.stated_lr is not None and m.blind is not None
    ]
    points = points[:: -(-len(points) // MAX_MARKS) or 1]
    chart = scatter(points, x_label="stated error, LR px", y_label="blind residual, LR px")
    return [*made, Figure(chart, SCATTER)] if chart else made
