"""What a folder holds of earlier runs, and what of it a new run may keep.

A record counts as an item's if the item's files hold what the record was made of, and the files that it made
hold what was written. Names and dates alone say nothing: `realdeg.identity` has the rule.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from realdeg.errors import UserError
from realdeg.identity import FileState, is_same, is_trusted, place
from realdeg.imagefolder import withdraw_metadata
from realdeg.ledger import plain, read_journal
from realdeg.records import (
    LEDGER,
    MANIFEST,
    OUTPUTS,
    PairRecord,
    read_manifest,
    write_manifest,
)

OTHER = "use another folder, or `overwrite`"
PART = 64  # records that a thread looks at in one go
ABSENT = "absent"  # column: 1 where the input was not seen by the last run


class Keyed(Protocol):
    """An item of work: picklable, with a key that is unique in its job."""

    @property
    def key(self) -> str:
        """Relative path without suffix."""
        ...

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that the work reads, in an order that stays: LR before HR."""
        ...


Item = TypeVar("Item", bound=Keyed)
Found = TypeVar("Found")


@dataclass(frozen=True)
class Earlier:
    """What earlier runs with the same settings have made.

    Attributes:
        records: by key, in the journal's order.
        lost: pairs whose line the journal has lost, as the manifest knows them (numbers are text there).
        rows: of the manifest, of whatever settings.
        suspects: keys of items that may end the process that works on them.
    """

    records: Mapping[str, PairRecord] = field(default_factory=dict)
    lost: Mapping[str, PairRecord] = field(default_factory=dict)
    rows: Sequence[PairRecord] = ()
    suspects: frozenset[str] = frozenset()


def read_earlier(out: Path, settings: Mapping[str, Any], *, overwrite: bool) -> Earlier:
    """What `out` holds of earlier runs.

    Args:
        out: folder of the job.
        settings: of this run.
        overwrite: other settings are no reason to refuse; what was made with them is then not among the
            records.

    Raises:
        UserError: the earlier run had other settings, or it cannot be known which (no journal, or a damaged
            one, beside files); the manifest cannot be read.
    """
    journal = read_journal(out)
    rows = _rows(out, overwrite)
    now = plain(settings)
    if journal.settings is None:
        if not overwrite and ((out / LEDGER).exists() or any(row.ok for row in rows) or _has_files(out)):
            state = "is damaged" if (out / LEDGER).exists() else "is missing"
            problem = f"holds files, but its journal {LEDGER} {state}, so what made them is not known"
            raise UserError(out, problem, OTHER)
        return Earlier(rows=rows)
    changed = [name for name in {**journal.settings, **now} if journal.settings.get(name) != now.get(name)]
    changed = [name for name in {**journal.settings, **now} if journal.settings.get(name) != now.get(name)]
    if changed:
        if overwrite:
            return Earlier(rows=rows)
        what = ", ".join(
            f"{name} was {journal.settings.get(name)}, is {now.get(name)}" for name in sorted(changed)
        )
        raise UserError(out, f"was made with other settings ({what})", OTHER)
    lost = {row.key: _seen(row) for row in rows if row.ok and row.files and not _has(journal.records, row)}
    return Earlier(journal.records, lost, rows, journal.suspects)


def _has(records: Mapping[str, PairRecord], row: PairRecord) -> bool:
    """Whether the journal knows what a row's files hold; those of older versions do not."""
    return row.key in records and bool(records[row.key].files)


def _seen(row: PairRecord) -> PairRecord:
    return replace(row, detail={name: value for name, value in row.detail.items() if name != ABSENT})


def _rows(out: Path, overwrite: bool) -> list[PairRecord]:
    """Rows of the manifest; none where there is none."""
    path = out / MANIFEST
    if not path.exists():
        return []
    try:
        return read_manifest(out, pairs=False)
    except UserError as error:
        if not overwrite:
            raise UserError(
                error.subject, error.problem, f"mend or remove it, or `overwrite`; {error.remedy}"
            ) from None
        os.replace(path, path.with_name(f"{path.stem}.damaged{path.suffix}"))
        return []


def _has_files(out: Path) -> bool:
    """Whether anything lies where outputs go."""
    return any(names for folder in OUTPUTS for _, _, names in os.walk(out / folder))


def kept_of(out: Path, items: Sequence[Item], records: Mapping[str, PairRecord]) -> dict[str, PairRecord]:
    """Records that are of these very items, and whose files are as they were written.

    Files whose size or date is another than it was are hashed, several at a time.

    Args:
        out: folder of the job.
        items: of this run.
        records: of earlier runs, by key.

    Returns:
        By key, with paths and dates as they are now.
    """
    known = [(item, records[item.key]) for item in items if item.key in records]
    known = [(item, record) for item, record in known if record.status != "failed"]
    trusted = _trust(out)
    doubted = [(item, record) for item, record in known if not trusted(item, record)]
    found = dict(zip((item.key for item, _ in doubted), _several(partial(_still, out), doubted), strict=True))
    now = {record.key: found.get(record.key, record) for _, record in known}
    return {key: record for key, record in now.items() if record}


def _trust(out: Path) -> Callable[[Keyed, PairRecord], bool]:
    """Whether all of an item's files lie where they lay, with the sizes and dates they had.

    It is asked of every item at every start, hence paths as text, and folders followed once.
    """
    real = cache(os.path.realpath)
    root = str(out)

    def where(path: Path) -> str:
        if path.is_symlink():
            return place(path)
        folder, name = os.path.split(str(path))
        return f"{real(folder or '.')}{os.sep}{name}"

    def trusted(item: Keyed, record: PairRecord) -> bool:
        return (
            len(record.sources) == len(item.sources)
            and all(
                where(now) == path and is_trusted(path, state)
                for (path, state), now in zip(record.sources.items(), item.sources, strict=True)
            )
            and all(is_trusted(f"{root}/{path}", state) for path, state in record.files.items())
        )

    return trusted


