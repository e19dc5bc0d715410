"""The page of a study: one table of what was tried, and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from realdeg.report.folder import Folder
from realdeg.report.listing import Cell
from realdeg.report.overview import Figure
from realdeg.report.template import Templates


def build_study(
    out: Path,
    *,
    title: str,
    source: str,
    lead: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Cell]]],
    figures: Sequence[Figure],
) -> Path:
    """Write the page; the same content gives the same bytes.

    Args:
        out: its folder.
        title, source, lead: heading, name of the data, and what was done in a sentence.
        columns: of the table, after the name.
        rows: name and cells.
        figures: charts with captions.

    Returns:
        Path of index.html.

    Raises:
        UserError: `out` cannot be written.
    """
    folder = Folder(out)
    templates = Templates(title, source)
    templates.write_assets(folder)
    html = templates.render(
        "study.html.j2", root="", lead=lead, columns=columns, rows=rows, figures=[f for f in figures if f.svg]
    )
    index = folder.text("index.html", html)
    folder.remove_stale()
    return index
