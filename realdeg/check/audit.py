"""What is made of all figures: verdicts, what is there twice, where the set lies, and the audit's files."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.atomic import write_text
from realdeg.check import grid
from realdeg.check.gather import PairItem
from realdeg.check.judge import ORDER, Fault, Judged, judge
from realdeg.check.settings import CheckSettings
from realdeg.records import PairRecord
from realdeg.words import counted

AUDIT, DUPLICATES, SUMMARY = "audit.csv", "duplicates.csv", "summary.json"
FIRST = ("rank", "key", "verdict", "severity", "reason", "lr", "hr", "scale", "scene", "split")
TWIN_COLUMNS = ("key", "with", "of", "kind", "way", "share", "inliers", "correlation", "splits", "leak")
HELD_OUT = ("test", "val")
TWICE, LEAK = 1.0, 5.0  # how much worse: a picture that is learned from and tested on


@dataclass(frozen=True)
class Picture:
    """A picture that may be there twice.

    Attributes:
        key: of its pair, or of the picture in the set that it is of.
        path: its file.
        of: the set that the pairs are held against; "" of the pairs themselves.
        scene, split: of its pair.
    """

    key: str
    path: Path
    of: str = ""
    scene: str = ""
    split: str = ""


@dataclass(frozen=True)
class Twin:
    """Two pictures that are one, or share a part.

    Attributes:
        first, second: the pictures; the first is of the pairs.
        kind, way, inner, share, inliers, correlation: of `realdeg.check.same.Same`.
    """

    first: Picture
    second: Picture
    kind: str
    way: str
    inner: str
    share: float
    inliers: int
    correlation: float

    @classmethod
    def of(cls, first: Picture, second: Picture, told: Mapping[str, Any]) -> Twin:
        """Of the figures that a journal has."""
        names = ("kind", "way", "inner", "share", "inliers", "correlation")
        return cls(first, second, *(told[name] for name in names))

    @property
    def leak(self) -> bool:
        """Whether one side is learned from and the other held out."""
        if self.second.of:
            return True
        splits = {self.first.split or "train", self.second.split or "train"}
        return len(splits) > 1 and "train" in splits

    @property
    def related(self) -> bool:
        """Whether the set says itself that both show one scene, as tiles of a photo do."""
        return bool(self.first.scene) and self.first.scene == self.second.scene and not self.leak

    def words(self, other: Picture) -> str:
        """What the pictures share, as the other one is named."""
        kind = {"copy": "the same picture as", "part": "shares most of a picture with"}.get(self.kind)
        kind = kind or f"shares {self.share:.0%} of a picture with"
        way = f" ({self.way})" if self.way else ""
        where = (
            f" of {other.of}"
            if other.of
            else f", which is in {other.split}"
            if self.leak and other.split
            else ""
        )
        return f"{kind} {other.key}{way}{where}"


@dataclass(frozen=True)
class Row:
    """A pair of the audit."""

    record: PairRecord
    judged: Judged


@dataclass(frozen=True)
class Audit:
    """What came out.

    Attributes:
        rows: of all pairs that could be looked at, the worst first.
        twins: pictures that are there twice.
        placed: by scale, where the set lies.
    """

    rows: Sequence[Row]
    twins: Sequence[Twin]
    placed: Mapping[int, grid.Placed]

    @property
    def counts(self) -> dict[str, int]:
        """Pairs by verdict, all four."""
        found = Counter(row.judged.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in ORDER}

    @property
    def leaks(self) -> int:
        """Pictures that are learned from and held out."""
        return sum(twin.leak for twin in self.twins)

    def lines(self) -> list[str]:
        """What is to be said of the set as a whole."""
        found = [
            f"x{scale}: {told}" for scale, one in self.placed.items() if (told := grid.in_words(one, scale))
        ]
        if self.leaks:
            found.append(
                f"{counted(self.leaks, 'pictures')} also on the other side of a split, or in another set"
            )
        if twice := len(self.twins) - self.leaks:
            found.append(f"{counted(twice, 'pictures')} twice in the set, or in parts")
        return found

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        sets = [
            {
                "scale": scale, "pairs": one.pairs, "shift_hr_px": [round(scale * v, 4) for v in one.shift],
                "sd_hr_px": round(scale * one.sd, 4), "agreeing": round(one.agreeing, 4), "grid": one.grid,
                "beyond_noise": one.beyond, "line": grid.in_words(one, scale),
            }
            for scale, one in self.placed.items()
        ]  # fmt: skip
        return {"pairs": len(self.rows), "verdicts": self.counts, "sets": sets, "twins": len(self.twins),
                "leaks": self.leaks}  # fmt: skip

    def write(self, out: Path, **about: Any) -> None:
        """Write audit.csv, duplicates.csv, summary.json and NAME.csv with the keys of each verdict.

        Args:
            out: folder.
            about: further values of summary.json.
        """
        names = list(dict.fromkeys(name for row in self.rows for name in row.record.detail))
        rows = []
        for rank, row in enumerate(self.rows, 1):
            record, judged = row.record, row.judged
            told = (rank, record.key, judged.verdict, judged.severity, judged.reason, record.source_lr,
                    record.source_hr, record.scale or "", record.scene, record.split)  # fmt: skip
            rows.append([*told, *(record.detail.get(name, "") for name in names)])
        write_text(out / AUDIT, _table((*FIRST, *names), rows))
        write_text(out / DUPLICATES, _table(TWIN_COLUMNS, [_of_twin(twin) for twin in self.twins]))
        for verdict in ORDER:
            chosen = [row for row in self.rows if row.judged.verdict == verdict]
            if verdict != "keep":
                keys = [(row.record.key, row.judged.reason) for row in chosen]
                write_text(out / f"{verdict}.csv", _table(("key", "reason"), keys))
        write_text(
            out / SUMMARY, json.dumps({**self.summary(), **about}, ensure_ascii=False, indent=1) + "\n"
        )


def audited(
    items: Sequence[PairItem], records: Sequence[PairRecord], found: Sequence[Twin], settings: CheckSettings
) -> Audit:
    """Judge all pairs.

    Args:
        items: the pairs; their order decides between equals.
        records: of them; those that failed have no row.
        found: pictures that are there twice.
        settings: limits.
    """
    known = {record.key: record for record in records if record.ok}
    order = {item.key: number for number, item in enumerate(items)}
    placed = placed_of(list(known.values()))
    faults: dict[str, list[Fault]] = {key: _of_set(record, placed) for key, record in known.items()}
    alone = {key: judge(record.detail, record.scale, settings, faults[key]) for key, record in known.items()}
    ranked = sorted(found, key=lambda twin: (not twin.leak, order.get(twin.first.key, 0), twin.second.key))
    dropped: set[str] = set()
    for twin in ranked:
        _judge_twin(twin, alone, order, dropped, faults)
    rows = [
        Row(record, judge(record.detail, record.scale, settings, faults[key]))
        for key, record in known.items()
    ]
    rows.sort(key=lambda row: (-row.judged.severity, order.get(row.record.key, 0)))
    return Audit(rows, ranked, placed)


def _judge_twin(
    twin: Twin,
    alone: Mapping[str, Judged],
    order: Mapping[str, int],
    dropped: set[str],
    faults: Mapping[str, list[Fault]],
) -> None:
    """Who of two has to go: what is learned from, before what is held out; else the worse, the later one."""
    first, second = twin.first, twin.second
    if twin.related or (twin.kind == "overlap" and not twin.leak):
        return
    if second.of:
        victim, other = first, second
    elif twin.leak:
        victim, other = (first, second) if second.split in HELD_OUT else (second, first)
    else:
        if dropped & {first.key, second.key}:
            return
        small = {first.key: twin.inner == "first", second.key: twin.inner == "second"}

        def worth(one: Picture) -> tuple[int, bool, int]:
            """The larger, the sooner it goes: what is wrong anyway, what is a part, what comes later."""
            return (
                -ORDER.index(alone[one.key].verdict),
                small[one.key] and twin.kind == "part",
                order[one.key],
            )

        victim, other = sorted((first, second), key=worth)[::-1]
    dropped.add(victim.key)
    faults[victim.key].append(Fault("drop", twin.words(other), LEAK if twin.leak else TWICE + twin.share))


def placed_of(records: Sequence[PairRecord]) -> dict[int, grid.Placed]:
    """Where the pairs of each scale lie as a set."""
    found = {}
    for scale in sorted({record.scale for record in records if record.scale}):
        rows = [r.detail for r in records if r.scale == scale and "shift_x_lr_px" in r.detail]
        shifts = np.array([(r["shift_x_lr_px"], r["shift_y_lr_px"]) for r in rows]).reshape(-1, 2)
        slopes = np.array([(r["slope_x_lr_px"], r["slope_y_lr_px"]) for r in rows]).reshape(-1, 2)
        sds = np.array([r["shift_sd_lr_px"] for r in rows])
        if one := grid.of_set(shifts, sds, slopes, scale):
            found[scale] = one
    return found


def _of_set(record: PairRecord, placed: Mapping[int, grid.Placed]) -> list[Fault]:
    """What the whole set shows, of a pair that alone would not show it beyond its noise."""
    one, told = placed.get(record.scale), record.detail
    if one is None or not one.beyond or told.get("grid", "centre") not in ("", "centre"):
        return []
    if "shift_x_lr_px" not in told:
        return [Fault("re-register", f"as the whole set: {grid.in_words(one, record.scale)}", 1.0)]
    off = np.abs(np.array([told["shift_x_lr_px"], told["shift_y_lr_px"]]) - one.shift).max()
    if off > grid.SIGMAS * told["shift_sd_lr_px"] + grid.TOLERANCE:
        return []
    return [Fault("re-register", f"as the whole set: {grid.in_words(one, record.scale)}", 1.0)]


def _of_twin(twin: Twin) -> tuple[Any, ...]:
    splits = "" if twin.second.of else "/".join(one or "-" for one in (twin.first.split, twin.second.split))
    return (twin.first.key, twin.second.key, twin.second.of, twin.kind, twin.way, twin.share, twin.inliers,
            twin.correlation, splits if splits != "-/-" else "", int(twin.leak))  # fmt: skip


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()
