"""The journal of a job: a header with the settings, then one record a line; and what still holds of it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from realdeg import atomic
from realdeg.errors import UserError
from realdeg.identity import file_hash
from realdeg.records import LEDGER, SCHEMA, PairRecord, from_json, read_manifest, to_json

SYNC_SECONDS = 1.0


class Ledger:
    """The journal open for writing; a context manager."""

    def __init__(self, path: Path, settings: Mapping[str, Any], keep: Sequence[PairRecord]) -> None:
        header = json.dumps({"schema": SCHEMA, "settings": dict(settings)}, sort_keys=True, default=str)
        atomic.write_text(path, "".join(f"{line}\n" for line in (header, *map(to_json, keep))))
        self._file: IO[str] = path.open("a", encoding="utf-8")
        self._synced = time.monotonic()

    def append(self, record: PairRecord) -> None:
        """Write one line, flushed; synced to disk once a second and at the end."""
        try:
            self._file.write(to_json(record) + "\n")
            self._file.flush()
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise UserError(self._file.name, problem, "free some space and run again to resume") from None
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


def finished(out: Path, settings: Mapping[str, Any]) -> dict[str, PairRecord]:
    """Records of an earlier run that still hold: not failed, files as they were written, sources too.

    Raises:
        UserError: the earlier run had other settings.
    """
    path = out / LEDGER
    try:
        written = path.stat().st_mtime
        # Not splitlines: a key may hold what Unicode counts as a line break.
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})", "choose another output folder") from None
    try:
        before = json.loads(lines[0])["settings"]
    except (IndexError, ValueError, KeyError, TypeError):
        return {}
    now = json.loads(json.dumps(dict(settings), default=str))
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        what = ", ".join(f"{name} was {before.get(name)}, is {now.get(name)}" for name in sorted(changed))
        raise UserError(out, f"was made with other settings ({what})", "use another folder, or --overwrite")
    found: dict[str, PairRecord] = {}
    for line in lines[1:]:
        try:
            record = from_json(line)
        except (ValueError, TypeError):
            continue
        found[record.key] = record
    return {
        key: record
        for key, record in found.items()
        if _holds(out, record) and not _changed_since(written, record)
    }


def assigned(out: Path) -> dict[str, tuple[str, str]]:
    """Scene and split that `realdeg split` wrote into the manifest since; the ledger does not know them."""
    try:
        return {record.key: (record.scene, record.split) for record in read_manifest(out) if record.split}
    except UserError:
        return {}


def _holds(out: Path, record: PairRecord) -> bool:
    if record.status == "failed":
        return False
    for name in ("lr", "hr"):
        relative = getattr(record, name)
        if not relative:
            continue
        path = out / relative
        if not path.is_file() or file_hash(path) != record.detail.get(f"{name}_sha256"):
            return False
    return True


def _changed_since(written: float, record: PairRecord) -> bool:
    """Whether a photo was replaced after the ledger was last written."""
    for source in (record.source_lr, record.source_hr):
        with contextlib.suppress(OSError, ValueError):
            if source and Path(source).stat().st_mtime > written:
                return True
    return False


def with_hashes(out: Path, record: PairRecord) -> PairRecord:
    """`record` with `lr_sha256` and `hr_sha256` of its files added to its detail."""
    hashes = {f"{name}_sha256": file_hash(out / getattr(record, name)) for name in ("lr", "hr")}
    return replace(record, detail={**record.detail, **hashes})
