"""A folder job: one pure function over many items, that survives anything and says what became of each.

The parent alone keeps the ledger. Work is done by this process or by loky's worker processes, whose
death loses nothing: the tasks in flight are submitted again, one at a time until the culprit is found.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from realdeg import atomic
from realdeg.errors import UserError
from realdeg.records import (
    LEDGER,
    SCHEMA,
    PairRecord,
    file_hash,
    from_json,
    read_manifest,
    to_json,
    write_manifest,
)

LOCK = ".realdeg.lock"
DEATHS_TO_GIVE_UP = 2
SYNC_SECONDS = 1.0


class Keyed(Protocol):
    """An item of work: picklable, with a key that is unique in its job."""

    @property
    def key(self) -> str:
        """Relative path without suffix."""
        ...


Item = TypeVar("Item", bound=Keyed)


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
    """What a job ended with: records in input order, time, and why it stopped early if it did."""

    records: tuple[PairRecord, ...]
    resumed: int = 0
    seconds: float = 0.0
    unfinished: int = 0
    interrupted: bool = False
    warnings: tuple[str, ...] = field(default=())

    def count(self, status: str) -> int:
        """Number of records with this status."""
        return sum(record.status == status for record in self.records)

    @property
    def problems(self) -> int:
        """Number of items that gave no pair."""
        return len(self.records) - self.count("ok")


def run_job(
    work: Callable[[Item], PairRecord],
    items: Sequence[Item],
    out: Path,
    *,
    settings: Mapping[str, Any],
    given: Sequence[PairRecord] = (),
    workers: int = 1,
    overwrite: bool = False,
    max_failures: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> JobReport:
    """Apply `work` to every item and leave `out/manifest.csv`, skipping what an earlier run finished.

    Args:
        work: picklable function of one item; writes its own files atomically and returns their record.
            A `UserError` becomes a "failed" record with its text; any other exception too, with its type.
        items: in the order that the manifest will have.
        settings: what the output depends on; an output folder made with others is refused.
        given: records that need no work (files without partner, say); they follow the items' records.
        workers: processes; the bytes written do not depend on it.
        overwrite: do everything anew. Nothing is deleted; files are replaced as they are made.
        max_failures: stop early once so many items have given no pair.
        on_progress: called in this process after each item.

    Raises:
        UserError: `out` cannot be written, is in use by another job, or was made with other settings.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(out, f"cannot be made ({error.strerror})", "choose another output folder") from None
    started = time.monotonic()
    with locked(out), stop_signals() as stop:
        atomic.sweep(out)
        done = {} if overwrite else _finished(out, settings)
        records = {item.key: done[item.key] for item in items if item.key in done}
        resumed = len(records)
        todo = [item for item in items if item.key not in records]
        problems = sum(not record.ok for record in (*records.values(), *given))

        def tell(last: PairRecord | None) -> None:
            if on_progress:
                elapsed = time.monotonic() - started
                on_progress(Progress(len(records), len(items), resumed, problems, elapsed, last))

        tell(None)
        for record in given:
            tell(record)
        with _Ledger(out / LEDGER, settings, keep=list(records.values())) as ledger:
            for record in _results(work, todo, workers, stop):
                ledger.append(record)
                records[record.key] = record
                problems += not record.ok
                tell(record)
                if max_failures is not None and problems >= max_failures:
                    stop.set()
        splits = _splits(out)
        rows = [
            records[item.key].with_split(splits.get(item.key, records[item.key].split))
            for item in items
            if item.key in records
        ]
        write_manifest(out, [*rows, *given])
    return JobReport(
        (*rows, *given), resumed, time.monotonic() - started, len(items) - len(rows), stop.by_signal
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process.

    Raises:
        UserError: a living process holds it (its number and start are named), or it cannot be written.
    """
    path = folder / LOCK
    text = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
    while True:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            break
        except FileExistsError:
            holder = _holder(path)
            if holder:
                raise UserError(
                    folder, f"is in use by {holder}", "wait for it or choose another folder"
                ) from None
            path.unlink(missing_ok=True)
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise UserError(folder, problem, "choose another output folder") from None
    with os.fdopen(handle, "w") as file:
        file.write(text)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    """Who holds the lock, or "" if nobody living does."""
    try:
        lock = json.loads(path.read_text())
        pid, since = int(lock["pid"]), str(lock["since"])
        os.kill(pid, 0)
    except PermissionError:
        return "a process of another user"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return "" if pid == os.getpid() else f"process {pid} since {since}"


class Stop:
    """Set by the first Ctrl-C or by the job itself; the second Ctrl-C raises."""

    def __init__(self) -> None:
        self.by_signal = False
        self._set = False

    def set(self) -> None:
        """Ask for the end."""
        self._set = True

    def is_set(self) -> bool:
        """Whether the end was asked for."""
        return self._set


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """First SIGINT or SIGTERM: finish what is in flight. Second: KeyboardInterrupt."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: object) -> None:
        if stop.by_signal:
            raise KeyboardInterrupt
        stop.by_signal = True
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _attempt(work: Callable[[Item], PairRecord], item: Item) -> PairRecord:
    """`work(item)`, with every exception turned into a record."""
    try:
        return work(item)
    except UserError as error:
        return PairRecord(item.key, "failed", str(error))
    except MemoryError:
        return PairRecord(item.key, "failed", "out of memory; use fewer workers or smaller images")
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        reason = f"internal error, please report it: {type(error).__name__}: {error} ({where})"
        return PairRecord(item.key, "failed", " ".join(reason.split()))


def _results(
    work: Callable[[Item], PairRecord], items: Sequence[Item], workers: int, stop: Stop
) -> Iterator[PairRecord]:
    if workers <= 1 or len(items) <= 1:
        for item in items:
            if stop.is_set():
                return
            yield _attempt(work, item)
    else:
        yield from _parallel(work, items, workers, stop)


def _parallel(
    work: Callable[[Item], PairRecord], items: Sequence[Item], workers: int, stop: Stop
) -> Iterator[PairRecord]:
    """Results as they come, with at most 4 tasks per worker ahead, surviving the death of workers."""
    from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

    queue = deque(items)
    deaths: dict[str, int] = {}
    running: dict[Future[PairRecord], Item] = {}
    executor = _executor(workers)
    try:
        while (queue and not stop.is_set()) or running:
            # After a death every task that was in flight is a suspect, and suspects run alone.
            ahead = 1 if any(deaths.get(item.key) for item in list(queue)[:1]) else 4 * workers
            while queue and len(running) < ahead and not stop.is_set():
                if running and deaths.get(queue[0].key):
                    break
                item = queue.popleft()
                try:
                    running[executor.submit(_attempt, work, item)] = item
                except (BrokenProcessPool, ShutdownExecutorError):
                    queue.appendleft(item)
                    break
            if not running:
                executor = _executor(workers, fresh=True)
                continue
            finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            broken: list[Item] = []
            for future in finished:
                item = running.pop(future)
                try:
                    yield future.result()
                except (BrokenProcessPool, ShutdownExecutorError):
                    broken.append(item)
            if broken:
                broken += running.values()
                alone = len(broken) == 1
                running.clear()
                executor = _executor(workers, fresh=True)
                for item in sorted(broken, key=lambda item: item.key, reverse=True):
                    deaths[item.key] = deaths.get(item.key, 0) + 1
                    if alone and deaths[item.key] >= DEATHS_TO_GIVE_UP:
                        yield PairRecord(
                            item.key, "failed", "its worker process died twice (killed, or out of memory)"
                        )
                    else:
                        queue.appendleft(item)
    except BaseException:
        executor.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]
        raise


