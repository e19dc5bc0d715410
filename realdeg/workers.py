"""A function over many items, in this process or in several; the death of a worker costs one item at most.

The tasks in flight when a worker dies are submitted again, one at a time until the culprit is found. With one
worker the work is done in this process, which is journalled before each item: an item that ended it is known
by the next run, and done in a process of its own.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

from realdeg.earlier import Item, Keyed
from realdeg.errors import DiskFull, UserError
from realdeg.guard import Stop
from realdeg.identity import Reading
from realdeg.records import PairRecord

DEATHS_TO_GIVE_UP = 2
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB")} | {
    "PYTHONFAULTHANDLER": ""
}  # a worker is a core; how it died is said in one line, not in a dump
PARENT_SECONDS = 0.5  # how often a worker looks whether its parent lives


@dataclass(frozen=True)
class Outcome:
    """What became of one item; `vain`: why going on with others would be in vain, or ""."""

    record: PairRecord
    vain: str = ""


def attempt(work: Callable[[Item], PairRecord], item: Item) -> Outcome:
    """`work(item)`, with every exception turned into a record, which says what the item's files held.

    A file that is replaced while it is read makes a failed record.
    """
    try:
        reading = Reading(item.sources)
        record = work(item)
        return Outcome(replace(record, sources=reading.states()))
    except DiskFull as error:
        return Outcome(PairRecord(item.key, "failed", str(error)), str(error))
    except UserError as error:
        return Outcome(PairRecord(item.key, "failed", str(error)))
    except MemoryError:
        problem = "does not fit into memory"
        return Outcome(
            PairRecord(item.key, "failed", _of(item, problem, "use fewer workers or smaller images"))
        )
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        problem = f"internal error, please report it: {type(error).__name__}: {error} ({where})"
        return Outcome(PairRecord(item.key, "failed", _of(item, problem, "")))


def _of(item: Keyed, problem: str, remedy: str) -> str:
    """A line about an item's file."""
    return str(UserError(item.sources[-1] if item.sources else item.key, problem, remedy))


def results(
    work: Callable[[Item], PairRecord],
    items: Sequence[Item],
    workers: int,
    stop: Stop,
    begin: Callable[[str], None] = lambda key: None,
    suspects: Collection[str] = (),
) -> Iterator[PairRecord]:
    """Records of the items as they are finished; no new item is begun once `stop` is set.

    Args:
        work: of one item.
        items: whatever is to be done.
        workers: processes.
        stop: set from outside, and here where going on is in vain.
        begin: called with the key of an item that this process takes in hand itself.
        suspects: keys of items that are done in a process of their own.
    """
    outcomes = (
        _serial(work, items, stop, begin, suspects)
        if workers <= 1
        else _parallel(work, items, min(workers, len(items)), stop)
    )
    for outcome in outcomes:
        if outcome.vain:
            stop.set(outcome.vain)
        yield outcome.record


def _serial(
    work: Callable[[Item], PairRecord],
    items: Sequence[Item],
    stop: Stop,
    begin: Callable[[str], None],
    suspects: Collection[str],
) -> Iterator[Outcome]:
    from threadpoolctl import threadpool_limits

    # As in workers: many small matrix products wait for their threads longer than they compute, and
    # the last bit of a sum would depend on how they share it.
    with threadpool_limits(1, user_api="blas"):
        for item in items:
            if stop.is_set():
                return
            begin(item.key)
            if item.key in suspects:
                yield from _parallel(work, [item], 1, stop)
            else:
                yield attempt(work, item)


def _parallel(
    work: Callable[[Item], PairRecord], items: Sequence[Item], workers: int, stop: Stop
) -> Iterator[Outcome]:
    """Results as they come, with at most 4 tasks per worker ahead, surviving the death of workers."""
    from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

    if not items:
        return
    queue = deque(items)
    deaths: dict[str, int] = {}
    running: dict[Future[Outcome], Item] = {}
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
                    running[executor.submit(attempt, work, item)] = item
                except (BrokenProcessPool, ShutdownExecutorError):
                    queue.appendleft(item)
                    break
            if not running:
                executor = _executor(workers, fresh=True)
                continue
            if stop.is_set():
                running = {f: item for f, item in running.items() if not f.cancel()}
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
                        problem = (
                            "ended the process that worked on it twice (out of memory, or a decoder crashed)"
                        )
                        remedy = "take it out or convert it, or use fewer workers or smaller images"
                        yield Outcome(PairRecord(item.key, "failed", _of(item, problem, remedy)))
                    else:
                        queue.appendleft(item)
    except BaseException:
        executor.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]
        raise


def _executor(workers: int, *, fresh: bool = False) -> Executor:
    import warnings

    from loky import get_reusable_executor

    # An idle worker that ends just when work comes is replaced; nobody need read of it.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)

    return get_reusable_executor(  # type: ignore[no-any-return]
        max_workers=workers,
        kill_workers=fresh,
        reuse=not fresh,
        env=ONE_THREAD,
        initializer=_start_worker,
        initargs=(os.getpid(),),
    )


def _start_worker(parent: int) -> None:
    """Leave signals to the parent and the cores to the other workers; end when the parent is gone.

    Ctrl-C and a terminal that closes reach the whole group; the parent still wants what is in hand.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with(parent: int) -> None:
    """End this process once `parent` was killed: an orphan would write into a folder that others may hold."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)
