"""Files that are either whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from realdeg.errors import DiskFull, UserError

TEMPORARY = ".realdeg-tmp"
NAME = re.compile(rf"\.[0-9a-f]{{12}}\.(?:([0-9a-f]{{8}})\.)?(\d+)(?:\.[0-9a-f]{{8}})?{re.escape(TEMPORARY)}")
"""Temporary names: `.TARGET.HOST.PID.RANDOM.realdeg-tmp`; earlier versions left HOST and RANDOM out."""
OLD_SECONDS = 86400.0  # a temporary file of an earlier version, which names no host, is stale after a day
IN_USE = (5, 32, 33)  # Windows: access denied, which an open target gives; shared badly; locked
PATIENCE = 2.0
NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the body cannot write is an error of `path`.

    Raises:
        DiskFull: in place of an OSError that says so, which the next file would meet as well.
        UserError: in place of any other.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            problem = "the disk is full" if error.errno == errno.ENOSPC else "the disk quota is used up"
            raise DiskFull(path, problem, "free some space and run again to resume") from None
        raise UserError(
            path, f"cannot be written ({error.strerror or error})", "choose another output"
        ) from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; on a clean exit it is synced and becomes `path`.

    The parent folder is made, and so is the temporary file: empty, new, with the permissions that any new
    file gets. A link at `path` is replaced, not followed. On an error the temporary file is removed and
    `path` is as it was.

    Raises:
        UserError: the folder cannot be written, or the disk is full (`DiskFull`).
    """
    with writing(path), temporary_name(path) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(temporary)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        replace(temporary, path)


def replace(temporary: Path, path: Path) -> None:
    """Give a finished file its name, in one step; whatever had it is gone.

    Windows refuses while another program (a scanner for viruses, a viewer, a copy into the cloud) has the
    old file or the new one open, mostly for a moment: then it is tried again for `PATIENCE` seconds.

    Raises:
        OSError: it does not work, or not in that time.
    """
    wait = 0.01
    while True:
        try:
            return os.replace(temporary, path)
        except PermissionError as error:
            if getattr(error, "winerror", None) not in IN_USE or wait > PATIENCE / 2:
                raise
        time.sleep(wait)
        wait *= 2


@contextlib.contextmanager
def temporary_name(path: Path) -> Iterator[Path]:
    """Where `path` is prepared: beside it, hidden, short enough for any name; whatever is left is removed.

    The name tells `sweep` who writes there. Nothing is made yet: whoever does must take the name only
    where it is free (`os.link`, or O_EXCL).
    """
    short = hashlib.blake2b(os.fsencode(path.name), digest_size=6).hexdigest()
    name = f".{short}.{_host()}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY}"
    _in_hand.add(name)
    try:
        yield path.with_name(name)
    finally:
        with contextlib.suppress(OSError):  # where no file could be made, none can be removed
            path.with_name(name).unlink()
        _in_hand.discard(name)


_in_hand: set[str] = set()
"""Names of the temporary files that this process is writing."""


def _create(path: Path) -> None:
    """An empty file where there was nothing, neither file nor link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(path, flags, 0o666))


def _host() -> str:
    """This machine, or container, in 8 digits."""
    return hashlib.blake2b(platform.node().encode("utf-8", "replace"), digest_size=4).hexdigest()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` through `whole_file`."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with line breaks as they are."""
    write_bytes(path, text.encode())


def sweep(folder: Path) -> int:
    """Remove temporary files that dead processes left below `folder`; how many there were.

    Those of living processes stay, and those of other machines, of whose processes nothing is known here.
    """
    gone = 0
    for path in folder.rglob(f".*{TEMPORARY}") if folder.is_dir() else ():
        if is_stale(path):
            with contextlib.suppress(OSError):
                path.unlink()
                gone += 1
    return gone


def is_stale(path: Path) -> bool:
    """Whether a file with a temporary name was left behind by a process of this machine that is no more."""
    match = NAME.fullmatch(path.name)
    if match is None:
        return False
    host, pid = match[1], int(match[2])
    if host is None:
        try:
            return not is_alive(pid) and time.time() - path.lstat().st_mtime > OLD_SECONDS
        except OSError:
            return False
    if host != _host():
        return False
    if pid == os.getpid():  # in a container each run may have the same number
        return path.name not in _in_hand
    return not is_alive(pid)


def is_alive(pid: int) -> bool:
    """Whether a process of this number runs on this machine."""
    if sys.platform == "win32":  # there `os.kill` would end it
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x00100000, False, pid)  # SYNCHRONIZE
        if not handle:
            return False
        ended = ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == 0
        ctypes.windll.kernel32.CloseHandle(handle)
        return not ended
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to somebody else
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and nobody asked how: a container without an init keeps such for ever."""
    try:
        told = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # no /proc, or it is gone by now
        return False
    return told.rpartition(b")")[2].split()[:1] == [b"Z"]
