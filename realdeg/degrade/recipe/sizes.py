"""Sizes that an image goes through under a plan."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from realdeg.degrade.ops.context import Plan, Step

LARGEST = 1 << 20  # px a side
Size = tuple[int, int]  # (H, W)


def hr_size(plan: Plan, scale: int) -> Size | None:
    """Size of HR, from the plan's last size, which is LR's; None where the plan names none.

    Raises:
        ValueError: a size or factor is damaged.
    """
    size = None
    for step in plan:
        size = _after(step, size)
    return (size[0] * scale, size[1] * scale) if size else None


def sizes(plan: Plan, size: Size | None) -> list[Size | None]:
    """Size after each step of an image of this size; None where it cannot be known.

    Raises:
        ValueError: a size or factor is damaged.
    """
    made = []
    for step in plan:
        size = _after(step, size)
        made.append(size)
    return made


def with_factors(plan: Plan, scale: int) -> Plan:
    """The plan with `factor`, new size / size before, added to each resize.

    Raises:
        ValueError: a size or factor is damaged.
    """
    before, made = hr_size(plan, scale), []
    for step, after in zip(plan, sizes(plan, before), strict=True):
        if step.get("op") == "resize" and before and after:
            factor = math.sqrt(after[0] * after[1] / (before[0] * before[1]))
            step = {**step, "factor": round(factor, 4)}
        made.append(step)
        before = after
    return made


def _after(step: Step, size: Size | None) -> Size | None:
    if step.get("op") == "resize":
        sides = step.get("size")
        if not isinstance(sides, list) or len(sides) != 2 or not all(_is_length(side) for side in sides):
            raise ValueError(f"resize: {str(sides)[:40]} where height and width are meant")
        return sides[0], sides[1]
    if step.get("op") == "reduce" and size:
        factor = step.get("factor")
        if not _is_length(factor) or factor > min(size):
            raise ValueError(f"reduce: factor {str(factor)[:40]} where a whole number is meant")
        return size[0] // factor, size[1] // factor
    return size


def _is_length(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 < value < LARGEST
