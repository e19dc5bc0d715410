"""What was refused: grouped by kind of reason, the most frequent first, with small copies of the photos."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from realdeg.errors import UserError
from realdeg.records import PairRecord
from realdeg.report.folder import Folder
from realdeg.report.pictures import thumbnail

MAX_PICTURED = 60
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


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


def kind_of(reason: str) -> str:
    """A reason without the file, the remedy and the numbers, so that like cases stand together."""
    return NUMBER.sub("N", _problem(reason)) or "no reason given"


def ranged(reasons: list[str]) -> str:
    """The one problem of reasons of one kind, each number as the range over them."""
    problems = [_problem(reason) for reason in reasons]
    places = zip(*([m[0] for m in NUMBER.finditer(problem)] for problem in problems), strict=True)
    ranges = []
    for texts in places:
        low, high = (pick(texts, key=lambda text: float(text.replace(",", ""))) for pick in (min, max))
        ranges.append(low if low == high else f"{low} to {high}")
    return NUMBER.sub(lambda _: ranges.pop(0), problems[0]) or "no reason given"


def _problem(reason: str) -> str:
    return re.sub(r"^\S+\.\w+: ", "", reason.split(";")[0]).strip()


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
