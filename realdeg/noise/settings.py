"""Settings of noise pools; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["flat", "classic"]
METHODS = ("flat", "classic")


@dataclass(frozen=True)
class NoiseSettings:
    """How noise patches are taken from photos.

    Attributes:
        method: "flat": windows that show noise alone by the measure of the whole set; "classic": RealSR's
            rule, with its numbers.
        size: side of a patch, px; of the classic rule's grid, too. None: 64 (flat) or 256 (classic).
        energy: flat: most of a window's energy, times the least of the set at its brightness.
        shape: flat: most of coarse against fine energy, times what is usual in the set.
        per_level: flat: most windows in each of eight ranges of brightness.
        max_variance: classic: of grey, 8-bit levels squared; windows below are taken.
        min_mean: classic: of grey, 8-bit levels; windows above are taken (50 for DPED, 0 for track 1).
    """

    method: Method = "flat"
    size: int | None = None
    energy: float = 1.5
    shape: float = 1.6
    per_level: int = 60
    max_variance: float = 20.0
    min_mean: float = 50.0

    @property
    def side(self) -> int:
        """Side of a patch, px."""
        return self.size or (64 if self.method == "flat" else 256)
