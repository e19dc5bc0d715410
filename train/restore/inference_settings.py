"""Which trained model is used, and how; importing this costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import setting

if TYPE_CHECKING:
    from train.restore.enforced import How

PRECISIONS = ("fp32", "bf16", "auto")


@dataclass(frozen=True)
class WhichModel:
    """A trained model: of a run, or one file; with neither, the one for x4 that comes with realdeg."""

    run: Path | None = setting(None, "Run folder of a training.")
    checkpoint: Path | None = setting(None, "One .safetensors file instead of a run.")


@dataclass(frozen=True)
class InferenceOptions:
    """How a trained model is to be used."""

    device: str = setting("auto", "auto, cpu, cuda, cuda:1 or mps.")
    # Figures are quoted in fp32.
    precision: str = setting("fp32", "Of the networks.", choices=PRECISIONS)
    tile: int = setting(512, "Side of a tile in HR pixels; larger images are drawn tile by tile.", low=1)
    project: bool = setting(
        False, "Make images agree with LR: the closest one that MATLAB's bicubic reduces to it."
    )
    ensemble: bool = setting(False, "Mean over eight orientations; eight times as long.")
    vgg_weights: Path | None = setting(
        None, "torchvision's VGG-19 weights; default: torch's cache, or fetched once."
    )
    trust_weights: bool = setting(
        False, "Use weights of VGG-19, or LPIPS, that are not the published ones by their SHA-256."
    )


def agreement(*, project: bool, cem: bool) -> How:
    """What makes samples agree with LR.

    Raises:
        UserError: both ways are asked for.
    """
    if project and cem:
        raise UserError("--project --cem", "are two ways to one end", "give one", exit_code=EXIT_USAGE)
    return "project" if project else "cem" if cem else "none"
