"""Whether a folder that a job made is what its manifest says, to the last byte; and taking back what is not.

Every file is read: neither dates nor what was remembered of earlier looks are trusted here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realdeg import atomic
from realdeg.earlier import unmade
from realdeg.errors import UserError
from realdeg.guard import locked
from realdeg.identity import file_hash
from realdeg.imagefolder import withdraw_metadata
from realdeg.io.photo import read_size
from realdeg.ledger import Journal, Ledger, read_journal
from realdeg.leftover import orphans, set_aside
from realdeg.records import LEDGER, MANIFEST, PairRecord, read_manifest, write_manifest

Kind = Literal["file", "grid", "row", "journal", "split", "orphan", "temporary", "unmade"]
REDONE: tuple[Kind, ...] = ("file", "grid", "row", "unmade")  # mended by making the pair again


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: "file" (missing, or other bytes), "grid" (HR is not scale x LR, or the mask not LR's size),
            "row" (manifest and journal disagree), "unmade" (taken back before it was replaced), "journal"
            (damaged or missing), "split" (a scene on both sides), "orphan", "temporary".
        key: of the pair; "" where it is of none.
        line: what is wrong and what to do, for a person.
    """

    kind: Kind
    key: str
    line: str


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    Attributes:
        findings: in the manifest's order, then those of no pair.
        pairs: rows of status ok.
        files: how many were read, and `size`: their bytes.
    """

    findings: tuple[Finding, ...]
    pairs: int
    files: int
    size: int

    @property
    def keys(self) -> list[str]:
        """Pairs to be made again."""
        return list(dict.fromkeys(found.key for found in self.findings if found.kind in REDONE and found.key))


def verify(
    folder: Path,
    *,
    on_file: Callable[[int, int], None] = lambda done, total: None,
    workers: int | None = None,
) -> Verdict:
    """Compare a folder with its manifest and journal.

    Args:
        folder: of a dataset, or of a job (NAME.job).
        on_file: called with files read and all files.
        workers: threads that hash; None: one a core.

    Raises:
        UserError: no manifest, or it cannot be read.
    """
    rows = read_manifest(folder, pairs=False)
    journal = read_journal(folder)
    held = [row for row in rows if row.ok or row.files]
    paths = list(dict.fromkeys(path for row in held for path in _named(row)))
    hashes: dict[str, str | None] = {}
    with ThreadPoolExecutor(max_workers=workers or os.cpu_count() or 1) as pool:
        for path, digest in zip(paths, pool.map(lambda path: _hash(folder / path), paths), strict=True):
            hashes[path] = digest
            on_file(len(hashes), len(paths))
    found = [*_journal(folder, rows, journal)]
    for row in rows:
        found += _row(folder, row, journal, hashes)
    found += _splits(folder, rows)
    found += [
        Finding("orphan", "", str(UserError(folder / path, f"is named by no row of {MANIFEST}", SET_ASIDE)))
        for path in orphans(folder, rows)
    ]
    found += [
        Finding(
            "temporary", "", str(UserError(path, "was left by a job that was killed", "`repair` removes it"))
        )
        for path in sorted(folder.rglob(f".*{atomic.TEMPORARY}"))
        if atomic.is_stale(path)
    ]
    size = sum((folder / path).stat().st_size for path, digest in hashes.items() if digest)
    return Verdict(tuple(found), sum(row.ok for row in rows), sum(map(bool, hashes.values())), size)


SET_ASIDE = "`repair` moves it to leftover/"
MAKE_AGAIN = "`repair` makes the pair again"


def _named(row: PairRecord) -> list[str]:
    return list(dict.fromkeys(path for path in (row.lr, row.hr, *row.files) if path))


def _hash(path: Path) -> str | None:
    try:
        return file_hash(path)
    except (OSError, ValueError):
        return None


def _row(
    folder: Path, row: PairRecord, journal: Journal, hashes: Mapping[str, str | None]
) -> Iterator[Finding]:
    """What is wrong with one row."""
    if row.status == "failed":
        if row.reason == unmade(row).reason:
            yield Finding("unmade", row.key, row.reason)
        return
    whole = True
    for path in _named(row):
        problem = ""
        if hashes[path] is None:
            problem = "is missing or cannot be read"
        elif path not in row.files:
            problem = f"has no hash in {MANIFEST}, so nothing says what it should hold"
        elif hashes[path] != row.files[path].sha256:
            problem = f"is not the file that {MANIFEST} vouches for"
        if problem:
            whole = False
            yield Finding("file", row.key, str(UserError(folder / path, problem, MAKE_AGAIN)))
    if whole and row.ok and row.scale and row.lr and row.hr:
        yield from _grid(folder, row)
    known = journal.records.get(row.key)
    if journal.settings is not None and known is None:
        problem = f"{row.key} is not in the journal {LEDGER}"
        yield Finding("row", row.key, str(UserError(folder / MANIFEST, problem, MAKE_AGAIN)))
    elif known is not None and whole and _contents(known) != _contents(row):
        problem = f"{row.key} is another pair than in the journal {LEDGER}"
        yield Finding("row", row.key, str(UserError(folder / MANIFEST, problem, MAKE_AGAIN)))


def _contents(record: PairRecord) -> tuple[str, dict[str, str], tuple[str, str]]:
    """What a record says of its pair, and of what that was made of."""
    made = {path: state.sha256 for path, state in record.files.items()}
    return record.status, made, (record.sha256("source_lr"), record.sha256("source_hr"))


def _grid(folder: Path, row: PairRecord) -> Iterator[Finding]:
    """Sizes, by the files' headers."""
    try:
        h, w = read_size(folder / row.lr)
        large = read_size(folder / row.hr)
        mask = row.detail.get("mask")
        if large != (row.scale * h, row.scale * w):
            problem = f"is {large[1]}x{large[0]}, not x{row.scale} of its LR {w}x{h}"
            yield Finding("grid", row.key, str(UserError(folder / row.hr, problem, MAKE_AGAIN)))
        if mask and read_size(folder / str(mask)) != (h, w):
            problem = f"has another size than its LR {w}x{h}"
            yield Finding("grid", row.key, str(UserError(folder / str(mask), problem, MAKE_AGAIN)))
    except UserError as error:
        yield Finding("grid", row.key, str(UserError(error.subject, error.problem, MAKE_AGAIN)))


