"""Trained networks as models: of a run, of one file, or the one that comes with realdeg."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from realdeg.errors import EXIT_USAGE, UserError
from train.restore.checkpoint import Checkpoint, open_file, open_run
from train.restore.inference_settings import InferenceOptions
from train.restore.model import Trained
from train.restore.space import Space

SHIPPED = Path(__file__).parents[1] / "weights" / "d2c_x4.safetensors"  # see docs/model_card.md
KINDS = {"d2c": "train.d2c.build", "vspsr": "train.vspsr.build", "refvae": "train.refvae.build"}


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
        how: fields of `InferenceOptions`.

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
        remedy = "give either `run` or `checkpoint`"
        raise UserError("`checkpoint`", "is a second model", remedy, exit_code=EXIT_USAGE)
    return open_run(run, say) if run is not None else open_file(checkpoint or SHIPPED)


def sampled(model: Trained) -> Space:
    """A model that can be sampled.

    Raises:
        UserError: the model gives one image.
    """
    if not isinstance(model, Space):
        problem = f"cannot be sampled: {type(model).__name__} gives one image"
        remedy = "train one with `realdeg train vspsr` or `realdeg train refvae`"
        raise UserError("the model", problem, remedy, exit_code=EXIT_USAGE)
    return model


def ema_suffix(found: Checkpoint) -> str:
    """Ending of the names of the networks that make images: of the averaged ones where the run has them."""
    from train.restore.checkpoint import EMA_SUFFIX

    return EMA_SUFFIX if found.about["settings"].get("ema") else ""
