"""The page of a study: one table of what was tried, and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from realdeg.report.deck import DeckPair, worst_first
from realdeg.report.folder import Folder
from realdeg.report.listing import Cell
from realdeg.report.overview import Figure
from realdeg.report.template import Templates


def build_study(
    out: Path | Folder,
    *,
    title: str,
    source: str,
    lead: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Cell]]],
    figures: Sequence[Figure],
    pairs: Sequence[DeckPair] = (),
    legend: str = "",
) -> Path:
    """Write the page; the same content gives the same bytes.

    Args:
        out: its folder; where pictures of pairs lie in it already, as `Folder`.
        title, source, lead: heading, name of the data, and what was done in a sentence.
        columns: of the table, after the name.
        rows: name and cells.
        figures: charts with captions.
        pairs: to look at, what was tried side by side.
        legend: what their pictures are.

    Returns:
        Path of index.html.

    Raises:
        UserError: `out` cannot be written.
    """
    folder = out if isinstance(out, Folder) else Folder(out)
    templates = Templates(title, source)
    templates.write_assets(folder)
    drawn = [figure for figure in figures if figure.svg]
    html = templates.render(
        "study.html.j2", root="", lead=lead, columns=columns, rows=rows, figures=drawn, legend=legend,
        pairs=worst_first(pairs), judged=any(pair.badness is not None for pair in pairs),
    )  # fmt: skip
    index = folder.text("index.html", html)
    folder.remove_stale()
    return index