def _journal(folder: Path, rows: Sequence[PairRecord], journal: Journal) -> Iterator[Finding]:
    if journal.settings is None:
        state = "is damaged" if (folder / LEDGER).exists() else "is missing"
        remedy = "the pairs can be read, but no job goes on here; make them anew with `overwrite` to go on"
        yield Finding("journal", "", str(UserError(folder / LEDGER, state, remedy)))
        return
    keys = {row.key for row in rows}
    for key, record in journal.records.items():
        if record.status != "failed" and key not in keys:
            problem = f"lacks {key}, which the journal {LEDGER} has"
            yield Finding("row", key, str(UserError(folder / MANIFEST, problem, MAKE_AGAIN)))


def _splits(folder: Path, rows: Sequence[PairRecord]) -> Iterator[Finding]:
    """Scenes that are learned from and tested on."""
    parts: dict[str, set[str]] = {}
    for row in rows:
        if row.ok and row.split:
            parts.setdefault(row.scene or row.key, set()).add(row.split)
    for scene, names in parts.items():
        if len(names) > 1:
            problem = f"scene {scene} is in the splits {' and '.join(sorted(names))}"
            yield Finding(
                "split", "", str(UserError(folder / MANIFEST, problem, "run `realdeg split` again"))
            )


def take_back(folder: Path, verdict: Verdict) -> tuple[int, int]:
    """Take back the rows of pairs that have to be made again, and tidy up what is in the way.

    Orphans go to leftover/, temporary files of dead jobs are removed. What was made again is vouched for by
    the job that makes it.

    Returns:
        Files set aside, and temporary files removed.

    Raises:
        UserError: a job holds the folder, or it cannot be written.
    """
    wrong = set(verdict.keys)
    with locked(folder):
        removed = atomic.sweep(folder)
        rows = read_manifest(folder, pairs=False)
        kept = [unmade(row) if row.key in wrong and row.status != "failed" else row for row in rows]
        journal = read_journal(folder)
        if wrong and journal.settings is not None:
            keep = [record for key, record in journal.records.items() if key not in wrong]
            with Ledger(folder / LEDGER, journal.settings, keep):
                pass
        if wrong:
            write_manifest(folder, kept)
            withdraw_metadata(folder)
        aside = set_aside(folder, kept)
    return aside, removed
