"""One job for a folder at a time, and a clean way to stop it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from realdeg.errors import UserError
from realdeg.terminal import write_line
from realdeg.typed import Mistyped, parsed

LOCK = ".realdeg.lock"
STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")  # those that the platform has
OPEN_FILES_STAY = os.name == "nt"
"""Whether an open file keeps its name: Windows neither removes nor replaces one."""
NOTE_AT = 1  # Windows locks the first byte, which nobody else may read then


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process.

    Where the file system has no locks, a line on standard error says so, and the folder is used unguarded.

    Raises:
        UserError: a living process holds it (its number and start are named), or it cannot be written.
    """
    path = folder / LOCK
    handle = _open_locked(folder, path)
    try:
        text = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
        with contextlib.suppress(OSError):  # a full disk: the lock holds without its note
            os.ftruncate(handle, 0)
            os.write(handle, b" " * NOTE_AT + text.encode())
        yield
    finally:
        # Removed while it is held: who opened it meanwhile finds that it has no name any more. Windows
        # removes no open file, and after closing only one that nobody else has opened.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)
        if OPEN_FILES_STAY:
            with contextlib.suppress(OSError):
                path.unlink()


def _open_locked(folder: Path, path: Path) -> int:
    """Descriptor of the lock file, locked by the kernel, which lets go of it however this process ends."""
    from filelock import lock_descriptor

    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    while True:
        try:
            handle = os.open(path, flags, 0o644)
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise UserError(folder, problem, "choose another output folder") from None
        try:
            held = lock_descriptor(handle, blocking=False)
        except (OSError, NotImplementedError) as error:  # better unguarded than not at all
            why = getattr(error, "strerror", None) or "not supported"
            problem = f"cannot be locked ({why}), so nothing keeps two jobs apart here"
            write_line(sys.stderr, f"warning: {UserError(folder, problem, 'run one job at a time')}")
            return handle
        if not held:
            holder = _holder(path)
            os.close(handle)
            raise UserError(folder, f"is in use by {holder}", "wait for it or choose another folder")
        if OPEN_FILES_STAY:  # ours is open; and what tells files apart there is not the same for both calls
            return handle
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)  # its last holder removed it between our two calls


class _Note(TypedDict):
    pid: int
    since: str


def _holder(path: Path) -> str:
    """Who says that it holds the lock."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(NOTE_AT)
            lock = parsed(file.read(1 << 12), _Note)
        return f"process {lock['pid']} since {lock['since']}"
    except (OSError, Mistyped):
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
    """First SIGINT, SIGTERM or SIGHUP: finish what is in flight. Second: KeyboardInterrupt.

    A SIGHUP that is ignored, as under nohup, stays ignored.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: object) -> None:
        if stop.by_signal:
            raise KeyboardInterrupt
        stop.by_signal = True
        stop.set()

    numbers = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        numbers.remove(signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