def _executor(workers: int, *, fresh: bool = False) -> Executor:
    from loky import get_reusable_executor

    return get_reusable_executor(  # type: ignore[no-any-return]
        max_workers=workers, kill_workers=fresh, reuse=not fresh, initializer=_start_worker
    )


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and the cores to the other workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)


class _Ledger:
    """`ledger.jsonl`: a header with the settings, then one record a line."""

    def __init__(self, path: Path, settings: Mapping[str, Any], keep: Sequence[PairRecord]) -> None:
        header = json.dumps({"schema": SCHEMA, "settings": dict(settings)}, sort_keys=True, default=str)
        atomic.write_text(path, "".join(f"{line}\n" for line in (header, *map(to_json, keep))))
        self._file: IO[str] = path.open("a", encoding="utf-8")
        self._synced = time.monotonic()

    def append(self, record: PairRecord) -> None:
        self._file.write(to_json(record) + "\n")
        self._file.flush()
        if time.monotonic() - self._synced > SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def __enter__(self) -> _Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.fsync(self._file.fileno())
        self._file.close()


def _finished(out: Path, settings: Mapping[str, Any]) -> dict[str, PairRecord]:
    """Records of an earlier run that still hold: not failed, and their files are as they were written.

    Raises:
        UserError: the earlier run had other settings.
    """
    path = out / LEDGER
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
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
    return {key: record for key, record in found.items() if _holds(out, record)}


def _splits(out: Path) -> dict[str, str]:
    """Splits that `realdeg split` wrote into the manifest since; the ledger does not know them."""
    try:
        return {record.key: record.split for record in read_manifest(out) if record.split}
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


def with_hashes(out: Path, record: PairRecord) -> PairRecord:
    """`record` with `lr_sha256` and `hr_sha256` of its files added to its detail."""
    hashes = {f"{name}_sha256": file_hash(out / getattr(record, name)) for name in ("lr", "hr")}
    return replace(record, detail={**record.detail, **hashes})
