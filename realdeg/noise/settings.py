"""Settings of noise pools; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realdeg.settings import setting

Method = Literal["flat", "classic"]
METHODS = ("flat", "classic")


@dataclass(frozen=True)
class NoiseSettings:
    """How noise patches are taken from photos."""

    # "flat": windows that show noise alone by the measure of the whole set; "classic": RealSR's rule, with
    # its numbers.
    method: Method = setting(
        "flat", "Windows that show noise alone by the measure of all photos, or RealSR's rule."
    )
    size: int | None = setting(
        None, "Side of patches, px; step of the classic grid.", low=8, shown="64; classic: 256"
    )
    energy: float = setting(
        1.5, "flat: most energy of a window, times the least of the set at its brightness.", low=1
    )
    shape: float = setting(1.6, "flat: most coarse against fine energy, times the usual of the set.", low=1)
    per_level: int = setting(60, "flat: most windows of each of eight ranges of brightness.", low=1)
    max_variance: float = setting(
        20.0, "classic: windows whose grey varies less are taken (8-bit levels squared).", low=0
    )
    # 50 for DPED, 0 for track 1.
    min_mean: float = setting(
        50.0,
        "classic: windows whose grey is brighter are taken; 0 for clean studio light.",
        low=0,
        high=255,
    )

    @property
    def side(self) -> int:
        """Side of a patch, px."""
        return self.size or (64 if self.method == "flat" else 256)
