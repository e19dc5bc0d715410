"""What is known of every pair, and the two files that say so.

`ledger.jsonl` is the journal of a job: one JSON line for each finished item, appended by the parent
process, complete in detail, and readable up to its last whole line after a crash.
`manifest.csv` is the table that people and other programs read; it is rewritten from the records at
the end of a job, in input order. `docs/dataset.md` documents its columns and their units.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal, Required, TypedDict

from realdeg.atomic import write_text
from realdeg.errors import UserError
from realdeg.identity import FileState, place, state_of
from realdeg.names import leaves
from realdeg.typed import Json, Mistyped, parsed

MANIFEST = "manifest.csv"
LEDGER = "ledger.jsonl"
METADATA = "metadata.csv"
OUTPUTS = (  # folders that hold what the rows of a job name: of a dataset, and of a job that makes a pool
    *("LR", "HR", "MASK", "certificates", "rejected"),
    *("kernels", "patches", "noise", "examples", "prints"),
)
SCHEMA = 2
LARGEST_SCALE = 64  # of a pair: jobs make 2 to 16
SHA256 = re.compile("[0-9a-f]{64}")
SUM = re.compile(r', "sum": "([0-9a-f]{16})"\}\s*$')

Status = Literal["ok", "rejected", "failed"]
STATUSES: tuple[Status, ...] = ("ok", "rejected", "failed")
COLUMNS = (
    "key",
    "status",
    "reason",
    "lr",
    "hr",
    "scale",
    "scene",
    "split",
    "how",
    "source_lr",
    "source_hr",
)
HASHES = ("lr_sha256", "hr_sha256", "source_lr_sha256", "source_hr_sha256", "files")


@dataclass(frozen=True)
class PairRecord:
    """One LR/HR pair, or the reason why there is none: the contract between all steps.

    Attributes:
        key: relative path of the source without suffix, "/" between folders, NFC.
        status: "ok"; "rejected" (read, but not good enough: `reason`); "failed" (unreadable: `reason`).
        lr, hr: paths relative to the dataset's folder, "/" between folders; empty unless "ok".
        scale: HR size / LR size, an integer; 0 where it never became known.
        scene: pairs of one scene never fall on both sides of a split.
        split: "train", "val", "test", or "" before `realdeg split`.
        how: "registration", "degradation", "adopted" or "tile": which columns `detail` holds.
        source_lr, source_hr: where the pixels came from.
        detail: further columns by name; numbers, strings, or lists of numbers.
        files: every file that was made (LR, HR, mask, certificate), by its path relative to the dataset's
            folder. The manifest has their hashes, the ledger also sizes and times.
        sources: every file that was read, by its `realdeg.identity.place`; of a manifest's record those of
            `source_lr` and `source_hr`, by these paths.
    """

    key: str
    status: Status
    reason: str = ""
    lr: str = ""
    hr: str = ""
    scale: int = 0
    scene: str = ""
    split: str = ""
    how: str = ""
    source_lr: str = ""
    source_hr: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, FileState] = field(default_factory=dict)
    sources: Mapping[str, FileState] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether this record has a pair of files."""
        return self.status == "ok"

    def sha256(self, side: Literal["lr", "hr", "source_lr", "source_hr"]) -> str:
        """Hash of one of the pair's files or sources; "" where it is not known."""
        path = getattr(self, side)
        if not path:
            return ""
        if side in ("lr", "hr"):
            state = self.files.get(path)
        else:
            named = [one for one in (self.source_lr, self.source_hr) if one]
            if len(named) == len(self.sources):  # in this order
                state = list(self.sources.values())[0 if side == "source_lr" else -1]
            else:
                state = self.sources.get(path) or self.sources.get(place(path))
        return state.sha256 if state else ""

    def with_split(self, split: str) -> PairRecord:
        """The same pair, assigned to another split."""
        return replace(self, split=split)


def to_json(record: PairRecord) -> str:
    """One line of the ledger, without the line break; it ends with a checksum of the rest."""
    row: dict[str, Any] = {name: getattr(record, name) for name in COLUMNS}
    row |= {"detail": dict(record.detail)}
    for name in ("files", "sources"):
        states: Mapping[str, FileState] = getattr(record, name)
        row[name] = {path: [one.sha256, one.size, one.mtime_ns] for path, one in states.items()}
    text = json.dumps(row, ensure_ascii=False, allow_nan=False)
    return f'{text[:-1]}, "sum": "{_sum(text)}"}}'


