"""Progress for the eye: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from realdeg.output import bare, current
from realdeg.terminal import is_rich_terminal, write_line
from realdeg.words import clock, duration

ROOMY = 90  # columns of a terminal from which on the numbers are shown beside the bar
WARM, SURE = 3, 20  # steps: the first ones take longer; after so many the speed is known
LONG = 12 * 3600.0  # s: a schedule that takes longer is one that few have meant for their own machine
A_NIGHT = 8 * 3600.0  # s: for how many steps there is time then


class ProgressBar:
    """Progress on standard error: a bar with ETA on a terminal, a plain line every few seconds elsewhere."""

    PLAIN_SECONDS = 10.0

    def __init__(
        self,
        what: str,
        total: int,
        resumed: int,
        *,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.output = current()
        quiet = quiet or not self.output.progress
        self.what, self.total, self.resumed, self.quiet, self.now = what, total, resumed, quiet, now
        self.started = now()
        self._since = resumed, self.started  # step and time that the speed is measured from
        self.bar: Any = None
        self._next = self.started + self.PLAIN_SECONDS / 2
        if not quiet and is_rich_terminal(sys.stderr):
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            words = ("{task.description}", "{task.completed}/{task.total}", "{task.fields[note]}")
            name, count, note = (TextColumn(text) for text in words)
            self.bar = Progress(name, BarColumn(20), count, note, console=Console(file=bare(sys.stderr)))
            self.task = self.bar.add_task(what, total=total, completed=resumed, note="")

    def __enter__(self) -> ProgressBar:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, done: int, values: Mapping[str, float | str]) -> None:
        """Show the state after one step: speed, time to go, and a few figures (the tables have all)."""
        if done - self.resumed == WARM:
            self._since = done, self.now()
        if self.quiet or (not self.bar and self.now() < self._next and done < self.total):
            return
        self._next = self.now() + self.PLAIN_SECONDS
        note = self._speed(done)
        numbers = "".join(f"  {name} {v if isinstance(v, str) else f'{v:.3g}'}" for name, v in values.items())
        if self.bar:
            roomy = self.bar.console.width >= ROOMY
            self.bar.update(self.task, completed=done, note=note + (numbers if roomy else ""))
        else:
            self.line(f"{self.what} {done}/{self.total}  {note}{numbers}")

    def seconds_each(self, done: int) -> float | None:
        """Seconds a step, of those after the first few; None where nothing is known yet."""
        step, then = self._since if done > self._since[0] else (self.resumed, self.started)
        return (self.now() - then) / (done - step) if done > step else None

    def _speed(self, done: int) -> str:
        each = self.seconds_each(done)
        if not each:
            return "ETA ?"
        speed = f"{each:.3g} s each" if each > 1 else f"{1 / each:.3g}/s"
        return f"{speed}  ETA {clock((self.total - done) * each)}"

    def schedule(self, done: int) -> str:
        """What to say of a training that takes far longer than people wait, once its speed is known.

        Args:
            done: steps.

        Returns:
            One line, after `SURE` steps of this call; else, and where it ends within `LONG`, "".
        """
        each = self.seconds_each(done)
        if done - self.resumed != SURE or not each or (self.total - done) * each <= LONG:
            return ""
        left = duration((self.total - done) * each)
        steps = max(1, int(float(f"{A_NIGHT / each:.1g}")))
        return (
            f"{self.what}: {self.total - done:,} steps at {each:.2g} s each take {left} on this machine; "
            f"--preset tiny is for trying out, and --steps {done + steps} ends in {duration(steps * each)}"
        )

    def more(self, text: str) -> None:
        """One line for whoever wants to hear of each item."""
        if self.output.verbose:
            self.line(text)

    def line(self, text: str) -> None:
        """One line, above the bar."""
        if self.bar:
            self.output.note(text)
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif not self.quiet:
            write_line(sys.stderr, text)
