"""Progress for the eye: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from realdeg.terminal import is_rich_terminal, write_line

ROOMY = 120  # columns of a terminal from which on the numbers are shown beside the bar


class ProgressBar:
    """Progress on standard error: a bar with ETA on a terminal, a plain line every few seconds elsewhere."""

    PLAIN_SECONDS = 10.0

    def __init__(self, what: str, total: int, resumed: int, *, quiet: bool = False) -> None:
        self.what, self.total, self.resumed, self.quiet = what, total, resumed, quiet
        self.started = time.monotonic()
        self.bar: Any = None
        self._next = self.started + self.PLAIN_SECONDS / 2
        if not quiet and is_rich_terminal(sys.stderr):
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            words = ("{task.description}", "{task.completed}/{task.total}", "{task.fields[note]}")
            name, count, note = (TextColumn(text) for text in words)
            self.bar = Progress(name, BarColumn(20), count, note, console=Console(stderr=True))
            self.task = self.bar.add_task(what, total=total, completed=resumed, note="")

    def __enter__(self) -> ProgressBar:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, done: int, values: Mapping[str, float]) -> None:
        """Show the state after one step."""
        if self.quiet or (not self.bar and time.monotonic() < self._next and done < self.total):
            return
        self._next = time.monotonic() + self.PLAIN_SECONDS
        rate = (done - self.resumed) / max(time.monotonic() - self.started, 1e-9)
        eta = clock((self.total - done) / rate) if rate > 0 else "?"
        note = f"{rate:.3g}/s  ETA {eta}"
        numbers = "".join(f"  {name} {value:.4g}" for name, value in values.items())
        if self.bar:
            roomy = self.bar.console.width >= ROOMY
            self.bar.update(self.task, completed=done, note=note + (numbers if roomy else ""))
        else:
            self.line(f"{self.what} {done}/{self.total}  {note}{numbers}")

    def line(self, text: str) -> None:
        """One line, above the bar."""
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif not self.quiet:
            write_line(sys.stderr, text)


def clock(seconds: float) -> str:
    """1:02 or 3:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
