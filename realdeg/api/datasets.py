"""`realdeg.open_dataset` and `realdeg.load_manifest`: what jobs have written, as pairs and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realdeg import inputs
from realdeg.dataset import pairs, table
from realdeg.dataset.pairs import Dataset, Pair
from realdeg.inputs import PathLike

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "Pair", "load_manifest", "open_dataset", "to_markdown"]


def open_dataset(out: PathLike, *, verify: bool = False) -> Dataset:
    """The pairs of a folder that `realdeg align`, `degrade`, `adopt` or `tile` has written.

    Args:
        out: folder with manifest.csv.
        verify: hash every file first, as training does; what was hashed is remembered.

    Returns:
        A sequence of pairs of status ok: `for pair in dataset: pair.lr, pair.hr, pair.mask, pair.key` reads
        files when they are asked for; `dataset[0]`, `dataset["key"]`, `dataset.split("train")`, `len`,
        `dataset.table` (of pandas). LR is (h, w, 3), HR (scale h, scale w, 3), uint8 or uint16 RGB, the mask
        (h, w) bool.

    Raises:
        BadInput: `out` is no path.
        UserError: no manifest, a damaged one, or (with `verify`) files that are not what it says.

    Source:
        docs/dataset.md.

    Example:
        >>> import realdeg
        >>> dataset = realdeg.open_dataset(example)
        >>> len(dataset), dataset.keys, dataset.scales
        (2, ('cat', 'cup'), (2,))
        >>> [(pair.key, pair.lr.shape, pair.hr.shape) for pair in dataset]
        [('cat', (30, 40, 3), (60, 80, 3)), ('cup', (30, 40, 3), (60, 80, 3))]
        >>> dataset.split("test").keys
        ('cup',)
    """
    return pairs.open_dataset(inputs.path(out, "out"), verify=bool(verify))


def load_manifest(out: PathLike) -> pd.DataFrame:
    """All rows of a folder's manifest.csv as a table of pandas, also of photos that gave no pair.

    Args:
        out: folder of a dataset, or of a job (NAME.job).

    Returns:
        The columns of docs/dataset.md but `files`, with its units: text as `str`; status, split and how as
        `category`; scale as `int64` (0: not known); whole numbers as `Int64`, others as `float64`, lists of
        numbers as tuples. What a row does not know is missing.

    Raises:
        BadInput: `out` is no path.
        UserError: no manifest, or a damaged one.

    Example:
        >>> import realdeg
        >>> table = realdeg.load_manifest(example)
        >>> table["status"].value_counts().to_dict()
        {'ok': 2, 'rejected': 1}
        >>> table.loc[table["status"] == "rejected", ["key", "reason"]].to_dict("list")
        {'key': ['dog'], 'reason': ['too dark; use a tripod']}
    """
    return table.load_manifest(inputs.path(out, "out"))


def to_markdown(frame: pd.DataFrame, *, index: bool = False, digits: int = 4) -> str:
    """A table in Markdown, without the library that `DataFrame.to_markdown` asks for.

    (For LaTeX, `frame.to_latex(index=False, float_format="%.3g")` of pandas needs no other library.)

    Args:
        frame: any table of pandas.
        index: write its index as a first column.
        digits: significant ones of floats.

    Raises:
        BadInput: not a table.

    Example:
        >>> import realdeg
        >>> table = realdeg.open_dataset(example).table
        >>> print(realdeg.to_markdown(table[["key", "scale"]]), end="")
        | key | scale |
        | --- | ---: |
        | cat | 2 |
        | cup | 2 |
    """
    if not all(hasattr(frame, name) for name in ("itertuples", "dtypes", "columns")):
        raise inputs.BadInput("frame", f"is of type {type(frame).__name__}", "give a table of pandas")
    return table.markdown_of(frame, index=bool(index), digits=inputs.whole(digits, "digits", least=1))
