"""Settings of degradation in its first form: RealSR's Algorithm 1 with pools taken from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DegradeSettings:
    """How LR images are made from HR images.

    Attributes:
        scale: HR size / LR size.
        kernel_pool: file or folder of blur kernels; None: MATLAB's bicubic.
        noise_pool: file or folder of noise patches; None: no noise.
        seed: of the run; each image draws from (seed, its key), so nothing else matters.
    """

    scale: int
    kernel_pool: Path | None = None
    noise_pool: Path | None = None
    seed: int = 0
