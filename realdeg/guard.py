"""One job for a folder at a time, and a clean way to stop it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from realdeg.errors import UserError

LOCK = ".realdeg.lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process.

    Raises:
        UserError: a living process holds it (its number and start are named), or it cannot be written.
    """
    path = folder / LOCK
    text = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
    while True:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            break
        except FileExistsError:
            holder = _holder(path)
            if holder:
                raise UserError(
                    folder, f"is in use by {holder}", "wait for it or choose another folder"
                ) from None
            path.unlink(missing_ok=True)
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise UserError(folder, problem, "choose another output folder") from None
    with os.fdopen(handle, "w") as file:
        file.write(text)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    """Who holds the lock, or "" if nobody living does."""
    try:
        lock = json.loads(path.read_text())
        pid, since = int(lock["pid"]), str(lock["since"])
        os.kill(pid, 0)
    except PermissionError:
        return "a process of another user"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return "" if pid == os.getpid() else f"process {pid} since {since}"


class Stop:
    """Set by the first Ctrl-C or by the job itself; the second Ctrl-C raises."""

    def __init__(self) -> None:
        self.by_signal = False
        self._set = False

    def set(self) -> None:
        """Ask for the end."""
        self._set = True

    def is_set(self) -> bool:
        """Whether the end was asked for."""
        return self._set


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """First SIGINT or SIGTERM: finish what is in flight. Second: KeyboardInterrupt."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: object) -> None:
        if stop.by_signal:
            raise KeyboardInterrupt
        stop.by_signal = True
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
