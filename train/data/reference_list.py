"""The references of a run, settled when it begins: a list by content, which a resumed run finds again.

A crop leans on picture number k of the list. So the list stays as it was: pictures that were added since
aren't used, and where one is gone, its crops alone take the next one that is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

from realdeg.atomic import write_text
from realdeg.errors import UserError
from realdeg.identity import FileState, is_same, place, state_of
from realdeg.typed import Mistyped, read_json
from train.data.cache import first_of
from train.restore.guides import Pictures

FILE = "references.json"


def settled(pictures: Pictures, out: Path, say: Callable[[str], None]) -> tuple[Pictures, list[str]]:
    """The pictures by their numbers in the run.

    Args:
        pictures: that are there now.
        out: run folder; `references.json` in it is the list, written when the run begins.
        say: receives lines for the user.

    Returns:
        The run's pictures, and what has changed since it began, in words.

    Raises:
        UserError: the run begins and pictures can't be used, all of which are named; or it goes on and none
            of its pictures is there.
    """
    listed = _read(out / FILE)
    if listed is None:
        return _begin(pictures, out), []
    there = _by_content(pictures.paths, dict(listed))
    chosen: list[Path | None] = [there.get(state.sha256) for _, state in listed]
    gone = [Path(name).name for (name, _), path in zip(listed, chosen, strict=True) if path is None]
    if len(gone) == len(listed):
        problem = f"holds none of the {len(listed)} references that the run began with"
        raise UserError(pictures.paths[0].parent, problem, "bring them back, or use another -o")
    notes = []
    if gone:
        notes.append(
            f"{len(gone)} of {len(listed)} references are gone ({first_of(gone)}); crops take others"
        )
    known = {state.sha256 for _, state in listed}
    if more := [path.name for sha, path in there.items() if sha not in known]:
        notes.append(f"{len(more)} references were added since the run began ({first_of(more)}); not used")
    for line in notes:
        say(line)
    return Pictures(tuple(_next(chosen, i) for i in range(len(chosen)))), notes


def _begin(pictures: Pictures, out: Path) -> Pictures:
    """Look at all pictures, once, and write the list."""

    def look(i: int) -> UserError | None:
        try:
            pictures[i]
        except UserError as error:
            return error
        return None

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        found = zip(pictures.paths, pool.map(look, range(len(pictures))), strict=True)
        bad = [(path, error) for path, error in found if error is not None]
        if len(bad) == 1:
            raise bad[0][1]
        if bad:
            names = first_of([str(path) for path, _ in bad])
            problem = (
                f"{len(bad)} of {len(pictures)} references cannot be used (the first {bad[0][1].problem})"
            )
            raise UserError(names, problem, "take them out of the folder")
        states = list(pool.map(state_of, pictures.paths))
    rows = [
        [place(path), one.sha256, one.size, one.mtime_ns]
        for path, one in zip(pictures.paths, states, strict=True)
    ]
    write_text(out / FILE, json.dumps({"pictures": rows}, ensure_ascii=False, indent=0) + "\n")
    return pictures


class _List(TypedDict):
    pictures: list[tuple[str, str, int, int]]


def _read(path: Path) -> list[tuple[str, FileState]] | None:
    """The list with places and states, or None where there is none that is whole."""
    try:
        rows = read_json(path, _List)["pictures"]
    except (OSError, Mistyped):
        return None
    return [(name, FileState(sha, size, time)) for name, sha, size, time in rows] or None


def _by_content(paths: Sequence[Path], known: dict[str, FileState]) -> dict[str, Path]:
    """Files by their SHA-256; those at a known place that are what they were aren't hashed."""

    def digest(path: Path) -> str:
        state = known.get(place(path))
        try:
            return state.sha256 if state is not None and is_same(path, state) else state_of(path).sha256
        except OSError:
            return ""

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        found = list(zip(pool.map(digest, paths), paths, strict=True))
    return {sha: path for sha, path in reversed(found) if sha}


def _next(chosen: Sequence[Path | None], i: int) -> Path:
    """Picture i, or the next one that is there."""
    after = (chosen[(i + k) % len(chosen)] for k in range(len(chosen)))
    return next(path for path in after if path is not None)
