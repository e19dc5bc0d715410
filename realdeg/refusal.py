"""A thing in hand that is not used: a photo without texture, a pair that cannot be registered.

Refusal is a result, not an exception: functions return `X | Refusal`, or `Refusal | None` where they look.
Exceptions are for callers' mistakes and broken files (`realdeg.errors`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why it is not used; `str` is the line for a manifest.

    Attributes:
        reason: what was found, in words that follow the thing's name.
        remedy: what to do about it; "" where the reason says it all. Settings are named as `max_error`.
    """

    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; {self.remedy}" if self.remedy else self.reason
