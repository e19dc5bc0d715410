"""The page of an evaluation while it is made: pictures are written as they come."""

from __future__ import annotations

import math
from pathlib import Path

from realdeg.report.evaluation import Beside, Shown, build_evaluation, plate
from realdeg.report.folder import Folder
from realdeg.report.listing import Cell
from train.evaluate.look import Look
from train.evaluate.score_table import Table, shown


class Gallery:
    """Pictures of pairs, and in the end the page around them.

    Args:
        out: folder of the evaluation.
        source: name of the data.
    """

    def __init__(self, out: Path, source: str) -> None:
        self.folder = Folder(out)
        self.source = source
        self.pairs: list[Shown] = []

    def add(self, key: str, seen: Look) -> None:
        """Write the pictures of a pair."""
        crops = tuple(plate(self.folder, key, name, picture) for name, picture in seen.crops.items())
        maps = tuple(
            tuple(plate(self.folder, key, name, picture) for name, picture in row.items())
            for row in seen.heat_maps()
        )
        self.pairs.append(Shown(key, crops, maps))

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
        build_evaluation(
            self.folder,
            title=f"x{table.scale} evaluated",
            source=self.source,
            lead=lead,
            columns=[table.columns[n] for n in table.names],
            rows=rows,
            pairs=self.pairs,
            legend=legend,
            beside=beside,
        )


def cell(name: str, value: float | None) -> Cell:
    """A figure of a table, empty for None; infinity as JavaScript reads it."""
    if value is None:
        return Cell("")
    return Cell(shown(name, value), str(value) if math.isfinite(value) else "Infinity")
