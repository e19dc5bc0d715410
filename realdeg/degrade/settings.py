"""Settings of degradation; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realdeg.degrade.recipe.presets import PRESETS
from realdeg.settings import setting

BACKGROUNDS = ("white", "black", "refuse")


@dataclass(frozen=True)
class DegradeSettings:
    """How LR images are made from HR images."""

    scale: int = setting(help="HR size / LR size.", low=2, high=16)
    kernel_pool: Path | None = setting(
        None, "Blur kernels: .npz, .npy or .mat, or a folder (KernelGAN's too)."
    )
    noise_pool: Path | None = setting(None, "Noise patches: a folder of images, .npz or .npy.")
    # Each image draws from (seed, its key), so nothing else matters.
    seed: int = setting(0, "Of every draw; same seed, same bytes.")
    # Without: RealSR's Algorithm 1, with MATLAB's bicubic in place of missing kernels.
    recipe: str | None = setting(
        None,
        f"A preset ({', '.join(PRESETS)}) or a TOML file; else kernels and noise as far as there are pools.",
    )
    background: Literal["white", "black", "refuse"] = setting(
        "white", "Of transparent pixels; refuse: such images fail.", was=("alpha",)
    )
    cleanup: int | None = setting(
        None,
        "First reduce HR so many times, which removes its own noise (RealSR: 2); default the recipe's.",
        low=1,
        high=16,
    )
    # With several, keys end in _draw0, _draw1 and so on.
    draws: int = setting(1, "LR images of each HR image.", low=1, high=10_000)
