"""Items that take longer than they may: in a worker the parent sees it, in its own process a watchdog."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, NoReturn

from realdeg.errors import EXIT_SOME_FAILED, UserError
from realdeg.terminal import is_rich_terminal, write_line

SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


class Clocks:
    """For how long each task is at work, as far as the parent can know.

    Workers take tasks in the order in which they were submitted, so those at work are the first that are
    unfinished; nobody need report when he began.

    Args:
        seconds: that a task may take; 0: any number.
        workers: tasks at work at the same time.
    """

    def __init__(self, seconds: float, workers: int) -> None:
        self.seconds = seconds
        self.workers = workers
        self._since: dict[Future[Any], float] = {}

    def overdue(self, unfinished: Iterable[Future[Any]]) -> list[Future[Any]]:
        """Tasks that have had their time, of all that are unfinished, as they were submitted."""
        if not self.seconds:
            return []
        now = time.monotonic()
        at_work = list(unfinished)[: self.workers]
        self._since = {task: self._since.get(task, now) for task in at_work}
        return [task for task in at_work if now - self._since[task] > self.seconds]


class Watchdog:
    """Ends this process where an item in it takes too long; a context manager.

    Nothing can stop a decoder written in C from inside its process. The journal knows what was in hand, and
    the next run does that item in a process of its own, which can be ended.

    Args:
        seconds: that an item may take; 0: any number.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._subject: str | os.PathLike[str] = ""
        self._deadline: float | None = None
        self._done = threading.Event()

    def __enter__(self) -> Watchdog:
        if self.seconds:
            threading.Thread(target=self._look, name="item seconds", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def begin(self, subject: str | os.PathLike[str]) -> None:
        """An item begins; `subject` is named should it not end."""
        self._subject = subject
        self._deadline = time.monotonic() + self.seconds

    def end(self) -> None:
        """The item has ended."""
        self._deadline = None

    def _look(self) -> None:
        wait = self.seconds
        while not self._done.wait(wait):
            deadline = self._deadline
            wait = self.seconds if deadline is None else deadline - time.monotonic()
            if wait <= 0:
                self._end_process()

    def _end_process(self) -> NoReturn:
        problem = f"took longer than {self.seconds:g} s, and nothing but the end of its process stops it"
        remedy = "run again: it is then done in a process apart, and what was finished is saved"
        if is_rich_terminal(sys.stderr):
            write_line(sys.stderr, SHOW_CURSOR)
        write_line(sys.stderr, f"error: {UserError(self._subject, problem, remedy)}")
        os._exit(EXIT_SOME_FAILED)
