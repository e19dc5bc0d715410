"""Learning rates as pure functions of the step, so that resuming needs no schedule state."""

from __future__ import annotations

import math


def risen(i: int, warmup: int) -> float:
    """Share of the rate in step i of a linear rise over `warmup` steps."""
    return min(1.0, (i + 1) / warmup) if warmup else 1.0


def cosine(i: int, steps: int) -> float:
    """Share of the rate in step i of `steps`: from 1 along half a cosine to 0."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, i / steps)))


def stairs(epoch: int, every: int, factor: float) -> float:
    """Share of the rate in an epoch, of which each `every` times it by `factor`."""
    return factor ** (epoch // every)
