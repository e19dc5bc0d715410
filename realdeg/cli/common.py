"""What all commands share: options of a folder job, progress and the closing table."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.left_out import in_words
from realdeg.options import PATH, Choice, F, in_flags, settings_options
from realdeg.output import Output, bare, current
from realdeg.settings import setting
from realdeg.terminal import is_rich_terminal, write_line
from realdeg.words import clock, counted, summed

if TYPE_CHECKING:
    from realdeg.jobs import JobReport, Progress, Running

__all__ = ["FOLDER", "Choice"]

FOLDER = PATH
ITEM_SECONDS = 3600  # kernels of one photo by kernelgan take minutes on a slow core
DATASET = "Folder that receives LR/, HR/, manifest.csv and run.yaml."
STOPPED = "stopped; what was finished is saved, run the same command again to go on"


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class JobOptions:
    """Options that every folder job takes."""

    out: Path = setting(help=DATASET, short="-o")
    workers: int = setting(
        0, "Processes; 0 = one per core. The output does not depend on it.", low=0, short="-j"
    )
    resume: bool = setting(
        True,
        "Go on where an earlier run stopped (default), or do everything anew.",
        flag="--resume/--overwrite",
    )
    memory: str | None = setting(
        None,
        "Memory for all workers together, e.g. 8G; an item that needs more fails (on Linux). align "
        "takes fewer workers if need be.",
        metavar="SIZE",
        shown="what is free, at least 4G for a worker",
    )
    item_seconds: float = setting(
        ITEM_SECONDS, "Time that one item may take; 0 = any.", low=0, metavar="SECONDS"
    )
    limit: int | None = setting(None, "Only the first N items.", low=1)
    # `realdeg verify --repair` makes this list.
    keys: Path | None = setting(
        None, "Only the items whose keys stand in this file, one a line.", hidden=True
    )
    fail_fast: bool = setting(False, "Stop at the first item that gives no pair.", flag="--fail-fast")
    max_failures: int | None = setting(None, "Stop after N items without a pair.", low=1)
    prune: bool = setting(
        False,
        "Forget the pairs of inputs that are not there any more; their files go to leftover/.",
        flag="--prune",
    )
    exit_zero: bool = setting(
        False, "Exit with 0 even when items failed or were rejected.", flag="--exit-zero"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", self.workers or cores())
        self.memory_bytes  # noqa: B018  (refuses what is no amount)

    @property
    def memory_bytes(self) -> int | None:
        """Memory for all workers together."""
        from realdeg.memory import parse_size

        return None if self.memory is None else parse_size(self.memory)

    def running(self, teller: Teller) -> Running:
        """The same for the library, with progress told by `teller`."""
        from realdeg.jobs import Running
        from realdeg.workers import Limits

        return Running(
            limit=self.limit,
            workers=self.workers,
            overwrite=not self.resume,
            max_failures=1 if self.fail_fast else self.max_failures,
            on_progress=teller,
            prune=self.prune,
            only=_read_keys(self.keys) if self.keys else None,
            limits=Limits(self.memory_bytes, self.item_seconds),
            phrase=in_flags,
        )


def job_options(out: str = DATASET) -> Callable[[F], F]:
    """Decorator: the options of a folder job; the command receives them as one `job: JobOptions`.

    Args:
        out: what -o is, and what is written there.
    """
    return settings_options(JobOptions, "job", out={"help": out})


def _read_keys(path: Path) -> frozenset[str]:
    """Keys in a text file, one a line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise UserError(path, f"cannot be read ({why})", exit_code=EXIT_USAGE) from None
    return frozenset(line for line in text.split("\n") if line)


