"""Files that no row of the manifest names: set aside, as programs that list folders take them for pairs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from realdeg.atomic import TEMPORARY, writing
from realdeg.records import OUTPUTS, PairRecord

LEFTOVER = "leftover"


def orphans(out: Path, rows: Iterable[PairRecord]) -> Iterator[Path]:
    """Files below LR/, HR/ and so on that no row names, relative to `out`; no temporary files."""
    named = {path for row in rows for path in (*row.files, row.lr, row.hr) if path}
    root = str(out)
    for folder in OUTPUTS:
        for place, _, names in os.walk(out / folder):
            inside = place[len(root) :].replace(os.sep, "/").strip("/")
            for name in sorted(names):
                if f"{inside}/{name}" not in named and not name.endswith(TEMPORARY):
                    yield Path(inside, name)


def set_aside(out: Path, rows: Iterable[PairRecord]) -> int:
    """Move the orphans of `out` into `out/leftover`; how many there were. Nothing is deleted or replaced.

    Raises:
        UserError: a file cannot be moved.
    """
    count = 0
    for path in list(orphans(out, rows)):
        target = _free(out / LEFTOVER / path)
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            (out / path).rename(target)
        count += 1
        for parent in path.parents:
            with contextlib.suppress(OSError):  # not empty
                if parent.parts:
                    (out / parent).rmdir()
    return count


def _free(path: Path) -> Path:
    """`path`, or with a number where something is there already."""
    number = 1
    free = path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
