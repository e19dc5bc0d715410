"""A function over many items, in this process or in several; the death of a worker costs one item at most.

The tasks in flight when a worker dies are submitted again, one at a time until the culprit is found. With one
worker the work is done in this process, which is journalled before each item: an item that ended it is known
by the next run, and done in a process of its own. Items have limits of memory (`memory.py`) and time
(`overtime.py`).
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
from typing import Generic

from realdeg import ipp
from realdeg.atomic import is_alive
from realdeg.earlier import Item, Keyed
from realdeg.errors import DiskFull, UserError
from realdeg.guard import Stop
from realdeg.identity import Reading
from realdeg.io.limits import VARIABLE as MOST_PIXELS
from realdeg.memory import Most, limited, own_share, ran_out, share
from realdeg.overtime import Clocks, Watchdog
from realdeg.records import PairRecord

DEATHS_TO_GIVE_UP = 2
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB")} | {
    "PYTHONFAULTHANDLER": ""
}  # a worker is a core; how it died is said in one line, not in a dump
ENDS = {
    "SIGKILL": "most likely for want of memory",
    "SIGABRT": "most likely out of memory, which a library did not expect",
    "SIGSEGV": "a decoder crashed, or ran out of memory",
    "": "out of memory, or a decoder crashed",
}
"""What the end of a worker says of its cause."""
PARENT_SECONDS = 0.5  # how often a worker looks whether its parent lives


@dataclass(frozen=True)
class Outcome:
    """What became of one item.

    Attributes:
        record: of the item.
        vain: why going on with others would be in vain, or "".
        short_of: the memory that was too little for it.
    """

    record: PairRecord
    vain: str = ""
    short_of: Most | None = None


@dataclass(frozen=True)
class Limits:
    """What one item may take; no byte that is written depends on it.

    Attributes:
        memory: bytes for all workers together; None: what is free. Each gets an even share, and an item to
            which that is too little all of it, alone. Linux alone holds to it.
        seconds: 0: any number. A worker that exceeds them is ended; where the work is done in this process,
            this process ends, and what to do is left to the next run.
    """

    memory: int | None = None
    seconds: float = 0


def attempt(work: Callable[[Item], PairRecord], item: Item, most: Most | None = None) -> Outcome:
    """`work(item)`, with every exception turned into a record, which says what the item's files held.

    A file that is replaced while it is read makes a failed record.

    Args:
        work: of one item.
        item: the item.
        most: memory that this process may take meanwhile.
    """
    try:
        with limited(most):
            reading = Reading(item.sources)
            record = work(item)
            return Outcome(replace(record, sources=reading.states()))
    except DiskFull as error:
        return Outcome(PairRecord(item.key, "failed", str(error)), str(error))
    except Exception as error:
        if most and ran_out(error):
            subject = error.subject if isinstance(error, UserError) else _file_of(item)
            return Outcome(PairRecord(item.key, "failed", str(most.refusal(subject))), short_of=most)
        return Outcome(PairRecord(item.key, "failed", _told(item, error)))


def _told(item: Keyed, error: Exception) -> str:
    """A line about an error in the work on an item."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return _of(item, "does not fit into memory", "use fewer workers or smaller images")
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return _of(item, f"internal error, please report it: {type(error).__name__}: {error} ({where})", "")


def _of(item: Keyed, problem: str, remedy: str) -> str:
    """A line about an item's file."""
    return str(UserError(_file_of(item), problem, remedy))


def _file_of(item: Keyed) -> str | Path:
    return item.sources[-1] if item.sources else item.key


def results(
    work: Callable[[Item], PairRecord],
    items: Sequence[Item],
    workers: int,
    stop: Stop,
    begin: Callable[[str], None] = lambda key: None,
    suspects: Collection[str] = (),
    limits: Limits = Limits(),
) -> Iterator[PairRecord]:
    """Records of the items as they are finished; no new item is begun once `stop` is set.

    Args:
        work: of one item.
        items: whatever is to be done.
        workers: processes.
        stop: set from outside, and here where going on is in vain.
        begin: called with the key of an item that this process takes in hand itself.
        suspects: keys of items that are done in a process of their own.
        limits: memory and time of an item.
    """
    outcomes = (
        _serial(work, items, stop, begin, suspects, limits)
        if workers <= 1
        else _Parallel(work, max(min(workers, len(items)), 1), stop, limits).outcomes(items)
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
    limits: Limits,
) -> Iterator[Outcome]:
    from threadpoolctl import threadpool_limits

    most = own_share(limits.memory)
    # As in workers: many small matrix products wait for their threads longer than they compute, and
    # the last bit of a sum would depend on how they share it; IPP's would depend on the processor.
    with threadpool_limits(1, user_api="blas"), ipp.without(), Watchdog(limits.seconds) as watchdog:
        for item in items:
            if stop.is_set():
                return
            begin(item.key)
            if item.key in suspects:
                yield from _Parallel(work, 1, stop, limits).outcomes([item])
            else:
                watchdog.begin(_file_of(item))
                outcome = attempt(work, item, most)
                watchdog.end()
                yield outcome


