"""Settings of kernel estimation; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realdeg.settings import setting

METHODS = ("amortised", "kernelgan")
EARLY, PUBLISHED = 250, 3000  # iterations: where more bring little, and the paper's


@dataclass(frozen=True)
class KernelSettings:
    """How blur kernels are estimated."""

    scale: int = setting(help="HR size / LR size of the kernels.", low=2, high=16)
    # A network trained on photos of known blur, or KernelGAN.
    method: Literal["amortised", "kernelgan"] = setting(
        "amortised", "How kernels are learned from photos alone."
    )
    iterations: int = setting(
        EARLY,
        "KernelGAN: 1000 take 4 times as long and bring about 1 dB, the paper's 3000 no more.",
        low=1,
    )
    # Each photo draws from (seed, its key), so nothing else matters.
    seed: int = setting(0, "Of every draw; same seed, same bytes.")
    # Brought up to where LR pixels can sit in their middle: even sides for even scales, odd for odd (`side`).
    size: int | None = setting(
        None, "From pairs: side of the kernels, HR px; default about 6 times the scale.", low=3, high=65
    )
    grid: tuple[int, int] = setting(
        (1, 1),
        "Kernels down and across each photo, for lenses that blur the corners; not by KernelGAN.",
        low=1,
        high=16,
    )
    weights: Path | None = setting(
        None,
        "Amortised: weights that `realdeg kernels --train` wrote; default those of realdeg (x2, x3, x4, x8).",
    )
    min_confidence: float = setting(
        0.9, "Amortised: photos whose kernel is less sure give none.", low=0, high=1
    )
    max_error: float = setting(0.2, "From pairs: refuse those whose stated error is above (LR px).", low=0)


def side(scale: int, size: int | None = None) -> int:
    """Side of a kernel from pairs: about 6 LR px, or `size`, such that LR pixels sit in its middle."""
    size = size or 6 * scale + 1
    return size + (size + scale) % 2
