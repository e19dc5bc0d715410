"""What a stream can show: a bar that is drawn again and again, or plain lines only."""

from __future__ import annotations

import os
from typing import TextIO


def is_rich_terminal(stream: TextIO | None) -> bool:
    """Whether a moving bar may be drawn on `stream`.

    Not on a file or pipe, on a closed stream (None where a program starts without one), or where the
    terminal says of itself that it cannot move its cursor (TERM=dumb or unknown), or nothing at all; on
    Windows they never do.
    """
    term = os.environ.get("TERM", "").lower()
    if term in ("dumb", "unknown") or not (term or os.name == "nt"):
        return False
    try:
        return stream is not None and stream.isatty()
    except (ValueError, OSError):
        return False


def write_line(stream: TextIO | None, text: str) -> bool:
    """Write a line that nobody need read, at once; whether it went out.

    A stream that was closed, whose reader left, or whose disk is full stops no work: progress is not a
    result. Results are printed by other means, which say what went wrong.
    """
    if stream is None:
        return False
    try:
        stream.write(text + "\n")
        stream.flush()
    except (ValueError, OSError):
        return False
    return True
