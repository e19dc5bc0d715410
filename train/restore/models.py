"""Trained networks as models: of a run, of one file, or the one that comes with realdeg."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from realdeg.errors import EXIT_USAGE, UserError
from train.restore.checkpoint import Checkpoint, open_file, open_run
from train.restore.model import Trained
from train.restore.space import Space

SHIPPED = Path(__file__).parents[1] / "weights" / "d2c_x4.safetensors"  # see docs/model_card.md
KINDS = {"d2c": "train.d2c.build", "vspsr": "train.vspsr.build", "refvae": "train.refvae.build"}


@dataclass(frozen=True)
class InferenceOptions:
    """How a trained model is to be used.

    Attributes:
        device, precision: as of `train.machine.choose`; figures are quoted in fp32.
        tile: side of a tile in HR pixels; larger images are drawn tile by tile.
        project: make images agree with LR.
        ensemble: mean over eight orientations: eight times the work.
        vgg_weights: torchvision's VGG-19, for models that look at images through it.
        trust_weights: also such that aren't the published ones.
    """

    device: str = "auto"
    precision: str = "fp32"
    tile: int = 512
    project: bool = False
    ensemble: bool = False
    vgg_weights: Path | None = None
    trust_weights: bool = False


def load(
    run: Path | None = None,
    *,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = print,
    **how: Any,
) -> Trained:
    """The trained model of a run folder (its newest whole checkpoint), of one file, or the shipped one.

    Args:
        run: run folder.
        checkpoint: safetensors file; with neither, the model for x4 that comes with realdeg.
        how: fields of `Use`.

    Raises:
        UserError: nothing whole to load, or made by a program that this version does not know.
    """
    return restored(opened(run, checkpoint, say), InferenceOptions(**how))


def restored(found: Checkpoint, use: InferenceOptions = InferenceOptions()) -> Trained:
    """The model of a checkpoint.

    Raises:
        UserError: made by a program that this version does not know, or damaged.
    """
    kind = found.about.get("kind")
    if kind not in KINDS:
        raise UserError(found.weights, f"is of unknown kind {kind!r}", "update realdeg")
    return cast(Trained, importlib.import_module(KINDS[kind]).restored(found, use))


def opened(run: Path | None, checkpoint: Path | None, say: Callable[[str], None] = print) -> Checkpoint:
    """The checkpoint of a run, a file, or, with neither, the shipped model's.

    Raises:
        UserError: nothing whole to open, or both are given.
    """
    if run is not None and checkpoint is not None:
        remedy = "give either --run or --checkpoint"
        raise UserError("--checkpoint", "is a second model", remedy, exit_code=EXIT_USAGE)
    return open_run(run, say) if run is not None else open_file(checkpoint or SHIPPED)


def sampled(model: Trained) -> Space:
    """A model that can be sampled.

    Raises:
        UserError: the model gives one image.
    """
    if not isinstance(model, Space):
        problem = f"cannot be sampled: {type(model).__name__} gives one image"
        remedy = "train one with python -m train.vspsr or train.refvae"
        raise UserError("the model", problem, remedy, exit_code=EXIT_USAGE)
    return model


def ema_suffix(found: Checkpoint) -> str:
    """Ending of the names of the networks that make images: of the averaged ones where the run has them."""
    from train.restore.checkpoint import EMA_SUFFIX

    return EMA_SUFFIX if found.about["settings"].get("ema") else ""
