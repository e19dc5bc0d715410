"""A run folder: what it was begun with, and beginning anew."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realdeg.errors import UserError
from realdeg.settings import RUN_FILE, current_names, read_yaml, to_mapping
from train.data.learned import FILE as LEARNED
from train.data.reference_list import FILE as REFERENCES
from train.engine.history import FILE as HISTORY
from train.engine.surroundings import FILE
from train.restore.checkpoint import FOLDER, latest


def refuse_other_settings(out: Path, settings: Any, free: set[str]) -> dict[str, tuple[Any, Any]]:
    """Refuse to go on with a run that was begun differently.

    Args:
        settings: those in force; what a run's version did not have yet held at its default.
        free: names that may differ.

    Returns:
        Free settings that differ, by name: before and now.

    Raises:
        UserError: names what changed and may not.
    """
    if not (out / RUN_FILE).is_file():
        return {}
    now, defaults = to_mapping(settings), to_mapping(type(settings)())
    before = {**defaults, **current_names(type(settings), read_yaml(out / RUN_FILE))}
    changed = {n: (before.get(n), now[n]) for n in now if now[n] is not None and before.get(n) != now[n]}
    wrong = {name: values for name, values in changed.items() if name not in free}
    if wrong:
        what = ", ".join(f"{name} was {was}, is {new}" for name, (was, new) in wrong.items())
        raise UserError(out, f"was made with other settings ({what})", "use another -o, or --overwrite")
    return changed


@dataclass(frozen=True)
class LearnedFrom:
    """What a run learns from, as fingerprints.

    Attributes:
        names: of the pairs' keys.
        content: of keys and images.
        older: of the keys that earlier versions would have learned from, and what else they knew by name.
    """

    names: str
    content: str
    older: str

    def stored(self) -> dict[str, str]:
        """For a checkpoint; `data` is what earlier versions compare."""
        return {"data": self.names, "pairs": self.content}


def refuse_other_pairs(out: Path, now: LearnedFrom) -> bool:
    """Refuse to go on with a run that has learned from other pairs, whose shuffle would not be the same.

    Args:
        now: what is to be learned from.

    Returns:
        Whether the run is an earlier version's, which did not hold out all that is held out now.

    Raises:
        UserError: the run has learned from something else.
    """
    found = latest(out, lambda text: None)
    if found is None:
        return False
    remedy = "use another -o, or --overwrite"
    if "pairs" in found.about:
        if found.about["pairs"] == now.content:
            return False
        if found.about.get("data") == now.names:
            raise UserError(out, "was trained on other images under the same keys", remedy)
        raise UserError(out, "was trained on other pairs", remedy)
    if found.about.get("data") not in (now.names, now.older):
        raise UserError(out, "was trained on other pairs", remedy)
    return found.about.get("data") != now.names


def clear(out: Path) -> None:
    """Remove what a training wrote into `out`, and nothing else."""
    for folder in (FOLDER, "tensorboard"):
        shutil.rmtree(out / folder, ignore_errors=True)
    for name in ("metrics.csv", "validation.csv", FILE, HISTORY, LEARNED, REFERENCES, RUN_FILE):
        (out / name).unlink(missing_ok=True)
