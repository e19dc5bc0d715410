"""What all commands share: options of a folder job, settings from a file, progress and the closing table."""

from __future__ import annotations

import difflib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from realdeg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, UserError
from realdeg.io.left_out import in_words
from realdeg.terminal import is_rich_terminal, write_line
from realdeg.words import clock, counted, summed

if TYPE_CHECKING:
    from realdeg.jobs import JobReport, Progress, Running

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

FOLDER = click.Path(path_type=Path)
ITEM_SECONDS = 3600  # kernels of one photo by kernelgan take minutes on a slow core
LONGEST_NAME = 255  # bytes that a file name may have; no other option takes as many
JOB_NAMES = (
    "out",
    "workers",
    "overwrite",
    "dry_run",
    "as_json",
    "quiet",
    "limit",
    "max_failures",
    "exit_zero",
    "prune",
    "keys",
    "memory",
    "item_seconds",
)


class Choice(click.Choice[str]):
    """A choice that offers the nearest known value for a misspelt one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value, or a usage error."""
        near = difflib.get_close_matches(str(value), list(self.choices), n=1)
        if near and value not in self.choices:
            self.fail(
                f"{value!r} is not one of {', '.join(self.choices)}. Did you mean {near[0]!r}?", param, ctx
            )
        return super().convert(value, param, ctx)


@dataclass(frozen=True)
class JobOptions:
    """Options that every folder job takes."""

    out: Path
    workers: int
    overwrite: bool
    dry_run: bool
    as_json: bool
    quiet: bool
    limit: int | None
    max_failures: int | None
    exit_zero: bool
    prune: bool = False
    keys: frozenset[str] | None = None
    memory: int | None = None
    item_seconds: float = 0

    def running(self, teller: Teller) -> Running:
        """The same for the library, with progress told by `teller`."""
        from realdeg.jobs import Running
        from realdeg.workers import Limits

        return Running(
            self.limit,
            self.workers,
            self.overwrite,
            self.max_failures,
            teller,
            self.prune,
            self.keys,
            Limits(self.memory, self.item_seconds),
        )


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def job_options(function: F) -> F:
    """Add the options of a folder job; the command receives them as one `job: JobOptions`."""

    @functools.wraps(function)
    def with_job(*args: Any, **kwargs: Any) -> Any:
        if kwargs.pop("show_settings"):
            _show_settings(kwargs)
        values = {name: kwargs.pop(name) for name in JOB_NAMES}
        if kwargs.pop("fail_fast"):
            values["max_failures"] = 1
        values["workers"] = values["workers"] or cores()
        values["memory"] = _bytes(values["memory"])
        return function(*args, job=JobOptions(**values), **kwargs)

    options = (
        click.option("-o", "--out", type=FOLDER, required=True, help="Folder that receives the dataset."),
        click.option(
            "-j",
            "--workers",
            type=click.IntRange(0),
            default=0,
            help="Processes; 0 = one per core. The output does not depend on it.",
        ),
        click.option(
            "--resume/--overwrite",
            "resume",
            default=True,
            callback=lambda ctx, param, value: ctx.params.__setitem__("overwrite", not value),
            expose_value=False,
            help="Go on where an earlier run stopped (default), or do everything anew.",
        ),
        click.option(
            "--memory",
            default=None,
            metavar="SIZE",
            help="Memory for all workers together, e.g. 8G; an item that needs more fails (on Linux). align "
            "takes fewer workers if need be.  [default: what is free, at least 4G for a worker]",
        ),
        click.option(
            "--item-seconds",
            type=click.FloatRange(0),
            metavar="SECONDS",
            default=ITEM_SECONDS,
            help="Time that one item may take; 0 = any.",
        ),
        click.option("--dry-run", is_flag=True, help="Say what would be done, write nothing."),
        click.option("--show-settings", is_flag=True, help="Print the options in force and stop."),
        click.option("--limit", type=click.IntRange(1), default=None, help="Only the first N items."),
        click.option(
            "--keys",
            type=FOLDER,
            default=None,
            callback=_read_keys,
            hidden=True,  # `realdeg verify --repair` makes this list
            help="Only the items whose keys stand in this file, one a line.",
        ),
        click.option("--fail-fast", is_flag=True, help="Stop at the first item that gives no pair."),
        click.option(
            "--max-failures", type=click.IntRange(1), default=None, help="Stop after N items without a pair."
        ),
        click.option(
            "--prune",
            is_flag=True,
            help="Forget the pairs of inputs that are not there any more; their files go to leftover/.",
        ),
        click.option(
            "--exit-zero", is_flag=True, help="Exit with 0 even when items failed or were rejected."
        ),
    )
    return cast(F, output_options(add_options(with_job, options)))


def _bytes(size: str | int | float | None) -> int | None:
    """An amount of memory; a file of options may give it as a number."""
    from realdeg.memory import parse_size

    return None if size is None else parse_size(str(size))


def _read_keys(ctx: click.Context, param: click.Parameter, path: Path | None) -> frozenset[str] | None:
    """Keys in a text file, one a line."""
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise UserError(path, f"cannot be read ({why})", exit_code=EXIT_USAGE) from None
    return frozenset(line for line in text.split("\n") if line)


def _show_settings(values: dict[str, Any]) -> None:
    """Print options as a file that `--config` reads back, and end the command."""
    import yaml

    from realdeg.settings import to_plain

    values = {**values, "resume": not values["overwrite"]}
    kept = {n: to_plain(v) for n, v in values.items() if v is not None and n not in ("overwrite", "keys")}
    click.echo(yaml.safe_dump(kept, sort_keys=True, allow_unicode=True), nl=False)
    click.get_current_context().exit(EXIT_OK)


