"""Whether a dataset's files are what its manifest says: for whatever reads a dataset.

Hashing a large set takes a while, so what was found is remembered: by the job that wrote the files, in its
ledger, and for files that were copied or touched since in `.realdeg-hashes.json` beside the manifest. A
command that is to write nothing (`Output.dry_run`) writes no such file either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from realdeg.atomic import write_text
from realdeg.errors import UserError
from realdeg.identity import FileState, file_hash
from realdeg.output import current
from realdeg.records import LEDGER, MANIFEST, PairRecord, fingerprint, from_json
from realdeg.typed import Mistyped, read_json

REMEMBERED = ".realdeg-hashes.json"
AGAIN = "make the pair again (run its job, or `realdeg verify --repair`), or remove its row"


def require_vouched(folder: Path, records: Iterable[PairRecord]) -> None:
    """Stop where a file of these records is not what the manifest says.

    Files without a hash in the manifest (written by hand, or by an older version) need only be there.

    Args:
        folder: of the dataset.
        records: of its manifest.

    Raises:
        UserError: names the first file that is missing, or holds something else.
    """
    for problem in unvouched(folder, records).values():
        raise problem


def unvouched(folder: Path, records: Iterable[PairRecord]) -> dict[str, UserError]:
    """What is wrong with the files of pairs, by key: for readers that go on with the other pairs.

    Args:
        folder, records: as in `require_vouched`.
    """
    records = [record for record in records if record.ok]
    wanted = {path: state for record in records for path, state in _files(record).items()}
    found = states(folder, list(wanted))
    # Files and manifest may have been replaced together, with sizes and dates as they were: before anything
    # is refused it is read.
    doubted = [path for path, state in wanted.items() if path in found and _differs(found[path], state)]
    found |= states(folder, doubted, known={})
    wrong: dict[str, UserError] = {}
    for record in records:
        for path, state in _files(record).items():
            problem = ""
            if path not in found:
                problem = f"is named by {MANIFEST} but missing"
            elif _differs(found[path], state):
                problem = f"is not the file that {MANIFEST} vouches for"
            if problem:
                wrong.setdefault(record.key, UserError(folder / path, problem, AGAIN))
    return wrong


def _differs(found: FileState, wanted: FileState) -> bool:
    return wanted.sha256 not in ("", found.sha256)


def _files(record: PairRecord) -> dict[str, FileState]:
    """Files of a pair that readers open, with what they ought to hold."""
    named = {path: FileState("") for path in (record.lr, record.hr) if path}
    mask = record.detail.get("mask")
    if mask:
        named[str(mask)] = FileState("")
    return {path: record.files.get(path, state) for path, state in named.items()}


def states(
    folder: Path, paths: Sequence[str], known: Mapping[str, FileState] | None = None
) -> dict[str, FileState]:
    """States of a dataset's files, hashing only those that changed since they were last looked at.

    Args:
        folder: of the dataset.
        paths: relative to it.
        known: states to be trusted; None: those that are remembered.

    Returns:
        By path; without those that cannot be read.
    """
    if known is None:
        known = {**_of_ledger(folder), **_remembered(folder)}
    found: dict[str, FileState] = {}
    unknown = []
    for path in paths:
        try:
            status = (folder / path).stat()
        except (OSError, ValueError):
            continue
        state = known.get(path)
        if state and (state.size, state.mtime_ns) == (status.st_size, status.st_mtime_ns):
            found[path] = state
        else:
            unknown.append(path)
    if unknown:
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            made = dict(zip(unknown, pool.map(lambda path: _state(folder / path), unknown), strict=True))
        hashed = {path: state for path, state in made.items() if state}
        found |= hashed
        _remember(folder, {**_remembered(folder), **hashed})
    return found


def _state(path: Path) -> FileState | None:
    try:
        status = path.stat()
        return FileState(file_hash(path), status.st_size, status.st_mtime_ns)
    except OSError:
        return None


def _of_ledger(folder: Path) -> dict[str, FileState]:
    try:
        lines = (folder / LEDGER).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return {}
    found: dict[str, FileState] = {}
    for line in lines[1:]:
        try:
            found |= from_json(line).files
        except ValueError:
            continue
    return found


def _memories(folder: Path) -> list[Path]:
    """Where hashes are remembered: beside the manifest, or with the user where that cannot be written."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [folder / REMEMBERED, home / "realdeg" / f"{fingerprint(str(folder.resolve()))}.hashes.json"]


def _remembered(folder: Path) -> dict[str, FileState]:
    found: dict[str, FileState] = {}
    for path in reversed(_memories(folder)):
        try:
            entries = read_json(path, dict[str, tuple[str, int, int]])
        except (OSError, Mistyped):
            continue
        found |= {name: FileState(*state) for name, state in entries.items()}
    return found


def _remember(folder: Path, found: Mapping[str, FileState]) -> None:
    if current().dry_run:
        return
    text = json.dumps({path: [one.sha256, one.size, one.mtime_ns] for path, one in found.items()})
    for path in _memories(folder):
        try:
            write_text(path, text + "\n")
            return
        except UserError:
            continue
