"""The page of an evaluation while it is made: pictures are written as they come."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from realdeg.report.deck import DeckPair, compared, plate
from realdeg.report.evaluation import Beside, build_evaluation
from realdeg.report.folder import Folder
from realdeg.report.listing import Cell
from train.evaluate.look import Look
from train.evaluate.score_table import Table, shown

RESULTS = ("fusion", "model", "mode")  # what is judged of a look's crops
TOLD = 6  # figures in the line of a pair


class Gallery:
    """Pictures of pairs, and in the end the page around them.

    Args:
        out: folder of the evaluation.
        source: name of the data.
    """

    def __init__(self, out: Path, source: str) -> None:
        self.folder = Folder(out)
        self.source = source
        self.pairs: list[DeckPair] = []

    def add(self, key: str, seen: Look) -> None:
        """Write the pictures of a pair."""
        crops = tuple(plate(self.folder, key, name, picture) for name, picture in seen.crops.items())
        maps = tuple(
            tuple(plate(self.folder, key, name, picture) for name, picture in row.items())
            for row in seen.heat_maps()
        )
        result = next((name for name in RESULTS if name in seen.crops), "")
        self.pairs.append(compared(DeckPair(key, crops, maps), "bicubic", result))

    def write(self, table: Table, *, lead: str, legend: str, beside: Beside | None = None) -> None:
        """Write the page.

        Args:
            table: the figures.
            lead: what was found, in a sentence.
            legend: what the pictures are.
            beside: published figures.
        """
        rows = [
            (row["key"], [cell(n, row[n]) for n in table.names])
            for row in ({"key": "mean", **table.means}, *table.rows)
        ]
        found = {row["key"]: row for row in table.rows}
        build_evaluation(
            self.folder,
            title=f"x{table.scale} evaluated",
            source=self.source,
            lead=lead,
            columns=[table.columns[n] for n in table.names],
            rows=rows,
            pairs=[_judged(pair, table, found[pair.key]) for pair in self.pairs],
            legend=legend,
            beside=beside,
        )


def _judged(pair: DeckPair, table: Table, row: dict[str, Any]) -> DeckPair:
    """The pair with its figures; the less PSNR-Y it has, the worse it is."""
    told = ", ".join(f"{table.columns[name]} {shown(name, row[name])}" for name in table.names[:TOLD])
    score = row.get("psnr_y")
    return replace(pair, line=told, badness=None if score is None else -float(score))


def cell(name: str, value: float | None) -> Cell:
    """A figure of a table, empty for None; infinity as JavaScript reads it."""
    if value is None:
        return Cell("")
    return Cell(shown(name, value), str(value) if math.isfinite(value) else "Infinity")