class _Row(TypedDict, total=False):
    """A line of the ledger; states are hash, size and time."""

    key: Required[str]
    status: Required[Status]
    reason: str
    lr: str
    hr: str
    scale: int
    scene: str
    split: str
    how: str
    source_lr: str
    source_hr: str
    detail: dict[str, Json]
    files: dict[str, tuple[str, int, int]]
    sources: dict[str, tuple[str, int, int]]
    sum: str


def from_json(line: str) -> PairRecord:
    """Inverse of `to_json`.

    Raises:
        ValueError: not a record (a torn last line, another program's file), or not what was written. Lines
            of older versions have no checksum.
    """
    row: dict[str, Any] = dict(parsed(line, _Row))
    if "sum" in row and (end := SUM.search(line)) and end[1] == _sum(f"{line[: end.start()]}}}"):
        del row["sum"]
    if "sum" in row:
        raise ValueError("its checksum is another")
    for name in ("files", "sources"):
        row[name] = {path: FileState(*state) for path, state in row.get(name, {}).items()}
    if any(map(leaves, (row["key"], *(row.get(name, "") for name in ("lr", "hr")), *row["files"]))):
        raise ValueError("a path leaves the dataset's folder")
    return PairRecord(**row)


def _sum(text: str) -> str:
    """Checksum of a line, which finds what types do not: a digit that became another."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def fingerprint(*parts: object) -> str:
    """Short content hash of JSON-like values: equal settings and versions give equal text."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def with_files(out: Path, record: PairRecord, *more: str) -> PairRecord:
    """The record with the states of its files added: of LR, HR and of any other that was made with them.

    Args:
        out: folder of the dataset.
        record: of a pair, or of a rejected one.
        more: paths relative to `out`.
    """
    paths = [path for path in (record.lr, record.hr, *more) if path]
    return replace(record, files={**record.files, **{path: state_of(out / path) for path in paths}})