class _Parallel(Generic[Item]):
    """A function over items in worker processes, with what each item has done to them so far.

    Args:
        work: of one item.
        workers: processes.
        stop: set from outside.
        limits: memory and time of an item.
    """

    def __init__(self, work: Callable[[Item], PairRecord], workers: int, stop: Stop, limits: Limits) -> None:
        self.work, self.workers, self.stop, self.limits = work, workers, stop, limits
        self.shared, self.whole = share(workers, limits.memory), share(1, limits.memory)
        self.queue: deque[Item] = deque()
        self.running: dict[Future[Outcome], Item] = {}  # in the order they were submitted
        self.deaths: dict[str, int] = {}
        self.hungry: set[str] = set()

    def outcomes(self, items: Sequence[Item]) -> Iterator[Outcome]:
        """What becomes of the items, as it comes, with at most 4 tasks per worker ahead."""
        if not items:
            return
        self.queue.extend(items)
        self._start(fresh=False)
        try:
            while (self.queue and not self.stop.is_set()) or self.running:
                self._submit()
                if not self.running:
                    self._start()
                    continue
                if self.stop.is_set():
                    self.running = {f: item for f, item in self.running.items() if not f.cancel()}
                yield from self._finished()
                yield from self._overdue()
        except BaseException:
            self.executor.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]
            raise

    def _start(self, *, fresh: bool = True) -> None:
        """Workers; new ones where some died or were ended."""
        self.executor = _executor(self.workers, fresh=fresh)
        self.clocks = Clocks(self.limits.seconds, self.workers)
        self.up: Future[None] | None = None

    def _is_suspect(self, item: Item) -> bool:
        """Whether an item runs alone: it may have ended a worker, or its share of memory was too small."""
        return item.key in self.deaths or item.key in self.hungry

    def _submit(self) -> None:
        ahead = 4 * self.workers
        while self.queue and len(self.running) < ahead and not self.stop.is_set():
            alone = self._is_suspect(self.queue[0])
            if self.running and (alone or any(map(self._is_suspect, self.running.values()))):
                return
            item = self.queue.popleft()
            try:
                if self.up is None:
                    self.up = self.executor.submit(_nothing)  # time runs once there is a worker
                most = self.whole if alone else self.shared
                self.running[self.executor.submit(attempt, self.work, item, most)] = item
            except _broken():
                self.queue.appendleft(item)
                return

    def _finished(self) -> Iterator[Outcome]:
        """What came back within half a second; what was in flight when a worker died is queued again."""
        finished, _ = wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED)
        broken: list[Item] = []
        cause = ""
        for future in finished:
            item = self.running.pop(future)
            try:
                outcome = future.result()
            except _broken() as error:
                broken.append(item)
                cause = str(error)
                continue
            if outcome.short_of and outcome.short_of != self.whole and item.key not in self.hungry:
                self.hungry.add(item.key)
                self.queue.append(item)
            else:
                yield outcome
        if broken:
            broken += self.running.values()
            self.running.clear()
            self._start()
            yield from self._after_a_death(broken, cause)

    def _after_a_death(self, broken: list[Item], cause: str) -> Iterator[Outcome]:
        """Every task that was in flight is a suspect, and suspects run alone until the culprit is found."""
        for item in sorted(broken, key=lambda item: item.key, reverse=True):
            self.deaths[item.key] = self.deaths.get(item.key, 0) + 1
            if len(broken) == 1 and self.deaths[item.key] >= DEATHS_TO_GIVE_UP:
                problem = f"ended the process that worked on it twice ({_likely(cause)})"
                remedy = "take it out or convert it, or use fewer workers or smaller images"
                yield Outcome(PairRecord(item.key, "failed", _of(item, problem, remedy)))
            else:
                self.queue.appendleft(item)

    def _overdue(self) -> Iterator[Outcome]:
        """Items that took too long; their workers are ended, and what the others had in hand begins anew."""
        late = self.clocks.overdue(self.running) if self.up and self.up.done() else []
        late = [task for task in late if not task.done()]
        if not late:
            return
        failed = [self.running.pop(task) for task in late]
        self.queue.extendleft(reversed(self.running.values()))
        self.running.clear()
        self._start()
        for item in failed:
            problem = f"took longer than {self.limits.seconds:g} s"
            remedy = "take it out or make it smaller, or raise `item_seconds`"
            yield Outcome(PairRecord(item.key, "failed", _of(item, problem, remedy)))


def _nothing() -> None:
    """The first task of new workers."""


def _likely(cause: str) -> str:
    """Why a worker died, from what loky knows of its end."""
    return next((why for name, why in ENDS.items() if name in cause), ENDS[""])


def _broken() -> tuple[type[BaseException], ...]:
    """What an executor raises whose workers died."""
    from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

    return BrokenProcessPool, ShutdownExecutorError


def _executor(workers: int, *, fresh: bool = False) -> Executor:
    import warnings

    from loky import get_reusable_executor

    # An idle worker that ends just when work comes is replaced; nobody need read of it.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)

    return get_reusable_executor(  # type: ignore[no-any-return]
        max_workers=workers,
        kill_workers=fresh,
        reuse="auto" if not fresh else False,  # workers of another limit of pixels are no use
        env=ONE_THREAD | {MOST_PIXELS: os.environ.get(MOST_PIXELS, "")},
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
    ipp.off()
    import cv2

    cv2.setNumThreads(1)


def _end_with(parent: int) -> None:
    """End this process once `parent` was killed: an orphan would write into a folder that others may hold."""
    while os.getppid() == parent and is_alive(parent):  # Windows names a parent long after its end
        time.sleep(PARENT_SECONDS)
    os._exit(1)