class Teller:
    """Progress on standard error: a bar on a terminal, plain lines elsewhere, each problem at once."""

    PLAIN_SECONDS = 5.0

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self.what = what
        self.output = current()
        self.quiet = quiet or not self.output.progress
        self.bar: Any = None
        self.task: Any = None
        self._next = 0.0
        if not self.quiet and is_rich_terminal(sys.stderr):
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[eta]}"),
            )
            self.bar = Bar(*columns, console=Console(file=bare(sys.stderr)), transient=True)
            self.task = self.bar.add_task(what, rate="", eta="")

    def __enter__(self) -> Teller:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show the state after one item."""
        last = progress.last
        if last and not last.ok:
            key = " ".join(last.key.split())  # as reasons name it
            self.line(f"{last.status}: {key}: {last.reason}" if key not in last.reason else last.reason)
        elif last and self.output.verbose:
            self.line(f"{last.status}: {' '.join(last.key.split())}")
        fresh = progress.done - progress.resumed
        rate = f"{fresh / progress.seconds:.1f}/s" if fresh and progress.seconds > 0 else ""
        eta = f"ETA {clock(progress.eta_seconds)}" if progress.eta_seconds is not None else ""
        if self.bar:
            self.bar.update(self.task, total=progress.total, completed=progress.done, rate=rate, eta=eta)
        elif not self.quiet and (time.monotonic() > self._next or progress.done == progress.total):
            self._next = time.monotonic() + self.PLAIN_SECONDS
            resumed = f", {progress.resumed} from an earlier run" if progress.resumed else ""
            parts = [f"{self.what} {progress.done}/{progress.total}{resumed}", rate, eta]
            parts.append(f"{progress.problems} without a pair" if progress.problems else "")
            write_line(sys.stderr, "  ".join(part for part in parts if part))

    def line(self, text: str) -> None:
        """Print one line above the bar, also of names that hold line breaks."""
        text = " ".join(in_flags(text).split())
        if self.bar:
            self.output.note(text)
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            write_line(sys.stderr, text)


def finish(
    report: JobReport,
    job: JobOptions,
    output: Output,
    *,
    extra: dict[str, Any] | None = None,
    manifests: str | Path = "manifest.csv",
    what: str = "pairs",
    only_json: dict[str, Any] | None = None,
) -> int:
    """Print the closing table (or JSON) of a job; the documented exit code.

    Args:
        extra: further figures by name, shown below the counts and put into the JSON; a list of
            dictionaries becomes one line each.
        manifests: where the reasons of refusals are.
        what: of what so many were made.
        only_json: further values by name that are not shown.
    """
    extra = extra or {}
    counts = {status: report.count(status) for status in ("ok", "rejected", "failed")}
    reasons = [record.reason for record in report.records if not record.ok]
    result = {
        "out": str(job.out),
        **counts,
        "unfinished": report.unfinished,
        "resumed": report.resumed,
        "seconds": round(report.seconds, 3),
        "interrupted": report.interrupted,
        "stopped": report.stopped,
        "others": report.others,
        "absent": report.absent,
        "leftover": report.leftover,
        "left_out": dict(report.left_out),
        "problems": {r.key: r.reason for r in report.records if not r.ok},
        **extra,
        **(only_json or {}),
    }
    resumed = f" ({report.resumed} from an earlier run)" if report.resumed else ""
    lines = [f"{job.out}: {counted(counts['ok'], what)}{resumed} in {_seconds(report.seconds)}"]
    lines += [f"  {status:<9}{counts[status]:>5}" for status in ("rejected", "failed") if counts[status]]
    if report.unfinished:
        lines.append(f"  {'not done':<9}{report.unfinished:>5}  run again to go on")
    lines += [f"  {stays}" for stays in _of_earlier_runs(report)]
    for name, value in extra.items():
        for line in value if isinstance(value, list) else [{name: value}]:
            told = [f"{key.replace('_', ' ')}: {figure}" for key, figure in line.items()]
            lines.append(f"  {', '.join(told)}")
    lines += [f"  {count:>4} x {reason}" for count, reason in summed(reasons, 8)]
    if report.problems and manifests:
        where = manifests if isinstance(manifests, Path) else job.out / manifests
        lines.append(f"  every reason: {where}")
    if report.left_out:
        lines.append(f"  {in_flags(in_words(report.left_out))}")
    output.result(result, *lines)
    if report.stopped:
        write_line(sys.stderr, f"stopped early: {report.stopped}")
        return EXIT_SOME_FAILED
    if report.interrupted:
        write_line(sys.stderr, STOPPED)
        return EXIT_INTERRUPTED
    return EXIT_SOME_FAILED if report.problems and not job.exit_zero else EXIT_OK


def _of_earlier_runs(report: JobReport) -> list[str]:
    """What stays of earlier runs beside this one's pairs, and what does not."""
    lines = []
    if report.others > report.absent:
        lines.append(f"{report.others - report.absent} more of earlier runs stay as they are")
    if report.absent:
        why = "though their inputs were not seen: absent in the table; --prune forgets them"
        lines.append(f"{report.absent} of earlier runs stay, {why}")
    if report.leftover:
        lines.append(f"{report.leftover} files that manifest.csv no longer names are now in leftover/")
    return lines


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else clock(seconds)