def _several(look: Callable[..., Found], over: Sequence[tuple[Any, ...]]) -> list[Found]:
    """`look(*each)` of all, in some threads: what takes long is reading files."""
    threads = os.cpu_count() or 1
    parts = [over[i : i + PART] for i in range(0, len(over), PART)]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return [one for part in pool.map(lambda part: [look(*each) for each in part], parts) for one in part]


def holding(out: Path, records: Iterable[PairRecord]) -> dict[str, PairRecord]:
    """Records, by key, whose files are as they were written; of those whose inputs are not looked at."""
    records = [record for record in records if record.files or record.status != "ok"]
    doubted = [r for r in records if not all(is_trusted(out / p, s) for p, s in r.files.items())]
    holds = _several(partial(_files_hold, out), [(record,) for record in doubted])
    lost = {record.key for record, held in zip(doubted, holds, strict=True) if not held}
    return {record.key: record for record in records if record.key not in lost}


def _still(out: Path, item: Keyed, record: PairRecord) -> PairRecord | None:
    """The record, brought up to date, if it is of the item as it is now; else None."""
    before = list(record.sources.items())
    if len(before) != len(item.sources) or not _files_hold(out, record):
        return None
    sources: dict[str, FileState] = {}
    for (path, state), now in zip(before, item.sources, strict=True):
        here = place(now)
        # Of a file in another place neither size nor date say anything.
        if not is_same(now, state if here == path else FileState(state.sha256)):
            return None
        sources[here] = _touched(now, state)
    sides = [side for side in ("source_lr", "source_hr") if getattr(record, side)]
    if sources == dict(record.sources) or len(sides) != len(sources):
        return replace(record, sources=sources)
    named = dict(zip(sides, map(str, item.sources), strict=True))
    return replace(
        record,
        sources=sources,
        source_lr=named.get("source_lr", ""),
        source_hr=named.get("source_hr", ""),
    )


def _touched(path: Path, state: FileState) -> FileState:
    """The same content under today's size and date, so that it need not be hashed the next time."""
    status = path.stat()
    return FileState(state.sha256, status.st_size, status.st_mtime_ns)


def _files_hold(out: Path, record: PairRecord) -> bool:
    return all(is_same(out / path, state) for path, state in record.files.items())


def withdraw(out: Path, rows: Sequence[PairRecord], valid: Collection[str]) -> None:
    """Take back what the manifest says of pairs that are about to be replaced, before they are.

    Their rows stay, as failed, with scene and split: a run that is killed leaves no table that vouches for
    files that changed, and no split is lost.

    Args:
        out: folder of the job.
        rows: of its manifest.
        valid: keys whose files stay as they are.
    """
    if all(row.key in valid for row in rows if row.ok):
        return
    write_manifest(out, [row if row.key in valid or not row.ok else unmade(row) for row in rows])
    withdraw_metadata(out)


def unmade(row: PairRecord) -> PairRecord:
    """The row of a pair that is to be made again."""
    reason = f"{row.key}: is not made yet; run the job again"
    return PairRecord(row.key, "failed", reason, scene=row.scene, split=row.split, how=row.how)


def assigned(rows: Iterable[PairRecord]) -> dict[str, tuple[str, str]]:
    """Scene and split that `realdeg split` wrote into the manifest since; the journal does not know them."""
    return {row.key: (row.scene, row.split) for row in rows if row.split}


def in_scene(record: PairRecord, known: Mapping[str, tuple[str, str]]) -> PairRecord:
    """The record with the scene and split that its key has; a failed one too, as it may come back."""
    if record.key not in known:
        return record
    scene, split = known[record.key]
    return replace(record, scene=scene, split=split)


def table(
    items: Sequence[Keyed],
    made: Mapping[str, PairRecord],
    others: Mapping[str, PairRecord],
    given: Sequence[PairRecord],
    earlier: Sequence[PairRecord],
    scenes: Mapping[str, tuple[str, str]],
) -> list[PairRecord]:
    """Rows of the manifest at the end of a run: nothing that an earlier one knew is forgotten.

    Args:
        items: all of the input, also those past a limit.
        made: records of this run, by key.
        others: records of earlier runs that still hold, by key.
        given: records that needed no work.
        earlier: rows of the manifest before.
        scenes: scene and split by key, where they are known.

    Returns:
        In input order; then rows of inputs that were not seen, marked absent, in their former order; then
        `given`.
    """
    before = {row.key: row for row in earlier if row.split}
    rows: dict[str, PairRecord] = {}
    for key in [item.key for item in items]:
        if found := made.get(key) or others.get(key):
            rows[key] = found
        elif key in before:
            rows[key] = unmade(before[key])
    order = dict.fromkeys([*(row.key for row in earlier), *others])
    for key in order:
        if key in rows or not (key in others or key in before):
            continue
        rows[key] = _absent(others[key] if key in others else unmade(before[key]))
    told = [record for record in given if record.key not in rows]
    return [in_scene(record, scenes) for record in (*rows.values(), *told)]


def _absent(record: PairRecord) -> PairRecord:
    return replace(record, detail={**record.detail, ABSENT: 1})
