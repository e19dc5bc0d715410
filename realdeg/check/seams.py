"""Traces of JPEG in a picture: steps across the borders of blocks, wherever its grid of blocks begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from realdeg.arraytypes import Array
from realdeg.metrics.blockiness import blockiness

BLOCK = 8
LEAST_SIDE = 6 * BLOCK
CLEAR = 4.0  # times the scatter of the other places
LOUD, LEVELS = 4.0, 3.0  # times the median step, and 8-bit levels: what is louder is content


@dataclass(frozen=True)
class Blocks:
    """Traces of blocks of 8 x 8 pixels.

    Attributes:
        strength: `realdeg.metrics.blockiness` on their grid; 1 where none stands out.
        levels: by how much steps across borders exceed those beside them, 8-bit levels.
        first: (x, y) of the first whole block.
    """

    strength: float
    levels: float
    first: tuple[int, int]


def blocks(grey: Array) -> Blocks | None:
    """How strong the steps across block borders are, and where the blocks begin.

    Args:
        grey: (H, W) luma, 8-bit levels.

    Returns:
        Of the grid that stands out along both axes; None of too small a picture.
    """
    if min(grey.shape) < LEAST_SIDE:
        return None
    found = [_first(grey, axis) for axis in (1, 0)]
    x, y = found
    if x is None or y is None:
        return Blocks(1.0, 0.0, (0, 0))
    cut = grey[y:, x:]
    strength = max(1.0, blockiness(cut, BLOCK))
    # The figure is border / inside; all steps together are known.
    steps = [np.abs(np.diff(cut, axis=axis)) for axis in (0, 1)]
    mean = sum(float(one.sum()) for one in steps) / sum(one.size for one in steps)
    inside = mean / (1 + (strength - 1) / BLOCK) if np.isfinite(strength) else 0.0
    return Blocks(strength, mean * BLOCK - inside * (BLOCK - 1) - inside, (x, y))


def _first(grey: Array, axis: int) -> int | None:
    """Where the first whole block begins along an axis; None where no place of eight stands out."""
    steps = np.abs(np.diff(grey, axis=axis)).swapaxes(0, axis)
    # What a step has more than its neighbours: content has steps beside steps, blocks have them alone.
    alone = steps[1:-1] - (steps[:-2] + steps[2:]) / 2
    limit = max(LOUD * float(np.median(steps)), LEVELS)
    means = np.clip(alone, -limit, limit).mean(1)
    sums = np.array([means[place::BLOCK].mean() for place in range(BLOCK)])
    best = int(sums.argmax())
    others = np.delete(sums, [(best + beside) % BLOCK for beside in (-1, 0, 1)])  # which a seam lowers
    if sums[best] <= 0 or sums[best] - others.mean() < CLEAR * (others.std() + 1e-9):
        return None
    return (best + 2) % BLOCK  # `alone[i]` is the step between pixels i + 1 and i + 2
