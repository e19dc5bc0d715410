"""Sharpening before degradation, as Real-ESRGAN does with its ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from realdeg.degrade.ops.context import Drawing, Op, number, value_of
from realdeg.degrade.ops.distribution import Law


@dataclass(frozen=True, kw_only=True)
class Sharpen(Op):
    """Unsharp masking where the image differs from its blur by more than a threshold (Real-ESRGAN)."""

    op: ClassVar[str] = "sharpen"

    weight: Law = number(0.5, "Of the difference between image and blur.", low=0)
    radius: Law = number(
        51, "Side of the Gaussian, px (odd); sigma is 0.3 ((radius - 1) / 2 - 1) + 0.8.", low=3
    )
    threshold: Law = number(10, "Smaller differences are left alone, 8-bit levels.", low=0)

    def steps(self, d: Drawing, place: str) -> None:
        """One step "sharpen"."""
        rng = d.values(place)
        weight, radius, threshold = (
            value_of(law, d, rng) for law in (self.weight, self.radius, self.threshold)
        )
        side = int(radius) | 1
        step = {"op": "sharpen", "weight": weight, "radius": side, "threshold": threshold, "border": d.border}
        d.add(step, encoded=True)
