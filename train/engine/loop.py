"""The one training loop: all that is not learning."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from realdeg.errors import Interrupted, UserError
from realdeg.guard import stop_signals
from realdeg.terminal import write_line
from train.data.batches import prefetch
from train.engine.headline import Headline, in_words
from train.engine.log import RunLogger, RunningMean
from train.engine.ranks import Ranks
from train.memory import enough_memory
from train.progress import ProgressBar
from train.restore.checkpoint import Stateful, resume_point, save


class Named(Protocol):
    """A batch that knows the files it came from."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its pairs."""
        ...


N = TypeVar("N", bound=Named)
MEMORY = "lower --batch or --patch, or raise --accumulate; the last checkpoint is kept"


class Check(Protocol):
    """A judge of the networks as they stand."""

    def __call__(self, done: int) -> Mapping[str, float]:
        """Figures after so many steps."""
        ...

    def picture(self) -> np.ndarray:
        """What the networks make of a pair, (H, W, 3) uint8."""
        ...


def fit(
    step: Callable[[int, N], Mapping[str, Tensor | float]],
    batches: Callable[[int], N],
    parts: Mapping[str, Stateful],
    out: Path,
    steps: int,
    *,
    about: Mapping[str, Any],
    check: Check | None = None,
    check_every: int = 1000,
    save_every: int = 1000,
    log_every: int = 20,
    track: str = "auto",
    what: str = "training",
    quiet: bool = False,
    ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
) -> int:
    """Do `step` until `steps` are done, going on from the newest whole checkpoint in `out`.

    Writes `out/metrics.csv` (means since the row before), `out/validation.csv`, TensorBoard events and
    `out/checkpoints`. A run that was killed and started again ends with the same bytes as one that was not.

    Args:
        step: learns from one batch; returns scalars by name.
        batches: the batch of step i, a pure function of i; called from another thread.
        parts: networks, optimisers, schedules: everything that must survive a restart.
        steps: total, counted from the start of the run, not of this call.
        about: stored with the weights (kind, scale, settings).
        check: judges the networks after a number of steps; its numbers go to validation.csv, its picture
            to TensorBoard.
        track: TensorBoard "auto", "on" or "off".
        ranks: processes that learn together; the first one writes, checks and speaks.

    Returns:
        Steps done before this call.

    Raises:
        UserError: a number or a weight became NaN or infinite, and the files of that step are named; or
            none of the checkpoints is whole.
        Interrupted: Ctrl-C or SIGTERM; the step in hand was finished and saved.
    """
    ranks.wait()  # an earlier stage may still be being saved
    window = RunningMean()
    kept: dict[str, Stateful] = {**parts, "window": window}
    found = resume_point(out)
    start = 0
    if found is not None:
        found.restore(kept)
        start = found.step
    if start >= steps:
        return start
    with contextlib.ExitStack() as stack:
        show = stack.enter_context(ProgressBar(what, steps, start, quiet=quiet or not ranks.is_first))
        stop = stack.enter_context(stop_signals())
        notes = stack.enter_context(RunLogger(out, track, start)) if ranks.is_first else None
        if start:
            show.line(f"going on from step {start}")
        if found is not None:
            show.more(f"restored {found.weights} and {', '.join(kept)}")

        waited = busy = 0.0
        seen = Headline()
        source = stack.enter_context(contextlib.closing(prefetch(batches, range(start, steps))))
        for i, (batch, wait) in enumerate(_timed(source), start):
            began = time.monotonic()
            with enough_memory(f"step {i + 1}", MEMORY):
                values = {name: float(value) for name, value in step(i, batch).items()}
            values, stopped = ranks.agree(values, stop.is_set())
            busy, waited, done = busy + time.monotonic() - began, waited + wait, i + 1
            saving = done % save_every == 0 or done == steps or stopped
            # A finite loss may have had a gradient that was not: weights are looked at before they are saved.
            _refuse(_lost(values, parts if saving else {}), done, batch, out)
            window.add(values)
            seen.add(values)
            show.step(done, seen.told())
            if ranks.is_first and (doubt := show.schedule(done)):
                write_line(sys.stderr, doubt) if quiet else show.line(doubt)
            if done % log_every == 0 or done == steps:
                means = window.take()
                if notes:
                    notes.add("metrics", done, means)
            if notes and check and (done % check_every == 0 or done == steps):
                judgement = check(done)
                notes.add("validation", done, judgement)
                notes.show(done, check.picture)
                seen.judged(judgement)
                show.line(f"step {done}: {in_words(judgement)}")
            if notes and saving:
                weights = save(out, done, kept, about)
                show.more(f"checkpoint of step {done}: {weights}, {weights.stat().st_size / 1e6:.3g} MB")
            if stopped and done < steps:
                raise Interrupted(f"after step {done} in {out}")
        if waited > 0.01 * busy:
            show.line(f"waited {100 * waited / (busy + waited):.0f} % of the time for data")
    return start


def _timed(source: Iterator[N]) -> Iterator[tuple[N, float]]:
    """Each item with the seconds that it was waited for."""
    while True:
        began = time.monotonic()
        try:
            item = next(source)
        except StopIteration:
            return
        yield item, time.monotonic() - began


def _lost(values: Mapping[str, float], parts: Mapping[str, Stateful]) -> list[str]:
    """What is NaN or infinite: names of numbers, and of the networks that hold such a number."""
    nets = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
    broken = (
        name
        for name, net in nets.items()
        if not all(bool(torch.isfinite(tensor).all()) for tensor in net.state_dict().values())
    )
    return [
        *(name for name, value in values.items() if not math.isfinite(value)),
        *(f"weights of {name}" for name in broken),
    ]


def _refuse(lost: list[str], done: int, batch: Named, out: Path) -> None:
    if lost:
        files = ", ".join(sorted(set(batch.keys)))
        raise UserError(
            out,
            f"{', '.join(lost)} became NaN or infinite at step {done}, whose crops are from {files}",
            "look at these images, or lower `learning_rate`; the last checkpoint is kept, run again to go on "
            "from it",
        )
