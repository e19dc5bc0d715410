"""Files that are either whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from realdeg.errors import DiskFull, UserError

TEMPORARY = ".realdeg-tmp"
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

    The parent folder is made. On an error the temporary file is removed and `path` is as it was.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    temporary = temporary_name(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # where no file could be made, none can be removed
            temporary.unlink()


def temporary_name(path: Path) -> Path:
    """Where `path` is prepared: beside it, hidden, short enough for any name, found by `sweep`."""
    short = hashlib.blake2b(os.fsencode(path.name), digest_size=6).hexdigest()
    return path.with_name(f".{short}.{os.getpid()}{TEMPORARY}")


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` through `whole_file`."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with line breaks as they are."""
    write_bytes(path, text.encode())


def sweep(folder: Path) -> int:
    """Remove temporary files that a killed job left below `folder`; how many there were."""
    stale = list(folder.rglob(f".*{TEMPORARY}")) if folder.is_dir() else []
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)
