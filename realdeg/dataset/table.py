"""A manifest as a table of pandas, each column of the type that it is of; and such a table as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from realdeg.records import COLUMNS, HASHES, PairRecord, read_manifest

if TYPE_CHECKING:
    import pandas as pd

Side = Literal["lr", "hr", "source_lr", "source_hr"]
SIDES: tuple[Side, ...] = ("lr", "hr", "source_lr", "source_hr")
CATEGORIES = ("status", "split", "how")
TEXT = (  # columns of text, whatever stands in them: a kernel may be called "12"
    *COLUMNS,
    *HASHES,
    *("mask", "lens_model", "lr_profile", "hr_profile", "lr_notes", "hr_notes"),
    *("recipe", "plan", "kernel", "noise", "source", "source_notes", "source_profile", "versions", "cells"),
)


def load_manifest(folder: Path) -> pd.DataFrame:
    """All rows of a folder's manifest.csv, also of photos that gave no pair; see `table_of` for types.

    Args:
        folder: of a dataset, or of a job (NAME.job).

    Raises:
        UserError: no manifest, or a damaged one.
    """
    return table_of(read_manifest(folder, pairs=False))


def table_of(records: Iterable[PairRecord]) -> pd.DataFrame:
    """Records as a table, in their order.

    Columns are those of manifest.csv (docs/dataset.md) but `files`: text as `str`; status, split and how as
    `category`; scale as `int64` (0: not known); columns of whole numbers as `Int64`, of numbers as `float64`;
    of lists of numbers as `object`, tuples. What a row does not know is missing.
    """
    import pandas as pd

    records = list(records)
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = [getattr(record, name) for record in records]
        if name == "scale":
            columns[name] = pd.Series(values, dtype="int64")
        else:
            kind: Any = "category" if name in CATEGORIES else "str"
            columns[name] = pd.Series([value or None for value in values], dtype=kind)
    for name in dict.fromkeys(name for record in records for name in record.detail):
        if name not in HASHES:
            values = [record.detail.get(name) for record in records]
            columns[name] = _column(values, text=name in TEXT or name.endswith("_sha"))
    for side in SIDES:
        hashes = [record.sha256(side) or None for record in records]
        if any(hashes):
            columns[f"{side}_sha256"] = pd.Series(hashes, dtype="str")
    return pd.DataFrame(columns)


def markdown_of(table: pd.DataFrame, *, index: bool = False, digits: int = 4) -> str:
    """A table of pandas in Markdown, for which pandas needs another library (for LaTeX it does not).

    Args:
        table: any.
        index: write the index as a first column.
        digits: significant ones of floats.
    """
    import pandas as pd

    shown = table.reset_index() if index else table

    def cell(value: Any) -> str:
        if isinstance(value, tuple):
            return " ".join(map(cell, value))
        if value is None or value is pd.NA or value != value:
            return ""
        text = f"{value:.{digits}g}" if isinstance(value, float) else str(value)
        return " ".join(text.replace("|", "\\|").split())

    number = [pd.api.types.is_numeric_dtype(kind) for kind in shown.dtypes]
    lines = [[cell(name) for name in shown.columns], ["---:" if one else "---" for one in number]]
    lines += [[cell(value) for value in row] for row in shown.itertuples(index=False, name=None)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _column(values: Sequence[Any], *, text: bool) -> pd.Series[Any]:
    """A column of what rows hold: numbers, lists of numbers or text; read from a file, all of it is text."""
    import pandas as pd

    cells = [() if text else _numbers(value) for value in values]
    if text or any(cell is None for cell in cells):
        return pd.Series([None if value in (None, "") else str(value) for value in values], dtype="str")
    numbers = [cell for cell in cells if cell]
    if any(len(cell) > 1 for cell in numbers):
        return pd.Series([cell or None for cell in cells], dtype="object")
    whole = bool(numbers) and all(isinstance(cell[0], int) for cell in numbers)
    return pd.Series([cell[0] if cell else None for cell in cells], dtype="Int64" if whole else "float64")


def _numbers(value: Any) -> tuple[int | float, ...] | None:
    """The numbers of a cell: () where it is empty, None where it holds something else."""
    if value is None or value == "":
        return ()
    parts = (
        value.split(" ") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    )
    try:
        return tuple(_number(part) if isinstance(part, str) else part + 0 for part in parts)
    except (TypeError, ValueError):
        return None


def _number(text: str) -> int | float:
    """A number as records are written; "1_000" and "infinity" are text."""
    if text.isascii() and text.removeprefix("-").isdecimal():
        return int(text)
    if text in ("nan", "inf", "-inf") or set(text) <= set("0123456789.eE+-"):
        return float(text)
    raise ValueError(text)
