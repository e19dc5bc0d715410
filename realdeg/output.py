"""What a command tells, and to whom: lines or one JSON document, more or less of them, and a log of them all.

A command holds one `Output` while it runs (`current`). What belongs to its result goes to `result`; all else
goes to standard error where the result is JSON, so that standard output holds one document.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from realdeg.errors import EXIT_USAGE, Interrupted, UserError
from realdeg.terminal import write_line

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")  # of terminals


@dataclass
class Output:
    """How much is told, and where.

    Attributes:
        as_json: the result is one JSON document on standard output, all else goes to standard error.
        dry_run: say what would be done, and write nothing.
        quiet: no progress, only problems and the result.
        verbose: a line for each item.
        log_file: gets every line that is told, with its time.
    """

    as_json: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False
    log_file: Path | None = None
    _log: TextIO | None = field(default=None, repr=False)
    _before: tuple[TextIO, TextIO] | None = field(default=None, repr=False)
    _token: Token[Output] | None = field(default=None, repr=False)

    @property
    def progress(self) -> bool:
        """Whether anybody wants to see how far it is."""
        return not self.quiet and (self.verbose or not self.as_json)

    def __enter__(self) -> Output:
        self._before = sys.stdout, sys.stderr
        if self.log_file is not None:
            self._log = _opened(self.log_file)
            sys.stdout, sys.stderr = _Copied(sys.stdout, self._log), _Copied(sys.stderr, self._log)
        self._printed = sys.stdout
        if self.as_json:
            sys.stdout = sys.stderr
        self._token = _CURRENT.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        assert self._before is not None
        assert self._token is not None
        if isinstance(error, (KeyboardInterrupt, Interrupted)):
            self.note("stopped")
        elif isinstance(error, UserError) or (error is not None and hasattr(error, "format_message")):
            told = error.format_message() if hasattr(error, "format_message") else str(error)
            self.note(f"error: {told}")  # which is printed once the command is over
        elif isinstance(error, Exception) and not hasattr(error, "exit_code"):
            self.note(f"error: {type(error).__name__}: {error}")
        _CURRENT.reset(self._token)
        sys.stdout, sys.stderr = self._before
        if self._log is not None:
            with contextlib.suppress(OSError, ValueError):
                self._log.close()

    def result(self, document: Mapping[str, Any], *lines: str) -> None:
        """Print what came out: the document where JSON is wanted, else the lines."""
        if self.as_json:
            lines = (json.dumps(document, ensure_ascii=False, default=str),)
        stream = self._printed if self._before else sys.stdout
        for line in lines:
            stream.write(line + "\n")
        stream.flush()

    def say(self, text: str) -> None:
        """A line beside the result: on standard output, or on standard error where that is for JSON."""
        if not self.quiet:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def more(self, text: str) -> None:
        """A line for whoever wants to hear more (`verbose`), on standard error."""
        if self.verbose:
            write_line(sys.stderr, " ".join(text.split()))

    def note(self, text: str) -> None:
        """A line for the log alone; of what is drawn on a terminal by other means."""
        if self._log is not None:
            _append(self._log, text)


_CURRENT: ContextVar[Output] = ContextVar("output", default=Output())  # noqa: B039  (outside commands)


def current() -> Output:
    """How the command that runs tells things; outside commands: plainly."""
    return _CURRENT.get()


def bare(stream: TextIO) -> TextIO:
    """A standard stream without its log, to draw a moving bar on."""
    return stream.stream if isinstance(stream, _Copied) else stream


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise UserError(path, problem, "choose another log file", exit_code=EXIT_USAGE) from None


def _append(log: TextIO, text: str) -> None:
    """One line with its time; a full disk stops no work."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    with contextlib.suppress(OSError, ValueError):
        log.write(f"{now} {CONTROL.sub('', text)}\n")
        log.flush()


class _Copied(io.TextIOBase):
    """A stream whose whole lines also go to a log."""

    def __init__(self, stream: TextIO, log: TextIO) -> None:
        self.stream, self.log, self._begun = stream, log, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError("a text is needed")
        self.stream.write(text)
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            _append(self.log, line)
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True
