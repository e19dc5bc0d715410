"""What a training run left behind, as far as it is there."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from realdeg.errors import UserError
from realdeg.names import file_name
from realdeg.report.certificate import finite
from realdeg.settings import RUN_FILE, read_yaml
from realdeg.typed import Mistyped, read_json

MAX_POINTS = 400


@dataclass(frozen=True)
class Evaluated:
    """Figures of one evaluated pair; `gain` is PSNR-Y above bicubic, dB."""

    key: str
    figures: dict[str, float]

    @property
    def gain(self) -> float:
        """PSNR-Y above bicubic, dB."""
        return self.figures.get("psnr_y", math.nan) - self.figures.get("psnr_y_bicubic", math.nan)


class _Summary(TypedDict):
    split: str


@dataclass(frozen=True)
class Run:
    """A run folder read for the page.

    Attributes:
        losses: (step, value) by name.
        validation: (step, value) by name.
        evaluation: one entry a pair.
        settings: the run's settings.
    """

    folder: Path
    losses: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    validation: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    evaluation: list[Evaluated] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def sr_path(self, key: str) -> Path:
        """Where the evaluation wrote the model's image of a pair."""
        return self.folder / "evaluation" / "SR" / f"{file_name(key)}.png"

    def mean(self, name: str) -> float | None:
        """Mean of a figure over the evaluated pairs."""
        values = [e.figures[name] for e in self.evaluation if name in e.figures]
        return sum(values) / len(values) if values else None

    @property
    def split(self) -> str:
        """Split that was evaluated, or ""."""
        try:
            return read_json(self.folder / "evaluation" / "summary.json", _Summary)["split"]
        except (OSError, Mistyped):
            return ""


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        UserError: no such folder, or none of its files is there.
    """
    losses = _series(folder / "metrics.csv")
    validation = _series(folder / "validation.csv")
    evaluation = []
    for row in _rows(folder / "evaluation" / "table.csv"):
        figures = {name: value for name, text in row.items() if (value := finite(text)) is not None}
        evaluation.append(Evaluated(row.get("key", ""), figures))
    if not losses and not evaluation:
        raise UserError(
            folder,
            "is not a run folder: it has neither metrics.csv nor evaluation/table.csv",
            "give the run folder of `realdeg train d2c`",
        )
    settings = read_yaml(folder / RUN_FILE) if (folder / RUN_FILE).is_file() else {}
    return Run(folder, losses, validation, evaluation, settings)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{k: v for k, v in row.items() if k and v is not None} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(path, f"cannot be read ({error})", "remove it or run the step again") from None


def _series(path: Path) -> dict[str, list[tuple[float, float]]]:
    rows = _rows(path)
    stride = max(1, len(rows) // MAX_POINTS)
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows[::stride]:
        step = finite(row.get("step", ""))
        for name, text in row.items():
            value = finite(text)
            if name != "step" and step is not None and value is not None:
                found.setdefault(name, []).append((step, value))
    return found
