"""Settings of degradation; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ALPHA = ("white", "black", "refuse")


@dataclass(frozen=True)
class DegradeSettings:
    """How LR images are made from HR images.

    Attributes:
        scale: HR size / LR size.
        kernel_pool: file or folder of blur kernels.
        noise_pool: file or folder of noise patches.
        seed: of the run; each image draws from (seed, its key), so nothing else matters.
        recipe: name of a preset or path of a recipe file; None: kernels and noise as far as there are pools
            (RealSR's Algorithm 1), MATLAB's bicubic in place of missing kernels.
        alpha: background of transparent pixels, or "refuse".
        cleanup: HR is its source reduced so many times by MATLAB's bicubic; None: as the recipe says.
        draws: LR images of each HR image; with several, keys end in _draw0, _draw1 and so on.
    """

    scale: int
    kernel_pool: Path | None = None
    noise_pool: Path | None = None
    seed: int = 0
    recipe: str | None = None
    alpha: Literal["white", "black", "refuse"] = "white"
    cleanup: int | None = None
    draws: int = 1
