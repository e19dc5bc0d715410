"""A folder job: one pure function over many items, that survives anything and says what became of each.

The parent alone keeps the ledger (`ledger.py`); the work is done here or by worker processes (`workers.py`).
What an earlier run has made is known by content (`earlier.py`), and nothing of it is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from realdeg import atomic
from realdeg.earlier import Item, assigned, holding, kept_of, read_earlier, table, withdraw
from realdeg.errors import Interrupted, UserError
from realdeg.guard import locked, stop_signals
from realdeg.ledger import Ledger
from realdeg.leftover import set_aside
from realdeg.marked import ALL, Marked
from realdeg.records import LEDGER, PairRecord, write_manifest
from realdeg.workers import Limits, results


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
        records: of this run's inputs, up to its limit.
        left_out: inputs that were not taken, by why: how many (`realdeg.io.find.Listing`).
        others: pairs of earlier runs that stay in the manifest: past the limit, or with an absent input.
        absent: how many of them have an input that was not seen.
        leftover: files that no row names any more, now in leftover/.
        stopped: why the job stopped itself, where going on would have been in vain; else "".
    """

    records: tuple[PairRecord, ...]
    resumed: int = 0
    seconds: float = 0.0
    unfinished: int = 0
    interrupted: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    others: int = 0
    absent: int = 0
    leftover: int = 0
    stopped: str = ""

    def count(self, status: str) -> int:
        """Number of records with this status."""
        return sum(record.status == status for record in self.records)

    @property
    def problems(self) -> int:
        """Number of items that gave no pair."""
        return len(self.records) - self.count("ok")

    def or_stop(self) -> JobReport:
        """The report of a job that went to its end, for whoever goes on from there.

        Raises:
            Interrupted: by a signal.
            UserError: the job stopped itself, its disk being full, say.
        """
        if self.interrupted:
            raise Interrupted
        if self.stopped:
            raise UserError("stopped early", self.stopped)
        return self


@dataclass(frozen=True)
class Running:
    """How a job is run; nothing of it changes the bytes that are written.

    Attributes:
        limit: only the first so many items.
        workers: processes.
        overwrite: redo what an earlier run finished. Nothing is deleted; files are replaced as they are made.
        max_failures: stop early once so many items have given no pair.
        on_progress: called in the parent process after each item.
        prune: forget the pairs of inputs that are not there any more; their files go to leftover/.
        only: keys of the items to be done; None: all.
        marked: pairs that somebody has chosen; a list that names others is refused.
        limits: memory and time that an item may take.
        phrase: how a reason is written down; it names settings as `max_error`, the command line as flags.
    """

    limit: int | None = None
    workers: int = 1
    overwrite: bool = False
    max_failures: int | None = None
    on_progress: Callable[[Progress], None] | None = None
    prune: bool = False
    only: frozenset[str] | None = None
    marked: Marked = ALL
    limits: Limits = field(default_factory=Limits)
    phrase: Callable[[str], str] = str


@dataclass(frozen=True)
class Ended:
    """What a job knows at its end, for the files that it writes beside the manifest.

    Attributes:
        rows: of the manifest, in its order.
        records: those of them that the journal knows, with numbers as they were stated.
        whole: whether the run went to its end; else what an earlier one has written had better stay.
    """

    rows: Sequence[PairRecord]
    records: Sequence[PairRecord]
    whole: bool


