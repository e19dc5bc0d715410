"""Settings of an evaluation; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import check_limits, setting

DOWNSCALES = ("nearest", "bilinear", "bicubic", "lanczos", "area", "matlab_bicubic")
"""Methods of `realdeg.imaging.resample`."""


@dataclass(frozen=True)
class EvaluateSettings:
    """What is measured, on which pairs, and by which rules."""

    downscale: str = setting("matlab_bicubic", "How HR images are reduced.", choices=DOWNSCALES)
    convention: Literal["standard", "d2c", "no-border"] = setting(
        "standard", "Of PSNR-Y and SSIM-Y: SCALE px shaved off; D2C-SR's code; nothing shaved off."
    )
    split: str = setting("test", "train, val, test, all; heldout: what training checks on.")
    scale: int | None = setting(None, "HR size / LR size, of a dataset of several.")
    lpips: Literal["auto", "on", "off"] = setting(
        "auto", "LPIPS: where its weights lie in torch's cache; fetched once; not."
    )
    alexnet: Path | None = setting(None, "torchvision's AlexNet, for LPIPS.")
    lpips_heads: Path | None = setting(None, "alex.pth of LPIPS 0.1.")
    space: bool = setting(False, "Draw samples from a VSpSR or RefVAE and judge these.", flag="--space")
    # The challenge's number.
    samples: int = setting(10, "With --space: samples of each photo.", low=1)
    sample_seed: int = setting(0, "With --space: number of the first sample.", low=0)
    reference: str | None = setting(
        None,
        "RefVAE: a picture, a folder (seed k takes picture k), or self, noise, prior, hr; default: self.",
    )
    cem: bool = setting(False, "In place of --project: the published module, for comparison.", flag="--cem")

    def __post_init__(self) -> None:
        check_limits(self)
        if not self.space and (self.cem or self.reference is not None):
            word, remedy = "--cem" if self.cem else "--reference", "give --space too, or leave it out"
            raise UserError(word, "belongs to samples", remedy, exit_code=EXIT_USAGE)
