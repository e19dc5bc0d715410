"""Pairs from a table: a CSV file with the columns lr and hr, and optionally key, scale and scene."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from realdeg.errors import UserError
from realdeg.io.find import Match
from realdeg.io.pairing import PairSet
from realdeg.names import caseless, leaves
from realdeg.records import PairRecord

SCALE = re.compile("[0-9]{1,2}")
COLUMNS = ("lr", "hr", "key", "scale", "scene")
DELIMITERS = ",;\t"  # spreadsheets of half of Europe write semicolons


@dataclass(frozen=True)
class _Row:
    """One line of the table, and what is wrong with it."""

    line: int
    match: Match
    scale: int | None
    problem: str = ""


def read_pairs(table: Path, lr: Sequence[Path] = (), hr: Path | None = None) -> list[PairSet]:
    """Pairs listed in a table, one set for each scale that it tells.

    Paths use "/" and are looked up in `lr` (`hr`) where such folders are given, then in the table's own
    folder. Without a key, the path of HR without suffix is the key. A line that names no usable pair
    becomes a failed record that names the line; the other lines go on.

    Args:
        table: CSV in UTF-8, with or without a byte order mark; comma, semicolon or tab.
        lr: folders of LR photos.
        hr: folder of HR photos.

    Raises:
        UserError: the table cannot be read, a column is missing or unknown, a line does not parse, some
            lines tell a scale and others none, or no pair is left.
    """
    rows = _rows(table, (*lr, table.parent), (*([hr] if hr else []), table.parent))
    if not rows:
        raise UserError(table, "lists no pairs", "add lines below its header")
    scales = {row.scale for row in rows}
    if None in scales and len(scales) > 1:
        bare = next(row for row in rows if row.scale is None)
        raise UserError(f"{table}, line {bare.line}", "tells no scale, other lines do", "fill in all or none")
    rows = _without_repeats(rows)
    sets = [
        _set([row for row in rows if row.scale == scale], table, scale)
        for scale in sorted(scales, key=int_or_0)
    ]
    if not any(one.matches for one in sets):
        raise UserError(table, "lists no usable pair", sets[0].failed[0].reason)
    return sets


def int_or_0(scale: int | None) -> int:
    """Order of scales, the unknown one first."""
    return scale or 0


def _rows(table: Path, lr_folders: Sequence[Path], hr_folders: Sequence[Path]) -> list[_Row]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(table, f"cannot be read ({error.strerror})", "check the path") from None
    except UnicodeDecodeError:
        raise UserError(table, "is not UTF-8 text", "save it as CSV in UTF-8") from None
    header = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=header.count), strict=True
    )
    rows = []
    try:
        names = [name.strip().lower() for name in reader.fieldnames or []]
        missing = [name for name in ("lr", "hr") if name not in names]
        unknown = [name for name in names if name not in COLUMNS]
        if missing or unknown:
            problem = f"lacks the column {missing[0]}" if missing else f"has an unknown column {unknown[0]!r}"
            raise UserError(
                table, problem, f"its header may hold {', '.join(COLUMNS)}; lr and hr must be there"
            )
        reader.fieldnames = names
        for cells in reader:
            where = f"{table}, line {reader.line_num}"
            if None in cells or None in cells.values():
                raise UserError(where, "has more or fewer cells than the header", "mend the line")
            values = {name: unicodedata.normalize("NFC", cell.strip()) for name, cell in cells.items()}
            rows.append(_row(where, reader.line_num, values, cells, lr_folders, hr_folders))
    except csv.Error as error:
        raise UserError(
            f"{table}, line {reader.line_num}", f"is not CSV ({error})", "mend the line"
        ) from None
    return rows


def _row(
    where: str,
    line: int,
    values: Mapping[str, str],
    cells: Mapping[str, str],
    lr_folders: Sequence[Path],
    hr_folders: Sequence[Path],
) -> _Row:
    scale = values.get("scale", "").lower().removeprefix("x")
    if scale and not (SCALE.fullmatch(scale) and 2 <= int(scale) <= 16):
        raise UserError(
            where, f"scale {values['scale'][:40]!r} is no whole number from 2 to 16", "mend the line"
        )
    lr, hr = cells["lr"].strip(), cells["hr"].strip()
    stem = PurePosixPath(values["hr"])
    key = values.get("key") or (str(stem.with_suffix("")) if stem.name else values["hr"])
    problem = ""
    for name, text in (("lr", lr), ("hr", hr), ("key", key)):
        if not problem and not text:
            problem = f"{name} is empty; fill it in"
        elif not problem and (leaves(text) or Path(text).is_absolute()):
            problem = f"{name} {text!r} leaves its folder; write a path below it, without '..'"
    paths = [_find(text, folders) for text, folders in ((lr, lr_folders), (hr, hr_folders))]
    for name, text, path in zip(("lr", "hr"), (lr, hr), paths, strict=True):
        if not problem and not _is_file(path):
            problem = f"{name} {text!r} does not exist; mend the path or copy the photo there"
    match = Match(key, paths[0], paths[1], values.get("scene", ""))
    return _Row(line, match, int(scale) if scale else None, problem)


def _find(text: str, folders: Sequence[Path]) -> Path:
    """The first folder's file of this name that exists, else the first folder's."""
    paths = [folder / text for folder in folders]
    return next((path for path in paths if _is_file(path)), paths[0])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False


def _without_repeats(rows: list[_Row]) -> list[_Row]:
    """Rows, those marked that share key and scale: outputs are named by key."""
    lines: dict[tuple[str, int | None], list[int]] = {}
    for row in rows:
        if not row.problem:
            lines.setdefault((caseless(row.match.key), row.scale), []).append(row.line)
    marked = []
    for row in rows:
        shared = lines.get((caseless(row.match.key), row.scale), [])
        if not row.problem and len(shared) > 1:
            others = " and ".join(str(line) for line in shared if line != row.line)
            row = replace(
                row,
                problem=f"key {row.match.key!r} is ambiguous: line {others} has it too; give a column key",
            )
        marked.append(row)
    return marked


def _set(rows: Sequence[_Row], table: Path, scale: int | None) -> PairSet:
    failed = [
        PairRecord(
            row.match.key or f"line {row.line}",
            "failed",
            f"{table.name}, line {row.line}: {row.problem}",
            source_lr=str(row.match.lr),
            source_hr=str(row.match.hr),
        )
        for row in rows
        if row.problem
    ]
    return PairSet(tuple(row.match for row in rows if not row.problem), tuple(failed), scale)
