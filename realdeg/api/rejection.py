"""Refusal is a result: falsy, and it says why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

SETTING = re.compile(r"`(\w+)(=\w+)?`")


@dataclass(frozen=True)
class Rejection:
    """Why there is no result; falsy, so that `if found := realdeg.register(lr, hr):` reads as it is meant.

    Attributes:
        reason: one line: what was found; what to do.

    Example:
        >>> import realdeg
        >>> bool(realdeg.Rejection("too little texture; use a scene with detail"))
        False
    """

    reason: str

    def __bool__(self) -> Literal[False]:  # type checkers know what is left in `if found:`
        return False

    def __str__(self) -> str:
        return self.reason


def rejection(reason: str) -> Rejection:
    """A refusal of the rooms below, which name settings in backticks: to a caller they are arguments."""
    return Rejection(SETTING.sub(lambda name: name[0].strip("`"), reason))
