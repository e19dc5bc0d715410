"""A folder job: one pure function over many items, that survives anything and says what became of each.

The parent alone keeps the ledger (`ledger.py`); the work is done here or by worker processes (`workers.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from realdeg import atomic
from realdeg.errors import UserError
from realdeg.guard import locked, stop_signals
from realdeg.ledger import Ledger, assigned, finished
from realdeg.records import LEDGER, PairRecord, write_manifest
from realdeg.workers import Item, results


@dataclass(frozen=True)
class Progress:
    """State of a running job, handed to `on_progress` after each item."""

    done: int
    total: int
    resumed: int
    problems: int
    seconds: float
    last: PairRecord | None = None

    @property
    def eta_seconds(self) -> float | None:
        """Expected time to the end, from the rate of this run; None before the first item."""
        fresh = self.done - self.resumed
        return (self.total - self.done) * self.seconds / fresh if fresh else None


@dataclass(frozen=True)
class JobReport:
    """What a job ended with: records in input order, time, and why it stopped early if it did.

    Attributes:
        left_out: inputs that were not taken, by why: how many (`realdeg.io.find.Listing`).
    """

    records: tuple[PairRecord, ...]
    resumed: int = 0
    seconds: float = 0.0
    unfinished: int = 0
    interrupted: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)

    def count(self, status: str) -> int:
        """Number of records with this status."""
        return sum(record.status == status for record in self.records)

    @property
    def problems(self) -> int:
        """Number of items that gave no pair."""
        return len(self.records) - self.count("ok")


@dataclass(frozen=True)
class Running:
    """How a job is run; nothing of it changes the bytes that are written.

    Attributes:
        limit: only the first so many items.
        workers: processes.
        overwrite: redo what an earlier run finished. Nothing is deleted; files are replaced as they are made.
        max_failures: stop early once so many items have given no pair.
        on_progress: called in the parent process after each item.
    """

    limit: int | None = None
    workers: int = 1
    overwrite: bool = False
    max_failures: int | None = None
    on_progress: Callable[[Progress], None] | None = None


def run_job(
    work: Callable[[Item], PairRecord],
    items: Sequence[Item],
    out: Path,
    *,
    settings: Mapping[str, Any],
    given: Sequence[PairRecord] = (),
    scenes: Mapping[str, tuple[str, str]] | None = None,
    still: Callable[[Item, PairRecord], bool] | None = None,
    left_out: Mapping[str, int] | None = None,
    running: Running = Running(),
) -> JobReport:
    """Apply `work` to every item and leave `out/manifest.csv`, skipping what an earlier run finished.

    Args:
        work: picklable function of one item; writes its own files atomically and returns their record.
            A `UserError` becomes a "failed" record with its text; any other exception too, with its type.
        items: in the order that the manifest will have; `running.limit` takes the first ones.
        settings: what the output depends on; an output folder made with others is refused.
        given: records that need no work (files without partner, say); they follow the items' records.
        scenes: scene and split by key, where the input dictates them; else those in `out`'s manifest stay.
        left_out: handed on to the report.
        still: whether an earlier record is of this very item; None: where the key is the same, it is.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: `out` cannot be written, is in use by another job, or was made with other settings.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(out, f"cannot be made ({error.strerror})", "choose another output folder") from None
    items = items[: running.limit]
    started = time.monotonic()
    with locked(out), stop_signals() as stop:
        atomic.sweep(out)
        done = {} if running.overwrite else finished(out, settings)
        records = {
            item.key: done[item.key]
            for item in items
            if item.key in done and (still is None or still(item, done[item.key]))
        }
        resumed = len(records)
        todo = [item for item in items if item.key not in records]
        problems = sum(not record.ok for record in (*records.values(), *given))

        def tell(last: PairRecord | None) -> None:
            if running.on_progress:
                elapsed = time.monotonic() - started
                running.on_progress(Progress(len(records), len(items), resumed, problems, elapsed, last))

        tell(None)
        for record in given:
            tell(record)
        with Ledger(out / LEDGER, settings, keep=list(records.values())) as ledger:
            for record in results(work, todo, running.workers, stop):
                ledger.append(record)
                records[record.key] = record
                problems += not record.ok
                tell(record)
                if running.max_failures is not None and problems >= running.max_failures:
                    stop.set()
        known = {**assigned(out), **(scenes or {})}
        rows = [_in_scene(records[item.key], known) for item in items if item.key in records]
        write_manifest(out, [*rows, *given])
    return JobReport(
        (*rows, *given), resumed, time.monotonic() - started, len(items) - len(rows), stop.by_signal, left_out or {}
    )


def _in_scene(record: PairRecord, known: Mapping[str, tuple[str, str]]) -> PairRecord:
    if not record.ok or record.key not in known:
        return record
    scene, split = known[record.key]
    return replace(record, scene=scene, split=split)
