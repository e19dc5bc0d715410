"""Standard streams of a program: closed, full, or read by nobody; none of it may cost a job its work."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from realdeg.errors import EXIT_OK, EXIT_SOME_FAILED, UserError
from realdeg.terminal import write_line

if TYPE_CHECKING:
    from typing_extensions import Buffer


ESCAPED = "realdeg.escaped"
"""Name of the way in which a stream writes letters that its encoding lacks."""


class _Kept(io.FileIO):
    """A descriptor to which writing never fails; the first error is kept in `problem`."""

    problem: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            self.problem = self.problem or error
            return memoryview(data).nbytes


class Streams:
    """Standard output and error of this process, made fit for whatever they lead to.

    Descriptors that the caller closed (`>&-`) are opened on nothing: else the next file that is opened would
    get their number, and lines for a person would be written into it.
    """

    def __init__(self) -> None:
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:  # the lowest free number is this one
                opened = os.open(os.devnull, os.O_RDWR)
                os.set_inheritable(opened, True)
        self._raw = _Kept(1, "w", closefd=False)
        if sys.stdout is sys.__stdout__:
            sys.stdout = _over(self._raw, sys.stdout)
        if sys.stderr is sys.__stderr__:
            sys.stderr = _over(_Kept(os.dup(2), "w"), sys.stderr)  # 2 is the libraries' (`io.complaints`)

    def closing(self, code: int) -> int:
        """Exit code of the program: not 0 where its result could not be printed, of which a line tells.

        A reader who has seen enough and left (`| head`) is told nothing.
        """
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        problem = self._raw.problem
        if problem is None:
            return code
        if problem.errno != errno.EPIPE:
            what = f"cannot be written ({problem.strerror})"
            write_line(sys.stderr, f"error: {UserError('standard output', what, 'lead it to another place')}")
        return EXIT_SOME_FAILED if code == EXIT_OK else code


def escaped(error: UnicodeError) -> tuple[str, int]:
    r"""What a stream's encoding lacks, as \\uXXXX: in JSON, where results are printed, that is the same text.

    Windows leads output into files in the code page of old programs, and a bare terminal knows ASCII alone.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end


codecs.register_error(ESCAPED, escaped)


def _over(raw: _Kept, stream: TextIO | None) -> TextIO:
    """The stream again, on a descriptor that takes everything."""
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)
    if os.name == "nt" and stream.isatty():  # Windows' console is no file of bytes
        return stream
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    lines = bool(getattr(stream, "line_buffering", True))
    through = bool(getattr(stream, "write_through", False))
    return io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, _errors(stream), line_buffering=lines, write_through=through
    )


def _errors(stream: TextIO) -> str | None:
    """How the stream writes what its encoding lacks; not by an error, as Python does by default."""
    return ESCAPED if stream.errors in ("strict", "backslashreplace") else stream.errors