def output_options(function: F) -> F:
    """Add --json, --quiet, --config and --debug."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("-q", "--quiet", is_flag=True, help="No progress, only problems and the result."),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            is_eager=True,
            expose_value=False,
            callback=_use_config,
            help="YAML file with options by name, e.g. the run.yaml of an earlier run; flags win over it.",
        ),
        click.option(
            "--max-pixels",
            type=click.IntRange(1),
            metavar="N",
            expose_value=False,
            callback=_allow_pixels,
            help="Refuse larger photos before they are decoded.  [default: 179 million]",
        ),
        click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks."),
    )
    return add_options(function, options)


def _allow_pixels(ctx: click.Context, param: click.Parameter, pixels: int | None) -> None:
    """Set the limit of this process while the command runs."""
    if pixels is not None:
        from realdeg.io.limits import allowing

        ctx.with_resource(allowing(pixels))


def add_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    """`function` with options that `--help` lists in this order."""
    for option in reversed(options):
        function = option(function)
    return function


def _use_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Take defaults from a file: default < file < flag, unknown names refused."""
    if path is None:
        return
    from realdeg.settings import read_yaml

    values = read_yaml(path)
    options = {p.name: p for p in ctx.command.params if p.name and p.name not in ("config", "debug")}
    for name in values:
        if name not in options:
            near = difflib.get_close_matches(str(name), options, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(options)}"
            raise UserError(path, f"unknown option {name!r}", hint, exit_code=EXIT_USAGE)
    told = {n: _as_typed(path, options[n], value) for n, value in values.items() if value is not None}
    ctx.default_map = {**(ctx.default_map or {}), **told}


def _as_typed(path: Path, option: click.Parameter, value: object) -> bool | str | list[str]:
    """A value of a file as it would be typed, so that click checks both alike.

    Raises:
        UserError: a list where one value is meant, what nobody could type, or no true or false for a flag.
    """

    def wrong(meant: str) -> UserError:
        problem = f"{option.name}: {str(value)[:40]!r} is not what is meant"
        return UserError(path, problem, meant, exit_code=EXIT_USAGE)

    def text(one: object) -> str:
        if isinstance(one, bool) or not isinstance(one, (str, int, float)) or "\0" in str(one):
            raise wrong("give a number or a text")
        if max(len(part.encode("utf-8", "replace")) for part in str(one).split("/")) > LONGEST_NAME:
            raise wrong(f"give at most {LONGEST_NAME} letters")
        return str(one)

    if isinstance(option, click.Option) and option.is_flag:
        if not isinstance(value, bool):
            raise wrong("give true or false")
        return value
    if option.multiple or option.nargs != 1:
        return [text(one) for one in (value if isinstance(value, list) else [value])]
    return text(value)


def pick(kind: type[T], params: dict[str, Any]) -> T:
    """Build a settings dataclass from the command's parameters of the same names."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in params.items() if name in names})


class Teller:
    """Progress on standard error: a bar on a terminal, plain lines elsewhere, each problem at once."""

    PLAIN_SECONDS = 5.0

    def __init__(self, what: str, *, quiet: bool) -> None:
        self.what = what
        self.quiet = quiet
        self.bar: Any = None
        self.task: Any = None
        self._next = 0.0
        if not quiet and is_rich_terminal(sys.stderr):
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
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
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
        text = " ".join(text.split())
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            write_line(sys.stderr, text)


def finish(
    ctx: click.Context,
    report: JobReport,
    job: JobOptions,
    *,
    extra: dict[str, Any] | None = None,
    manifests: str | Path = "manifest.csv",
    what: str = "pairs",
    only_json: dict[str, Any] | None = None,
) -> None:
    """Print the closing table (or JSON) of a job and end the command with the documented exit code.

    Args:
        extra: further figures by name, shown below the counts and put into the JSON; a list of
            mappings becomes a line each.
        manifests: where every reason is written: a name below the output folder, or a path; "" = nowhere.
        what: of what so many were made.
        only_json: further values by name that are not shown.
    """
    extra = extra or {}
    counts = {status: report.count(status) for status in ("ok", "rejected", "failed")}
    reasons = [record.reason for record in report.records if not record.ok]
    if job.as_json:
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
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        resumed = f" ({report.resumed} from an earlier run)" if report.resumed else ""
        click.echo(f"{job.out}: {counted(counts['ok'], what)}{resumed} in {_seconds(report.seconds)}")
        for status in ("rejected", "failed"):
            if counts[status]:
                click.echo(f"  {status:<9}{counts[status]:>5}")
        if report.unfinished:
            click.echo(f"  {'not done':<9}{report.unfinished:>5}  run again to go on")
        for stays in _of_earlier_runs(report):
            click.echo(f"  {stays}")
        for name, value in extra.items():
            lines = value if isinstance(value, list) else [{name: value}]
            for line in lines:
                told = [f"{key.replace('_', ' ')}: {figure}" for key, figure in line.items()]
                click.echo(f"  {', '.join(told)}")
        for count, reason in summed(reasons, 8):
            click.echo(f"  {count:>4} x {reason}")
        if report.problems and manifests:
            where = manifests if isinstance(manifests, Path) else job.out / manifests
            click.echo(f"  every reason: {where}")
        if report.left_out:
            click.echo(f"  {in_words(report.left_out)}")
    if report.stopped:
        click.echo(f"stopped early: {report.stopped}", err=True)
        ctx.exit(EXIT_SOME_FAILED)
    if report.interrupted:
        click.echo("stopped; what was finished is saved, run the same command again to go on", err=True)
        ctx.exit(EXIT_INTERRUPTED)
    if report.problems and not job.exit_zero:
        ctx.exit(EXIT_SOME_FAILED)
    ctx.exit(EXIT_OK)


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
