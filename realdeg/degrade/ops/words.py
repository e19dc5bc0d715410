"""Numbers and pairs of numbers as people write them, for captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LARGEST = 1e9  # no number that is drawn is near it


def format_number(value: Any) -> str:
    """A number as people write it: three significant digits or all before the point.

    Raises:
        ValueError: not a number that can have been drawn.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{str(value)[:40]!r} is no number")
    if not abs(value) < LARGEST:  # also for what is not a number
        raise ValueError("a number is too large")
    if abs(value) >= 100 or value == int(value):
        return str(round(value))
    if abs(value) < 1e-3:
        return f"{value:.1e}".replace("e-0", "e-")
    return f"{value:.3g}"


def format_numbers(values: Sequence[float], between: str = ", ") -> str:
    """Several numbers."""
    return between.join(map(format_number, values))


def format_size(size_hw: Sequence[int]) -> str:
    """A size, width first: "12x9"."""
    height, width = size_hw
    return f"{width}x{height}"


def format_amount(amount: float) -> str:
    """A factor on noise, where it is another than 1."""
    return "" if amount == 1 else f", amount {format_number(amount)}"
