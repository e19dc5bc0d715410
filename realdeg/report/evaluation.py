"""The page of an evaluation: figures of each pair, crops side by side, and what others have published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.report.deck import DeckPair, worst_first
from realdeg.report.folder import Folder
from realdeg.report.listing import Cell
from realdeg.report.overview import Figure
from realdeg.report.template import Templates


@dataclass(frozen=True)
class Beside:
    """What others have published, to stand beside the figures.

    Attributes:
        note: in which data and protocols differ.
        columns: of the table, after the name.
        rows: name and cells.
        figures: charts with captions.
    """

    note: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    figures: Sequence[Figure] = ()


def heat(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Weights as colours, from blue at 0 to red at 1.

    Args:
        weights: (H, W) in [0, 1].

    Returns:
        (H, W, 3) uint8 RGB (Google's Turbo).
    """
    levels = np.rint(255 * np.clip(weights, 0, 1)).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)[..., ::-1])


def build_evaluation(
    folder: Folder,
    *,
    title: str,
    source: str,
    lead: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Cell]]],
    pairs: Sequence[DeckPair],
    legend: str,
    beside: Beside | None = None,
) -> None:
    """Write `index.html` around pictures that lie in the folder already; what is stale goes.

    Args:
        folder: with the plates of `pairs`.
        title, source, lead: heading, name of the data, and what was done in a sentence.
        columns: of the table, after the name.
        rows: name and cells, the mean first.
        pairs: to show, the worst first.
        legend: what the pictures are.
        beside: published figures.

    Raises:
        UserError: the folder cannot be written.
    """
    templates = Templates(title, source)
    templates.write_assets(folder)
    deck = worst_first(pairs)
    page = templates.render(
        "evaluation.html.j2", root="", lead=lead, columns=columns, rows=rows, pairs=deck, legend=legend,
        beside=beside, links={pair.key: f"#shown-{i}" for i, pair in enumerate(deck, 1)},
        judged=any(pair.badness is not None for pair in deck),
    )  # fmt: skip
    folder.text("index.html", page)
    folder.remove_stale()
