"""What a job's table and journal claim of its files, held against the files; for `attack.py`.

Written against docs/dataset.md with hashlib, csv and json alone: nothing of realdeg's own code is asked.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE, JOURNAL, LEFTOVER = "manifest.csv", "ledger.jsonl", "leftover"
FOLDERS = ("LR", "HR", "MASK", "certificates", "rejected", "kernels", "patches")
NOT_COMPARED = ("run.yaml", JOURNAL, TABLE, ".realdeg.lock", ".realdeg-hashes.json")
"""What names places or dates, and what is compared row by row instead."""


@dataclass(frozen=True)
class Claim:
    """That files were made of sources.

    Attributes:
        key, status: as the table has them.
        sources: SHA-256 of what was read: LR's and HR's, or the only one.
        files: SHA-256 by path, relative to the dataset.
        seed: of the draws, as text; "" where nothing is drawn.
    """

    key: str
    status: str
    sources: tuple[str, ...]
    files: Mapping[str, str]
    seed: str = ""


Made = dict[tuple[str, str, tuple[str, ...]], Mapping[str, str]]
"""Files that calm runs made, by seed, key and the hashes of the sources."""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(folder: Path) -> list[dict[str, str]]:
    """Rows of a table; none where there is none."""
    path = folder / TABLE
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of_row(row: Mapping[str, str]) -> Claim:
    files = {row[side]: row.get(f"{side}_sha256") or "" for side in ("lr", "hr") if row.get(side)}
    files |= json.loads(row.get("files") or "{}")
    sources = (row.get(f"source_{side}_sha256") or "" for side in ("lr", "hr"))
    return Claim(row["key"], row["status"], tuple(filter(None, sources)), files, row.get("seed") or "")


def journal(folder: Path) -> Iterator[Claim]:
    """Claims of the journal, as far as it can be read."""
    path = folder / JOURNAL
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    for line in lines[1:]:
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        if "key" in told and "status" in told:
            sources, files = (
                {path: state[0] for path, state in told.get(name, {}).items()}
                for name in ("sources", "files")
            )
            seed = str(told["detail"].get("seed", ""))
            yield Claim(told["key"], told["status"], tuple(sources.values()), files, seed)


def untrue(folder: Path, made: Made) -> list[str]:
    """Claims that do not hold: another hash than the file has, or files that those sources do not give."""
    found = []
    hashes: dict[str, str | None] = {}
    told = [("table", of_row(row)) for row in rows(folder)] + [("journal", c) for c in journal(folder)]
    for where, claim in told:
        if claim.status == "failed":
            continue
        if claim.status == "ok" and not claim.files:
            found.append(f"{where}: {claim.key} is ok and names no file")
        for path, sha in claim.files.items():
            if path not in hashes:
                hashes[path] = digest(folder / path) if (folder / path).is_file() else None
            if hashes[path] is None:
                found.append(f"{where}: {claim.key} vouches for {path}, which is missing")
            elif hashes[path] != sha:
                found.append(f"{where}: {claim.key} vouches for {path}, which holds something else")
        if claim.status == "ok":
            right = made.get((claim.seed, claim.key, claim.sources))
            if right is None:
                found.append(f"{where}: {claim.key} names sources that no photo has")
            elif _pixels(right) != _pixels(claim.files):
                found.append(f"{where}: {claim.key} is not what its sources give")
    return found


def _pixels(files: Mapping[str, str]) -> dict[str, str]:
    """Without certificates, which name the folder that photos lie in."""
    return {path: sha for path, sha in files.items() if not path.startswith("certificates/")}


def splits(folder: Path) -> dict[str, str]:
    return {row["key"]: row.get("split") or "" for row in rows(folder)}


def products(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that two calm runs have in common."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] not in (LEFTOVER, "cache", *NOT_COMPARED):
            found[name.as_posix()] = digest(path)
    return found


def differences(folder: Path, calm: Path, but: Sequence[str] = ()) -> list[str]:
    """What of `folder` is not as a calm run left it: files, rows (but some columns), journal."""
    one, other = products(folder), products(calm)
    found = [f"{path} differs" for path in one.keys() | other.keys() if one.get(path) != other.get(path)]
    mine, theirs = (
        [{k: v for k, v in row.items() if v and k not in but} for row in rows(f)] for f in (folder, calm)
    )
    if mine != theirs:
        keys = [a.get("key") for a, b in zip(mine, theirs, strict=False) if a != b]
        found.append(f"{TABLE} differs: {len(mine)} rows for {len(theirs)}, other rows {keys}")
    last, wanted = ({c.key: c for c in journal(f)} for f in (folder, calm))
    if last != wanted:
        found.append(f"{JOURNAL} differs: {[key for key in wanted if last.get(key) != wanted[key]]}")
    return sorted(found)


def unnamed(folder: Path) -> list[str]:
    """Files where outputs lie that no row names."""
    named = {path for row in rows(folder) for path in of_row(row).files}
    files = (path for part in FOLDERS for path in (folder / part).rglob("*") if path.is_file())
    return sorted({path.relative_to(folder).as_posix() for path in files} - named)
