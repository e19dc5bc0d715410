"""The page of a study: one table of what was tried, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from realdeg.arraytypes import Image
from realdeg.errors import UserError
from realdeg.imaging.depth import to_8bit
from realdeg.imaging.detail import busiest
from realdeg.imaging.resample import resize
from realdeg.io.photo import read
from realdeg.report.deck import DeckPair, compared, plate, worst_first
from realdeg.report.folder import Folder
from realdeg.report.listing import Cell
from realdeg.report.overview import Figure
from realdeg.report.template import Templates

MOST_PAIRS = 6
SIDE = 256  # HR px a side of what is shown of a pair


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


def pairs_of_results(
    folder: Folder, pairs: Sequence[tuple[str, Path, Path]], results: Mapping[str, Path], scale: int
) -> list[DeckPair]:
    """One place of each pair as every variant made it; those that the first variant did worst.

    Args:
        folder: receives the pictures.
        pairs: key, LR file, HR file.
        results: by name of a variant, the folder with its images, KEY.png each. Variants of one folder are
            shown once, under the first name.
        scale: HR size / LR size.

    Returns:
        At most `MOST_PAIRS`; a pair of which a file is missing, or not of HR's size, is left out.

    Raises:
        UserError: the folder cannot be written.
    """
    named = {place: name for name, place in reversed(list(results.items()))}
    shown = {name: place for name, place in results.items() if named[place] == name}
    judged = []
    for pair in pairs:
        found = _result(pair, next(iter(shown.values()))) if shown else None
        if found is not None:
            sr, hr = found
            judged.append((float(np.sqrt(np.square(sr.astype(float) - hr).mean())), pair))
    worst = sorted(judged, key=lambda one: (-one[0], one[1][0]))[:MOST_PAIRS]
    return [deck for off, pair in worst if (deck := _deck_pair(folder, pair, shown, scale, off)) is not None]


def _result(pair: tuple[str, Path, Path], place: Path) -> tuple[Image, Image] | None:
    """(SR, HR), (H, W, 3) uint8 each; None where they are not there, or not of one size."""
    key, _, hr_path = pair
    try:
        sr, hr = (to_8bit(read(path).pixels) for path in (place / f"{key}.png", hr_path))
    except UserError:
        return None
    return (sr, hr) if sr.shape == hr.shape else None


def _deck_pair(
    folder: Folder, pair: tuple[str, Path, Path], shown: Mapping[str, Path], scale: int, off: float
) -> DeckPair | None:
    key, lr_path, _ = pair
    found = {name: _result(pair, place) for name, place in shown.items()}
    made = {name: one[0] for name, one in found.items() if one is not None}
    hr = next(one[1] for one in found.values() if one is not None)
    try:
        lr = to_8bit(read(lr_path).pixels)
    except UserError:
        return None
    if hr.shape[:2] != (scale * lr.shape[0], scale * lr.shape[1]):
        return None
    height, width = (max(1, min(SIDE // scale, side)) for side in lr.shape[:2])
    top, left = busiest(lr, height, width)
    there = np.s_[scale * top : scale * (top + height), scale * left : scale * (left + width)]
    images = {"bicubic": np.asarray(resize(lr, scale)), **made, "HR": hr}
    crops = tuple(plate(folder, key, name, np.ascontiguousarray(one[there])) for name, one in images.items())
    first = next(iter(shown))
    line = f"{first} is off by {off:.2f} levels (root mean square over the image)."
    return compared(DeckPair(key, crops, line=line, badness=off), first, "HR")