def run_job(
    work: Callable[[Item], PairRecord],
    items: Sequence[Item],
    out: Path,
    *,
    settings: Mapping[str, Any],
    given: Sequence[PairRecord] = (),
    scenes: Mapping[str, tuple[str, str]] | None = None,
    left_out: Mapping[str, int] | None = None,
    also: Callable[[Ended], None] = lambda ended: None,
    named: Callable[[Any], str] = lambda item: item.key,
    running: Running = Running(),
) -> JobReport:
    """Apply `work` to every item and leave `out/manifest.csv`, skipping what an earlier run finished.

    An earlier record counts if the item's files hold what it was made of, and its own what was written. Rows
    of inputs that are not seen this time stay, and so do scenes and splits.

    Args:
        work: picklable function of one item; writes its own files atomically and returns their record.
            A `UserError` becomes a "failed" record with its text; any other exception too, with its type.
        items: in the order that the manifest will have; `running.limit` takes the first ones.
        settings: what the output depends on; an output folder made with others is refused.
        given: records that need no work (files without partner, say); they follow the items' records.
        scenes: scene and split by key, where the input dictates them; else those in `out`'s manifest stay.
        left_out: handed on to the report.
        also: writes what else the job leaves in `out`, while it is held, before the manifest.
        named: the pair of an item, as `running.marked` names it.
        running: limit, workers, overwriting, when to give up, progress.

    Raises:
        UserError: `out` cannot be written, is in use by another job, was made with other settings, or its
            journal is damaged.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(out, f"cannot be made ({error.strerror})", "choose another output folder") from None
    given = [_phrased(record, running.phrase) for record in given]
    marked = running.marked.chosen(items, [record.key for record in given], key=named)
    wanted = [item for item in marked if running.only is None or item.key in running.only]
    chosen = wanted[: running.limit]
    started = time.monotonic()
    with locked(out), stop_signals() as stop:
        atomic.sweep(out)
        earlier = read_earlier(out, settings, overwrite=running.overwrite)
        records = {} if running.overwrite else kept_of(out, chosen, earlier.records)
        others = _others(out, items, chosen, earlier.records, prune=running.prune)
        lost = _others(out, items, chosen, earlier.lost, prune=running.prune)
        withdraw(out, earlier.rows, records.keys() | others.keys() | lost.keys())
        resumed = len(records)
        todo = [item for item in chosen if item.key not in records]
        problems = sum(not record.ok for record in (*records.values(), *given))

        def tell(last: PairRecord | None) -> None:
            if running.on_progress:
                elapsed = time.monotonic() - started
                running.on_progress(Progress(len(records), len(chosen), resumed, problems, elapsed, last))

        tell(None)
        for record in given:
            tell(record)
        keep = [*records.values(), *others.values()]
        # A journal that says all this already, and gets no more lines, need not be written again.
        said = dict(earlier.records)
        same = bool(said) and not (todo or earlier.suspects) and {r.key: r for r in keep} == said
        with Ledger(out / LEDGER, settings, keep=None if same else keep) as ledger:
            begin, suspects, limits = ledger.begin, earlier.suspects, running.limits
            for told in results(work, todo, running.workers, stop, begin, suspects, limits):
                record = _phrased(told, running.phrase)
                ledger.append(record)
                records[record.key] = record
                problems += not record.ok
                tell(record)
                if running.max_failures is not None and problems >= running.max_failures:
                    stop.set()
        known = {**assigned(earlier.rows), **(scenes or {})}
        stay = {**others, **lost}
        rows = table(items, records, stay, given, () if running.prune else earlier.rows, known)
        done = {row.key: row for row in rows}
        made = [done[item.key] for item in chosen if item.key in records]
        whole = not (stop.by_signal or stop.reason)
        also(Ended(rows, [row for row in rows if row.key in records or row.key in others], whole))
        write_manifest(out, rows)
        # While pairs are still to be made again, their files are not left over.
        leftover = set_aside(out, rows) if whole and len(made) == len(chosen) else 0
    seen = {item.key for item in items}
    return JobReport(
        (*made, *given),
        resumed,
        time.monotonic() - started,
        len(chosen) - len(made),
        stop.by_signal,
        left_out or {},
        len(stay),
        sum(key not in seen for key in stay),
        leftover,
        stop.reason,
    )


def _phrased(record: PairRecord, phrase: Callable[[str], str]) -> PairRecord:
    said = phrase(record.reason)
    return record if said == record.reason else replace(record, reason=said)


def _others(
    out: Path,
    items: Sequence[Item],
    chosen: Sequence[Item],
    records: Mapping[str, PairRecord],
    *,
    prune: bool,
) -> dict[str, PairRecord]:
    """Earlier records that this run has nothing to do with and that still hold, by key."""
    ours, all_keys = {item.key for item in chosen}, {item.key for item in items}
    kept = [r for key, r in records.items() if key not in ours and not (prune and key not in all_keys)]
    return holding(out, kept)
