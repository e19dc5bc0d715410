"""The table of all pairs: one row each, with the figures that the set has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from realdeg.records import PairRecord
from realdeg.report.measures import Measures

MAX_ROWS = 20_000  # some 10 MB of page, which a browser still sorts in a second


@dataclass(frozen=True)
class Cell:
    """What is shown, and by what it is sorted (numbers) where that is not the text."""

    text: str
    value: str = ""


@dataclass(frozen=True)
class Row:
    """A pair: where its page is, or "", and its cells, one a column."""

    key: str
    page: str
    status: str
    reason: str
    cells: list[Cell]


FIGURES: dict[str, tuple[Callable[[Measures], float | None], str]] = {
    "stated, LR px": (lambda m: m.stated_lr, ".4f"),
    "stated, HR px": (lambda m: m.stated_hr, ".4f"),
    "blind, LR px": (lambda m: m.blind, ".4f"),
    "tiles that disagree": (lambda m: m.disagreeing, ".1%"),
    "zoom": (lambda m: m.zoom, ".3f"),
    "brightness, levels": (lambda m: m.brightness, ".2f"),
}


def listing(
    records: list[PairRecord], values: list[Measures], pages: Mapping[str, str]
) -> tuple[list[str], list[Row]]:
    """(names of the columns after pair and status, rows in the manifest's order).

    Args:
        records: all, also those refused.
        values: figures of each.
        pages: by key, where a pair's page is.
    """
    shown = [name for name, (of, _) in FIGURES.items() if any(of(m) is not None for m in values)]
    split = any(record.split for record in records)
    rows = []
    for record, m in list(zip(records, values, strict=True))[:MAX_ROWS]:
        cells = [Cell(f"x{record.scale}", str(record.scale)) if record.scale else Cell("")]
        for name in shown:
            of, form = FIGURES[name]
            value = of(m)
            cells.append(Cell("") if value is None else Cell(format(value, form), repr(value)))
        if split:
            cells.append(Cell(record.split))
        rows.append(Row(record.key, pages.get(record.key, ""), record.status, record.reason, cells))
    return ["scale", *shown, *(["split"] if split else [])], rows
