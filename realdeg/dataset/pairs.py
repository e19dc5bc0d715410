"""A dataset on disk as a value: its table, and its pairs as arrays that are read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from realdeg.arraytypes import Image
from realdeg.dataset.table import table_of
from realdeg.errors import EXIT_USAGE, UserError
from realdeg.io.photo import read
from realdeg.records import MANIFEST, PairRecord, read_manifest
from realdeg.vouching import require_vouched

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Pair:
    """One pair of a dataset; its images are read when they are asked for, and then kept.

    Attributes:
        key: name of the pair.
        record: its row of the manifest.
        folder: of the dataset.
    """

    key: str
    record: PairRecord = field(repr=False)
    folder: Path = field(repr=False)

    @property
    def scale(self) -> int:
        """HR size / LR size."""
        return self.record.scale

    @property
    def scene(self) -> str:
        """Pairs of one scene never fall on both sides of a split."""
        return self.record.scene or self.key

    @property
    def split(self) -> str:
        """Part of the dataset: "train", "val", "test", or "" before `realdeg split`."""
        return self.record.split

    @property
    def lr_path(self) -> Path:
        """File of LR."""
        return self.folder / self.record.lr

    @property
    def hr_path(self) -> Path:
        """File of HR."""
        return self.folder / self.record.hr

    @property
    def mask_path(self) -> Path | None:
        """File that says where the pair is valid; None: everywhere."""
        mask = self.record.detail.get("mask")
        return self.folder / str(mask) if mask else None

    @cached_property
    def lr(self) -> Image:
        """(h, w, 3) uint8 or uint16 RGB.

        Raises:
            UserError: the file cannot be read.
        """
        return read(self.lr_path).pixels

    @cached_property
    def hr(self) -> Image:
        """(scale h, scale w, 3) uint8 or uint16 RGB.

        Raises:
            UserError: the file cannot be read, or has another size.
        """
        hr = read(self.hr_path).pixels
        (h, w), by = self.lr.shape[:2], self.scale
        if hr.shape[:2] != (by * h, by * w):
            problem = f"is {hr.shape[1]}x{hr.shape[0]} px, not {by} times the {w}x{h} px of LR"
            raise UserError(self.hr_path, problem, "make the pair again")
        return hr

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(h, w) where LR and HR show the same: all True but in pairs of `realdeg align --mask`.

        Raises:
            UserError: the file cannot be read, or has another size than LR.
        """
        path = self.mask_path
        if path is None:
            return np.ones(self.lr.shape[:2], bool)
        mask = read(path).pixels[..., 0] > 0
        if mask.shape != self.lr.shape[:2]:
            raise UserError(path, "has another size than LR", "make the pair again")
        return mask


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Pair]):
    """Pairs of one folder, in the order of its manifest.

    `for pair in dataset` reads a pair's files when they are asked for, and keeps none of them;
    `dataset[i]` and `dataset["key"]` give one pair, `dataset.split("train")` a dataset of some.

    Attributes:
        folder: that holds manifest.csv.
        records: rows of the pairs.
        rows: all rows of the manifest, also of what was refused.
    """

    folder: Path
    records: tuple[PairRecord, ...] = field(repr=False)
    rows: tuple[PairRecord, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, at: int | str) -> Pair: ...

    @overload
    def __getitem__(self, at: slice) -> Dataset: ...

    def __getitem__(self, at: int | str | slice) -> Pair | Dataset:
        if isinstance(at, slice):
            return Dataset(self.folder, self.records[at], self.rows)
        if isinstance(at, str):
            if at not in self._places:
                raise KeyError(f"no pair is called {at!r} in {self.folder}")
            at = self._places[at]
        record = self.records[at]
        return Pair(record.key, record, self.folder)

    def __iter__(self) -> Iterator[Pair]:
        return (Pair(record.key, record, self.folder) for record in self.records)

    def __contains__(self, key: object) -> bool:
        """Whether a key, or a pair of this dataset, is in it."""
        return (key.key if isinstance(key, Pair) else key) in self._places

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the pairs."""
        return tuple(record.key for record in self.records)

    @property
    def scales(self) -> tuple[int, ...]:
        """HR size / LR size of its pairs, each once; most datasets have one."""
        return tuple(sorted({record.scale for record in self.records}))

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that some of its pairs belong to; empty before `realdeg split`."""
        found = {record.split for record in self.records if record.split}
        return tuple(sorted(found, key=lambda name: (SPLITS.index(name) if name in SPLITS else 9, name)))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each pair, with the columns of docs/dataset.md; see `realdeg.load_manifest` for types."""
        return table_of(self.records)

    def only(self, wanted: Callable[[Pair], bool]) -> Dataset:
        """The pairs for which a function is true."""
        chosen = tuple(pair.record for pair in self if wanted(pair))
        return Dataset(self.folder, chosen, self.rows)

    def split(self, name: str) -> Dataset:
        """The pairs of one split.

        Raises:
            UserError: there is no such pair.
        """
        chosen = tuple(record for record in self.records if record.split == name)
        if not chosen:
            have = (
                f"it has {', '.join(self.splits)}" if self.splits else "it was never split: `realdeg split`"
            )
            raise UserError(
                self.folder / MANIFEST, f"has no row of split {name!r}", have, exit_code=EXIT_USAGE
            )
        return Dataset(self.folder, chosen, self.rows)

    def verify(self) -> None:
        """Hash the files and stop where one is not what the manifest says; known hashes are remembered.

        Raises:
            UserError: names the first file that is missing, or holds something else.
        """
        require_vouched(self.folder, self.records)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {record.key: place for place, record in enumerate(self.records)}


def open_dataset(folder: str | os.PathLike[str], *, verify: bool = False) -> Dataset:
    """The pairs of a folder that `realdeg align`, `degrade`, `adopt` or `tile` has written.

    Args:
        folder: that holds manifest.csv.
        verify: hash every file first, as training does (`Dataset.verify`).

    Returns:
        Pairs of status ok; `rows` holds the others, too.

    Raises:
        UserError: no manifest, a damaged one, or (with `verify`) files that are not what it says.
    """
    path = Path(folder)
    rows = tuple(read_manifest(path))
    found = Dataset(path, tuple(row for row in rows if row.ok), rows)
    if verify:
        found.verify()
    return found
