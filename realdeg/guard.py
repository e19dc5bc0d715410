"""One job for a folder at a time, and a clean way to stop it."""

from __future__ import annotations

import contextlib
import fcntl
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
    handle = _open_locked(folder, path)
    try:
        text = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its note
            os.ftruncate(handle, 0)
            os.write(handle, text.encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _open_locked(folder: Path, path: Path) -> int:
    """Descriptor of the lock file, locked by the kernel, which lets go of it however this process ends."""
    while True:
        try:
            handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise UserError(folder, problem, "choose another output folder") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            problem = f"is in use by {_holder(path)}"
            raise UserError(folder, problem, "wait for it or choose another folder") from None
        except OSError:
            return handle  # a file system without locks: better unguarded than not at all
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # its last holder removed it between our two calls


def _holder(path: Path) -> str:
    """Who says that it holds the lock."""
    try:
        lock = json.loads(path.read_text())
        return f"process {int(lock['pid'])} since {lock['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


class Stop:
    """Set by the first Ctrl-C or by the job itself; the second Ctrl-C raises.

    Attributes:
        by_signal: whether a signal asked for the end.
        reason: why the job itself did, where going on would be in vain; "" otherwise.
    """

    def __init__(self) -> None:
        self.by_signal = False
        self.reason = ""
        self._set = False

    def set(self, reason: str = "") -> None:
        """Ask for the end."""
        self._set = True
        self.reason = self.reason or reason

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
