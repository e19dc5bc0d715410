"""Settings of kernel estimation; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

METHODS = ("amortised", "kernelgan")
EARLY, PUBLISHED = 250, 3000  # iterations: where more bring little, and the paper's


@dataclass(frozen=True)
class KernelSettings:
    """How blur kernels are estimated.

    Attributes:
        scale: HR size / LR size that the kernels are for.
        method: of learning from photos alone: "amortised", a network trained on photos of known blur, or
            "kernelgan".
        iterations: of KernelGAN; the paper's are 3000.
        seed: of the run; each photo draws from (seed, its key), so nothing else matters.
        size: from pairs: side of the kernels, HR px; None: that of `side`. Brought up to where LR pixels can
            sit in their middle: even sides for even scales, odd ones for odd scales.
        grid: kernels down and across each photo; not by KernelGAN.
        weights: of the amortised estimator; None: those that come with realdeg.
        min_confidence: photos whose kernel is less sure give none.
        max_error: from pairs: those whose stated error is above are refused, LR px.
    """

    scale: int
    method: Literal["amortised", "kernelgan"] = "amortised"
    iterations: int = EARLY
    seed: int = 0
    size: int | None = None
    grid: tuple[int, int] = (1, 1)
    weights: Path | None = None
    min_confidence: float = 0.9
    max_error: float = 0.2


def side(scale: int, size: int | None = None) -> int:
    """Side of a kernel from pairs: about 6 LR px, or `size`, such that LR pixels sit in its middle."""
    size = size or 6 * scale + 1
    return size + (size + scale) % 2
