"""A run folder: what it was begun with, and beginning anew."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realdeg.errors import UserError
from realdeg.settings import RUN_FILE, read_yaml
from train.restore.checkpoint import FOLDER, latest
from train.surroundings import FILE


def refuse_other_settings(
    out: Path, now: Mapping[str, Any], free: set[str], defaults: Mapping[str, Any]
) -> None:
    """Refuse to go on with a run that was begun differently.

    Args:
        now: settings in force, as plain values.
        free: names that may differ.
        defaults: what held for names that the run's version did not have yet.

    Raises:
        UserError: names what changed.
    """
    if not (out / RUN_FILE).is_file():
        return
    before = read_yaml(out / RUN_FILE)
    before = {**defaults, **before}
    changed = [n for n in now if n not in free and now[n] is not None and before.get(n) != now[n]]
    if changed:
        what = ", ".join(f"{name} was {before.get(name)}, is {now[name]}" for name in changed)
        raise UserError(out, f"was made with other settings ({what})", "use another -o, or --overwrite")


def refuse_other_pairs(out: Path, data: str) -> None:
    """Refuse to go on with a run that has learned from other pairs, whose shuffle would not be the same.

    Args:
        data: fingerprint of the keys to learn from.

    Raises:
        UserError: the run's differs.
    """
    found = latest(out, lambda text: None)
    if found is not None and found.about.get("data") != data:
        raise UserError(out, "was trained on other pairs", "use another -o, or --overwrite")


def clear(out: Path) -> None:
    """Remove what a training wrote into `out`, and nothing else."""
    for folder in (FOLDER, "tensorboard"):
        shutil.rmtree(out / folder, ignore_errors=True)
    for name in ("metrics.csv", "validation.csv", FILE, RUN_FILE):
        (out / name).unlink(missing_ok=True)
