"""The networks of VSpSR as settings describe them, and as a checkpoint holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import from_mapping
from train.machine import choose
from train.nets.patch_critic import PatchCritic
from train.nets.vspm import VSpM
from train.restore.checkpoint import Checkpoint
from train.restore.inference_settings import InferenceOptions
from train.restore.model import Base
from train.restore.models import ema_suffix, opened
from train.restore.models import restored as restored_any
from train.restore.vspsr import VSpSR
from train.vspsr.settings import VSpSRSettings


def build(s: VSpSRSettings) -> tuple[VSpM, PatchCritic | None]:
    """The module and, where the adversarial loss has a weight, its critic, with their initial weights.

    Args:
        s: with its scale set.

    Raises:
        UserError: a scale or number of basis vectors that VSpSR cannot have.
    """
    assert s.scale is not None
    alone = s.mu is None
    with torch.random.fork_rng(devices=[]):  # torch's own initial weights, as in the released code
        torch.manual_seed(s.seed)
        try:
            net = VSpM(
                s.scale, s.basis, stochastic_basis=s.stochastic_basis,
                stochastic_coefficients=s.stochastic_coefficients,
                interpolation=s.interpolation if alone else "none", patches=s.patches,
                correlation=s.correlation, bicubic=alone and s.base == "bicubic",
            )  # fmt: skip
        except ValueError as error:
            raise UserError("train.vspsr", str(error), "choose another", exit_code=EXIT_USAGE) from None
        return net, PatchCritic(sigmoid=s.critic == "released") if s.gan else None


def base_of(path: Path, scale: int, device: str) -> tuple[Base, dict[str, Any]]:
    """A trained model as deterministic part, and what a checkpoint that holds it says of it.

    Args:
        path: run folder, or safetensors file.
        scale: wanted.

    Raises:
        UserError: there is no such model, or it is of another scale.
    """
    found = opened(path, None) if path.is_dir() else opened(None, path)
    model: Any = restored_any(found, InferenceOptions(device=device))
    if model.scale != scale:
        problem = f"enlarges x{model.scale}, the pairs are x{scale}"
        raise UserError(f"--mu {path}", problem, "give a model of their scale", exit_code=EXIT_USAGE)
    if not isinstance(model, Base):
        problem = f"is a {type(model).__name__}, which cannot be part of another model"
        raise UserError(f"--mu {path}", problem, "give a D2C-SR", exit_code=EXIT_USAGE)
    # The averaged weights are what was loaded, and what will be stored.
    about = {**found.about, "settings": {**found.about["settings"], "ema": 0.0}}
    return model, about


def held(base: Base | None) -> Mapping[str, nn.Module]:
    """Networks of a deterministic part by their names in a checkpoint."""
    return {} if base is None else {f"mu.{name}": net for name, net in base.nets.items()}


def restored(found: Checkpoint, use: InferenceOptions) -> VSpSR:
    """The trained model of a checkpoint.

    Raises:
        UserError: its weights are others than its settings say.
    """
    told = {**found.about["settings"], "gan": 0.0}
    base: Any = None
    if "mu" in found.about:
        base = restored_any(
            found.inner("mu"), InferenceOptions(device=use.device, precision=use.precision, tile=use.tile)
        )
        told |= {"interpolation": "none", "base": "none"}
    net, _ = build(from_mapping(VSpSRSettings, told, str(found.weights)))
    found.load_weights({f"net{ema_suffix(found)}": net})
    machine = choose(use.device, use.precision)
    return VSpSR(machine.place(net), base, machine, use.tile, use.project, use.ensemble)


def begin_with(path: Path, net: VSpM) -> None:
    """Give a module the weights of a trained one.

    Args:
        path: run folder, or safetensors file.

    Raises:
        UserError: there is no such model, it is no VSpSR, or of other sizes.
    """
    found = opened(path, None) if path.is_dir() else opened(None, path)
    if found.about.get("kind") != "vspsr":
        problem = f"is of kind {found.about.get('kind')!r}"
        raise UserError(f"--init {path}", problem, "give a VSpSR", exit_code=EXIT_USAGE)
    found.load_weights({f"net{ema_suffix(found)}": net})
