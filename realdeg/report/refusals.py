"""What was refused: grouped by kind of reason, the most frequent first, with small copies of the photos."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from realdeg.errors import UserError
from realdeg.records import PairRecord
from realdeg.report.folder import Folder
from realdeg.report.pictures import thumbnail
from realdeg.words import kind_of, ranged

MAX_PICTURED = 60


@dataclass(frozen=True)
class Side:
    """A photo's small copy, or why there is none (`file` is "")."""

    file: str
    alt: str


@dataclass(frozen=True)
class Refused:
    """One input without a pair."""

    record: PairRecord
    sides: list[Side]


@dataclass(frozen=True)
class Kind:
    """Inputs refused for one kind of reason.

    Attributes:
        text: the reason, without file and remedy, with the range of each number.
        status: "rejected", "failed", or both with a comma.
        keys: all of them.
        shown: those with pictures.
    """

    text: str
    status: str
    keys: list[str]
    shown: list[Refused] = field(default_factory=list)


def kinds(refused: list[PairRecord], folder: Folder) -> list[Kind]:
    """Group refused inputs; of each kind as many get pictures as its share of `MAX_PICTURED`, at least one.

    Raises:
        UserError: the report's folder cannot be written.
    """
    grouped: dict[str, list[PairRecord]] = {}
    for record in refused:
        grouped.setdefault(kind_of(record.reason), []).append(record)
    made = []
    for _, records in sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0])):
        share = max(1, round(MAX_PICTURED * len(records) / len(refused)))
        count = len(records) if len(refused) <= MAX_PICTURED else min(share, len(records))
        places = np.unique(np.linspace(0, len(records) - 1, count).round().astype(int))
        shown = [Refused(records[i], _sides(records[i], folder)) for i in places]
        status = ", ".join(sorted({record.status for record in records}))
        made.append(
            Kind(ranged([r.reason for r in records]), status, [record.key for record in records], shown)
        )
    return made


def _sides(record: PairRecord, folder: Folder) -> list[Side]:
    sides = []
    for name, source in (("LR", record.source_lr), ("HR", record.source_hr)):
        side = Side("", "no photo" if not source else f"{name} photo cannot be shown")
        if source and Path(source).is_file():
            try:
                side = Side(thumbnail(Path(source), folder), f"{name} photo of {record.key}")
            except UserError as error:
                if str(folder.out) in error.subject:
                    raise
        sides.append(side)
    return sides
