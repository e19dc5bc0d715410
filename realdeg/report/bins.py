"""Bins of a histogram for numbers of which nothing is known: whole, or over decades, or plain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

FEWEST, MOST = 6, 20  # bins, about
DECADE = 10.0  # largest / smallest from which a logarithmic axis is thought of

SMALLEST = 1e-12  # positive number, and difference between numbers, that counts as one


@dataclass(frozen=True)
class Bins:
    """A histogram.

    Attributes:
        edges: of the bins, one more than there are.
        counts: values in each; together all of them.
        names: of each bin, what it holds.
        log: whether the bins are of equal width on a logarithmic axis.
    """

    edges: list[float]
    counts: list[int]
    names: list[str]
    log: bool = False


def bins_of(values: Sequence[float]) -> Bins:
    """A histogram of values that differ by more than `SMALLEST`, none of them above 1e9."""
    low, high, about = min(values), max(values), _about(len(values))
    if all(value == int(value) for value in values) and high - low >= 1:
        return _whole(values, about)
    if _over_decades(values):
        step = _round_step((math.log10(high) - math.log10(low)) / about)
        edges = [10**power for power in _steps(math.log10(low), math.log10(high), step)]
    else:
        edges = _steps(low, high, _round_step((high - low) / about))
    names = [f"{a:.3g} to {b:.3g}" for a, b in pairwise(edges)]
    return Bins(edges, _counts(values, edges), names, _over_decades(values))


def _about(count: int) -> float:
    """Bins for so many values: few values in many bins say nothing."""
    return min(MOST, max(FEWEST, 2 * math.sqrt(count)))


def _over_decades(values: Sequence[float]) -> bool:
    """Whether numbers spread more evenly over decades than over themselves: their median tells."""
    low, middle, high = min(values), median(values), max(values)
    if low < SMALLEST or high < DECADE * low:
        return False
    place = (middle - low) / (high - low)
    log_place = math.log(middle / low) / math.log(high / low)
    return abs(log_place - 0.5) < abs(place - 0.5)


def _whole(values: Sequence[float], about: float) -> Bins:
    """Whole numbers; where all are odd, say, a bin is as wide as the step between them."""
    whole = [int(value) for value in values]
    low, high = min(whole), max(whole)
    grid = math.gcd(*(value - low for value in whole))
    width = grid * max(1, math.ceil((high - low) / grid / (1.2 * about)))
    count = (high - low) // width + 1
    starts = [low + i * width for i in range(count)]
    edges = [start - grid / 2 for start in [*starts, low + count * width]]
    last = width - grid
    names = [f"{start}" if not last else f"{start} to {start + last}" for start in starts]
    return Bins(edges, _counts(values, edges), names)


def _counts(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    # The outermost edges come from the values and may miss them by a rounding.
    return np.histogram(np.clip(values, edges[0], edges[-1]), bins=np.asarray(edges))[0].tolist()


def _steps(low: float, high: float, step: float) -> list[float]:
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _round_step(raw: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `raw` > 0."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))