def write_manifest(folder: Path, records: Iterable[PairRecord]) -> Path:
    """Write `folder/manifest.csv` atomically; one row a record, in the order given.

    Columns are `COLUMNS`, then every name found in `detail`, in order of first appearance, then hashes.
    Floats are written with `repr` precision, lists as numbers with a space between.
    """
    records = list(records)
    hashes = [_hashes(record) for record in records]
    extra = [name for name in dict.fromkeys(n for r in records for n in r.detail) if name not in HASHES]
    stated = [name for name in HASHES if any(name in one for one in hashes)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    quoting = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([*COLUMNS, *extra, *stated])
    for record, known in zip(records, hashes, strict=True):
        row = [_cell(getattr(record, name)) for name in COLUMNS]
        row += [_cell(record.detail.get(name, "")) for name in extra]
        row += [known.get(name, "") for name in stated]
        # Not every Python quotes a carriage return for itself, and none reads one that is not quoted.
        (quoting if any("\r" in cell for cell in row) else writer).writerow(row)
    path = folder / MANIFEST
    write_text(path, text.getvalue())
    return path


def _hashes(record: PairRecord) -> dict[str, str]:
    """Columns that say what a record's files and sources hold."""
    found = {f"{side}_sha256": record.sha256(side) for side in ("lr", "hr", "source_lr", "source_hr")}  # type: ignore[arg-type]
    more = {path: state.sha256 for path, state in record.files.items() if path not in (record.lr, record.hr)}
    if more:
        found["files"] = json.dumps(more, ensure_ascii=False, separators=(",", ":"))
    return {name: text for name, text in found.items() if text}


def _states(where: str, row: Mapping[str, Any]) -> tuple[dict[str, FileState], dict[str, FileState]]:
    """What a manifest's row says of files and sources."""
    files, sources = {}, {}
    for name in HASHES[:4]:
        if row.get(name) and not SHA256.fullmatch(row[name]):  # the end of a table that was cut
            raise UserError(where, f"{name} is no SHA-256", "restore the table or run the job again")
    for side in ("lr", "hr"):
        if row.get(side) and row.get(f"{side}_sha256"):
            files[row[side]] = FileState(row[f"{side}_sha256"])
        if row.get(f"source_{side}") and row.get(f"source_{side}_sha256"):
            sources[row[f"source_{side}"]] = FileState(row[f"source_{side}_sha256"])
    try:
        more = parsed(row.get("files") or "{}", dict[str, str])
    except Mistyped as error:
        problem = f"its column files is damaged ({error})"
        raise UserError(where, problem, "restore it or run the job again") from None
    for path, sha in more.items():
        if leaves(path) or not SHA256.fullmatch(sha):
            problem = f"its column files is damaged (at {path[:80]!r})"
            raise UserError(where, problem, "restore it or run the job again")
        files[path] = FileState(sha)
    return files, sources


def read_manifest(folder: Path, *, pairs: bool = True) -> list[PairRecord]:
    """Records of `folder/manifest.csv`, in file order; `detail` values stay text.

    Args:
        folder: of a dataset, or of a job.
        pairs: rows of status ok must have LR, HR and a scale; False for jobs that make something else.

    Raises:
        UserError: no manifest, a column is missing, or a row does not parse (its line is named), or
            a path leaves the dataset's folder.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            folder,
            f"is not a dataset: it has no {MANIFEST}",
            "make one with `realdeg align` or `realdeg degrade`, or adopt LR/HR folders with `realdeg adopt`",
        )
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _rows(path, file, pairs)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(path, f"is not a CSV table ({error})", "restore it or run the job again") from None


def _rows(path: Path, file: IO[str], pairs: bool) -> list[PairRecord]:
    reader = csv.DictReader(file)
    header = reader.fieldnames or []
    missing = [name for name in ("key", "status", "lr", "hr", "scale") if name not in header]
    if missing:
        raise UserError(
            path, f"lacks the column(s) {', '.join(missing)}", "see docs/dataset.md for the schema"
        )
    records = []
    seen: set[str] = set()
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise UserError(where, "has more or fewer cells than the header", "mend or remove the row")
        scale = _scale(where, row["scale"])
        _check_share(where, row.get("valid") or "1")
        if row["status"] not in STATUSES:
            raise UserError(where, f"unknown status {row['status']!r}", f"one of {', '.join(STATUSES)}")
        if pairs and row["status"] == "ok" and (scale < 1 or not (row["key"] and row["lr"] and row["hr"])):
            raise UserError(
                where, "is ok but lacks its key, lr, hr or a scale of 1 or more", "mend or remove the row"
            )
        for name in ("key", "lr", "hr"):
            if leaves(row[name]):
                raise UserError(where, f"{name} {row[name]!r} leaves the dataset's folder", "mend the row")
        if row["status"] == "ok" and row["key"] in seen:
            raise UserError(where, f"repeats the key {row['key']!r}", "mend or remove the row")
        if row["status"] == "ok":
            seen.add(row["key"])
        known: dict[str, Any] = {name: row[name] for name in COLUMNS if name in row}
        known["scale"] = scale
        detail = {n: text for n, text in row.items() if n not in (*COLUMNS, *HASHES) and text != ""}
        files, sources = _states(where, row)
        records.append(PairRecord(**known, detail=detail, files=files, sources=sources))
    return records


def _check_share(where: str, text: str) -> None:
    """Raises UserError where the valid share of a pair is no number from 0 to 1."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        problem = f"column 'valid' holds {text[:40]!r}, no share from 0 to 1"
        raise UserError(where, problem, "mend or remove the row")


def _scale(where: str, text: str) -> int:
    """Scale in a row; 0 where it is not known."""
    if not re.fullmatch("-?[0-9]+|", text):
        raise UserError(where, f"scale {text[:40]!r} is not a whole number", "mend the row")
    if len(text) > 5 or int(text or 0) > LARGEST_SCALE:
        raise UserError(where, f"scale {text[:40]} is larger than {LARGEST_SCALE}", "mend the row")
    return int(text or 0)


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, tuple)):
        return " ".join(_cell(item) for item in value)
    return repr(value) if isinstance(value, float) else str(value)
