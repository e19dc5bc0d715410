"""How figures, times, commands and many like reasons are said to a person, the same everywhere."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

FILE = re.compile(r"^.{1,255}?\.[A-Za-z]\w*: ")  # at the head of a reason; names may hold blanks
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def counted(count: int, many: str, one: str = "") -> str:
    """`1 pair`, `2 pairs`, `1 photo with noise`.

    Args:
        count: of them.
        many: what several are called.
        one: what a single one is called; else `many`, its first word without the last letter.
    """
    head, blank, rest = many.partition(" ")
    return f"{count} {many if count != 1 else one or head[:-1] + blank + rest}"


def clock(seconds: float) -> str:
    """Seconds as 1:02, 3:04:05, or from a day on 27 d 10 h."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def duration(seconds: float) -> str:
    """Seconds in one unit: 40 seconds, 13 hours, 27 days."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return counted(round(seconds / size), unit)
    return counted(round(seconds), "seconds")


def command_line(*words: str | os.PathLike[str]) -> str:
    """A command as the shell of this system takes it: copied from the screen, it runs.

    Args:
        words: program, options and values in their order; a path (not a text) that begins with "-" is
            written so that no program takes it for an option.
    """
    parts = [word if isinstance(word, str) else _path_word(word) for word in words]
    if os.name == "nt":
        import subprocess

        return subprocess.list2cmdline(parts)
    return shlex.join(parts)


def _path_word(path: os.PathLike[str]) -> str:
    text = os.fspath(path)
    return f".{os.sep}{text}" if text.startswith("-") else text


def kind_of(reason: str) -> str:
    """A reason without the file, the remedy and the numbers, so that like cases are counted together."""
    return NUMBER.sub("N", _problem(reason)) or "no reason given"


def ranged(reasons: Sequence[str]) -> str:
    """The one problem of reasons of one kind, each number as the range over them."""
    problems = [_problem(reason) for reason in reasons]
    places = zip(*([m[0] for m in NUMBER.finditer(problem)] for problem in problems), strict=True)
    ranges = []
    for texts in places:
        low, high = (pick(texts, key=lambda text: float(text.replace(",", ""))) for pick in (min, max))
        ranges.append(low if low == high else f"{low} to {high}")
    return NUMBER.sub(lambda _: ranges.pop(0), problems[0]) or "no reason given"


def summed(reasons: Sequence[str], most: int) -> list[tuple[int, str]]:
    """Like reasons as one line each, the most frequent first: how many, and what they say.

    Args:
        reasons: of inputs without a pair.
        most: so many kinds.
    """
    groups: dict[str, list[str]] = {}
    for reason in reasons:
        groups.setdefault(kind_of(reason), []).append(reason)
    chosen = sorted(groups.values(), key=lambda group: -len(group))[:most]
    return [(len(group), ranged(group)) for group in chosen]


def _problem(reason: str) -> str:
    return FILE.sub("", reason.split(";")[0]).strip()
