"""What a file is: its content, not its name. The one rule by which jobs and trainers know a file again.

A file whose path, size and modification time are as they were is trusted; anything else is hashed. So a
photo that was copied, restored with its old date, or dated in the future costs one look at its bytes and no
more, and another photo under the same name is never taken for the one that was there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from realdeg.errors import UserError

KNOWN_HASHES = 512  # kept by a process: the tiles of a pair follow each other, draws share their HR


@dataclass(frozen=True)
class FileState:
    """A file as it was when it was read or written.

    Attributes:
        sha256: of its bytes, hexadecimal.
        size: bytes; -1 where only the hash is known (from a manifest).
        mtime_ns: modification time, ns; -1 likewise.
    """

    sha256: str
    size: int = -1
    mtime_ns: int = -1


def place(path: str | Path) -> str:
    """Where a file really is: absolute, links followed."""
    return os.path.realpath(path)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state_of(path: Path) -> FileState:
    """The file as it is.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    digest = _hash_of(str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return FileState(digest, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=KNOWN_HASHES)
def _hash_of(path: str, device: int, inode: int, size: int, mtime_ns: int) -> str:
    return file_hash(Path(path))


def is_trusted(path: str | Path, known: FileState) -> bool:
    """Whether a file's size and modification time are as they were, so that it need not be read."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def is_same(path: Path, known: FileState) -> bool:
    """Whether `path` holds what it held: by size and modification time, or else by its bytes.

    A file that is gone or cannot be read is not the same.
    """
    if is_trusted(path, known):
        return True
    try:
        return known.size in (-1, path.stat().st_size) and file_hash(path) == known.sha256
    except (OSError, ValueError):
        return False


class Reading:
    """Says what files hold while something is made of them: `states` fails if one changed meanwhile.

    Args:
        paths: files that will be read; those that cannot be are left to their reader to report.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._before = {path: (_look(path), _state_or_none(path)) for path in dict.fromkeys(paths)}

    def states(self) -> dict[str, FileState]:
        """State of each file by its `place`, as it was at the start and still is.

        Raises:
            UserError: a file was replaced or written since.
        """
        found = {}
        for path, (before, state) in self._before.items():
            now = _look(path)
            if before is None or state is None:
                if now is None:
                    continue
                same = False
            elif now is not None and now.links == before.links and now.changed_ns != before.changed_ns:
                # Written in place, perhaps, and its date put back. A new link to a file, which HR often is,
                # touches this time too, and is no reason to read it once more.
                same = now.held == before.held and _hash_or_none(path) == state.sha256
            else:
                same = now is not None and now.held == before.held
            if not same:
                raise UserError(path, "was replaced while it was read", "run again when it is complete")
            assert state is not None
            found[place(path)] = state
        return found


@dataclass(frozen=True)
class _Look:
    """What the file system says of a file: device, inode, size and time; links, and time of change."""

    held: tuple[int, int, int, int]
    links: int
    changed_ns: int


def _look(path: Path) -> _Look | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    held = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    return _Look(held, status.st_nlink, status.st_ctime_ns)


def _state_or_none(path: Path) -> FileState | None:
    try:
        return state_of(path)
    except (OSError, ValueError):
        return None


def _hash_or_none(path: Path) -> str | None:
    try:
        return file_hash(path)
    except OSError:
        return None
