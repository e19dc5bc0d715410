"""What the training programs have in common: their options, what --dry-run says, and how they end."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from realdeg import words
from realdeg.options import add_options, preset_in_force
from realdeg.output import Output
from train.engine.run_settings import RunSettings

F = TypeVar("F", bound=Callable[..., Any])


def run_options(function: F) -> F:
    """Add --resume/--overwrite."""
    help = "Go on with the run in -o (default), or start it anew."
    return add_options(function, [click.option("--resume/--overwrite", default=True, help=help)])


def run_program(
    train: Callable[..., Path],
    settings: RunSettings,
    output: Output,
    *,
    resume: bool,
    following: Callable[[Path], str],
) -> None:
    """Train, and say where the result is and what comes next.

    Args:
        train: from settings to run folder.
        settings: `data` and `out` are set.
        output: how it is told.
        resume: go on with what an earlier run left.
        following: the command that makes use of a run folder.
    """
    if output.dry_run:
        _plan(settings, output, resume=resume)
        return
    show = output.progress
    is_first = os.environ.get("RANK", "0") == "0"  # of torchrun's processes one speaks
    if show and is_first:
        output.more(_begun_with(settings))
    out = train(settings, overwrite=not resume, quiet=not show, say=output.say if show else _unheard)
    if not is_first:
        return
    next_one = following(out)
    line = f"{out}: done; next: {next_one}"
    told = {"run": str(out), **_last(out), "next": next_one}
    output.result(told, *([] if output.quiet else [line]))


def _begun_with(settings: RunSettings) -> str:
    """The preset, and all that is not as the program has it by default."""
    fields = [(field.name, field.default) for field in dataclasses.fields(settings)]
    others = [f"{name} {getattr(settings, name)}" for name, was in fields if getattr(settings, name) != was]
    return f"settings: preset {preset_in_force() or 'none'}; not the defaults: {', '.join(others) or 'none'}"


def _unheard(text: str) -> None:
    """Nobody wants to know."""


def _plan(s: RunSettings, output: Output, *, resume: bool) -> None:
    """What would be learned from, and how long."""
    from train.data.pairs import counted, read_split
    from train.restore.checkpoint import latest

    assert s.data is not None
    assert s.out is not None
    split = read_split(s.data, scale=s.scale, extra=s.extra)
    steps = s.steps or s.epochs * max(1, len(split.train) // s.batch)
    found = latest(s.out, lambda text: None) if resume and s.out.is_dir() else None
    told = {
        "dry_run": True, "data": str(s.data), "run": str(s.out), "scale": split.scale,
        "pairs": len(split.train), "validation": len(split.val), "left_out": dict(split.left_out),
        "steps": steps, "begins_at": found.step if found else 0,
    }  # fmt: skip
    pairs = words.counted(len(split.train), "pairs")
    lines = [
        f"would learn from {pairs} x{split.scale} of {s.data} into {s.out}, "
        f"{words.counted(steps, 'steps')} of {words.counted(s.batch, 'crops')} of {s.patch} LR px",
        f"  validation: {words.counted(len(split.val), 'pairs')} ({split.note})",
    ]
    if split.left_out:
        lines.append(f"  left out: {counted(split.left_out)}")
    if found:
        lines.append(f"  goes on from step {found.step}")
    if output.verbose:
        lines += [f"  {field.name}: {getattr(s, field.name)}" for field in dataclasses.fields(s)]
    output.result(told, *lines)


def _last(out: Path) -> dict[str, Any]:
    """Figures of a run's last validation, by name."""
    path = out / "validation.csv"
    rows: Sequence[dict[str, str]] = ()
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    return {"validation": {n: float(v) for n, v in rows[-1].items() if v}} if rows else {}
