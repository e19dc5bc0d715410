"""What happened to a run between its starts: a line for each change, in `history.jsonl`.

`environment.json` says where each start ran; this file says what was different from there on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from realdeg.atomic import writing

FILE = "history.jsonl"


def note(
    out: Path, step: int, *, changed: Mapping[str, tuple[Any, Any]] | None = None, said: str = ""
) -> None:
    """Add a line to `out/history.jsonl`.

    Args:
        out: run folder.
        step: from which on it holds.
        changed: settings by name, before and now.
        said: anything else, in words.

    Raises:
        UserError: it cannot be written, or the disk is full.
    """
    entry: dict[str, Any] = {"step": step, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    if changed:
        entry["changed"] = {name: list(values) for name, values in changed.items()}
    if said:
        entry["note"] = said
    path = out / FILE
    with writing(path), path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def in_words(changed: Mapping[str, tuple[Any, Any]]) -> str:
    """Changes for a line: "lr 0.001 -> 0.0001, batch 8 -> 4"."""
    return ", ".join(f"{name} {before} -> {now}" for name, (before, now) in changed.items())
