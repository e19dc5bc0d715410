"""Lists of marked pairs: marked.csv, as the pages write it, decides which pairs a command takes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from realdeg.errors import EXIT_USAGE, UserError

T = TypeVar("T")
KEY = "key"
NAMED = 3  # unknown keys that are named


@dataclass(frozen=True)
class Marked:
    """Pairs that are taken alone, or that are left out.

    Attributes:
        only: keys of the pairs to take; None: all.
        left_out: keys of pairs to leave out.
        source: the file that names them.
    """

    only: frozenset[str] | None = None
    left_out: frozenset[str] = frozenset()
    source: Path = Path()

    def takes(self, key: str) -> bool:
        """Whether a pair is taken."""
        return (self.only is None or key in self.only) and key not in self.left_out

    def chosen(
        self, items: Sequence[T], known: Iterable[str] = (), *, key: Callable[[T], str]
    ) -> Sequence[T]:
        """The items that are taken, in their order.

        Args:
            items: to choose from.
            known: keys of what is no item but may be named, e.g. of pairs that were rejected.
            key: of an item.

        Raises:
            UserError: the list names a key that nothing has.
        """
        self.check([*known, *(key(item) for item in items)])
        return [item for item in items if self.takes(key(item))]

    def within(self, keys: Iterable[str]) -> Marked:
        """The same for some of the pairs alone: a list that `check` has found right for all."""
        some = frozenset(keys)
        only = None if self.only is None else self.only & some
        return Marked(only, self.left_out & some, self.source)

    def check(self, known: Iterable[str]) -> None:
        """Refuse a list that names what is not there: it belongs to other pairs.

        Raises:
            UserError: it names a key that is not among the known ones.
        """
        strange = sorted(((self.only or frozenset()) | self.left_out) - set(known))
        if strange:
            names = ", ".join(repr(key) for key in strange[:NAMED])
            more = f" and {len(strange) - NAMED:,} more" if len(strange) > NAMED else ""
            raise UserError(
                self.source,
                f"names pairs that are not there: {names}{more}",
                "give the list that was marked on a page of these pairs",
                exit_code=EXIT_USAGE,
            )


ALL = Marked()


def read_marked(path: Path) -> frozenset[str]:
    """Keys in a table with a column `key`, as CSV.

    Commas, semicolons or tabs stand between columns, as spreadsheets of all countries write them; a byte
    order mark is passed over.

    Raises:
        UserError: it cannot be read, has no such column, or names nothing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.splitlines()[0] if text else ""
        between = next((sign for sign in ",;\t" if sign in first), ",")
        rows = list(csv.DictReader(text.splitlines(keepends=True), delimiter=between, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or ("not UTF-8" if isinstance(error, ValueError) else error)
        raise UserError(path, f"cannot be read ({why})", exit_code=EXIT_USAGE) from None
    if rows and KEY not in rows[0]:
        problem = f"has no column {KEY!r}, but {', '.join(str(name) for name in rows[0])[:80]}"
        raise UserError(path, problem, "a page of the report writes such a list", exit_code=EXIT_USAGE)
    keys = frozenset(key for row in rows if (key := row.get(KEY)))
    if not keys:
        raise UserError(path, "names no pair", "mark some on a page of the report", exit_code=EXIT_USAGE)
    return keys


def marked(only: Path | None, left_out: Path | None) -> Marked:
    """The choice of two lists, of which one is given at most.

    Raises:
        UserError: a list cannot be used, or both are given.
    """
    if only is not None and left_out is not None:
        problem = "is a list to take, and there is one to leave out"
        raise UserError(only, problem, "give one of them", exit_code=EXIT_USAGE)
    if only is not None:
        return Marked(only=read_marked(only), source=only)
    if left_out is not None:
        return Marked(left_out=read_marked(left_out), source=left_out)
    return ALL
