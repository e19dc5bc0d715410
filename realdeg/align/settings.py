"""Settings of registration, with the reason of each default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Brightness = Literal["curve", "linear", "none"]
BRIGHTNESS: tuple[Brightness, ...] = ("curve", "linear", "none")
SCALES = (2, 3, 4, 8)


@dataclass(frozen=True)
class AlignSettings:
    """How pairs are registered, and what makes a pair not good enough.

    Attributes:
        scale: HR size / LR size of the pairs to make; None: the scale nearest to the measured zooms.
        brightness: how HR is brought to LR's brightness: monotone curve per channel, gain and offset
            per channel (the D2CRealSR recipe), or not at all.
        max_error: largest p95 of the residual measured on the finished pair, LR px; for an LR photo softer
            than its pixels, in units of the smallest detail that it shows (`pair.softness`).
        max_disagreeing: largest share of image tiles that contradict the common motion (parallax, or
            something moved). Good pairs have below 0.01, parallax 0.1 and more.
        max_enlargement: by how much HR may be enlarged where the lens's zoom falls short of `scale`
            (RealSR's x4 pairs: 105 mm / 28 mm = 3.75, an enlargement of 1.07).
        edge: LR px cut from each side of the common field, where lenses and borders are worst.
        min_side: smallest side of an LR image worth keeping, px.
        tolerance: registration ends when no corner moves by more, LR px.
    """

    scale: int | None = None
    brightness: Brightness = "curve"
    max_error: float = 0.30
    max_disagreeing: float = 0.05
    max_enlargement: float = 1.15
    edge: int = 4
    min_side: int = 48
    tolerance: float = 0.005
