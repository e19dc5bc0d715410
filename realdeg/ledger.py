"""The journal of a job: a header with the settings, then one line a record; and what still holds of it.

A line `{"begun": KEY}` says that an item was taken in hand by the job's own process. Where no record of it
follows, the item is suspected to have ended that process.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypedDict

from realdeg import atomic
from realdeg.errors import UserError
from realdeg.records import LEDGER, SCHEMA, PairRecord, from_json, to_json
from realdeg.typed import Mistyped, parsed

SYNC_SECONDS = 1.0


class Ledger:
    """The journal open for writing; a context manager.

    Args:
        path: of the journal.
        settings: of the job, for its header.
        keep: records that it begins with; None: it is there, whole, and goes on.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], keep: Sequence[PairRecord] | None) -> None:
        if keep is not None:
            header = json.dumps({"schema": SCHEMA, "settings": dict(settings)}, sort_keys=True, default=str)
            atomic.write_text(path, "".join(f"{line}\n" for line in (header, *map(to_json, keep))))
        self._file: IO[str] = path.open("a", encoding="utf-8", newline="\n")
        self._synced = time.monotonic()

    def append(self, record: PairRecord) -> None:
        """Write one record, flushed; synced to disk once a second and at the end."""
        self._line(to_json(record))

    def begin(self, key: str) -> None:
        """Say that this process takes an item in hand."""
        self._line(json.dumps({"begun": key}))

    def _line(self, text: str) -> None:
        try:
            with atomic.writing(Path(self._file.name)):
                self._file.write(f"{text}\n")
                self._file.flush()
        except UserError as error:
            error.remedy = "free some space and run again to resume"
            raise
        if time.monotonic() - self._synced > SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.fsync(self._file.fileno())
        with contextlib.suppress(OSError):  # closing writes what was left; `append` has said that it cannot
            self._file.close()


@dataclass(frozen=True)
class Journal:
    """What an earlier run wrote down.

    Attributes:
        settings: what it was made with; None where there is no journal or its header is damaged.
        records: the last one of each key, in the order they were written.
        suspects: keys that were begun and never finished.
    """

    settings: Mapping[str, Any] | None = None
    records: Mapping[str, PairRecord] = field(default_factory=dict)
    suspects: frozenset[str] = frozenset()


def read_journal(out: Path) -> Journal:
    """The journal in `out`, as far as it can be read; an empty one where there is none.

    Raises:
        UserError: it is there and cannot be opened.
    """
    path = out / LEDGER
    try:
        # Not splitlines: a key may hold what Unicode counts as a line break.
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return Journal()
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})", "choose another output folder") from None
    settings: Mapping[str, Any] | None
    try:
        settings = parsed(lines[0], _Header)["settings"]
    except Mistyped:
        settings = None
    records: dict[str, PairRecord] = {}
    begun: set[str] = set()
    for line in lines[1:]:
        try:
            record = from_json(line)
        except ValueError:
            begun |= _begun(line)
            continue
        records[record.key] = record
        begun.discard(record.key)
    return Journal(settings, records, frozenset(begun))


class _Header(TypedDict):
    settings: dict[str, Any]


class _Begun(TypedDict):
    begun: str


def _begun(line: str) -> set[str]:
    try:
        return {parsed(line, _Begun)["begun"]}
    except Mistyped:
        return set()


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a journal's header gives them back."""
    return dict(json.loads(json.dumps(dict(settings), default=str)))
