"""Settings of noise pools; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoiseSettings:
    """How noise patches are taken from photos: RealSR's rule, with its numbers.

    Attributes:
        size: side of a patch, and step of the grid, px.
        max_variance: of grey, 8-bit levels squared; windows below are taken.
        min_mean: of grey, 8-bit levels; windows above are taken (50 for DPED, 0 for track 1).
    """

    size: int = 256
    max_variance: float = 20.0
    min_mean: float = 50.0
