"""The networks of D2C-SR as settings describe them."""

from __future__ import annotations

from typing import Any

import torch

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.settings import from_mapping
from train.d2c.settings import D2CSettings
from train.machine import choose
from train.nets.bicubic import BicubicBase, quieten
from train.nets.blocks import initialise
from train.nets.host import SinglePath
from train.nets.hosts import HOSTS
from train.nets.tree import FusionNet, TreeNet
from train.restore.checkpoint import Checkpoint
from train.restore.inference_settings import InferenceOptions
from train.restore.model import D2CSR
from train.restore.models import ema_suffix


def build(s: D2CSettings) -> tuple[Any, Any]:
    """Divergence and convergence networks with their initial weights; the host alone and None at depth 0.

    Args:
        s: with its scale set.

    Raises:
        UserError: a scale or width that the host cannot have.
    """
    assert s.scale is not None
    generator = torch.Generator().manual_seed(s.seed)
    host = HOSTS[s.host](s.scale, s)
    try:
        if s.depth:
            tree: Any = TreeNet(host, s.depth, s.children, deep_residual=s.deep_residual)
        else:
            tree = SinglePath(host)
    except ValueError as error:  # a scale or width that the host cannot have
        raise UserError(f"--host {s.host}", str(error), "choose another", exit_code=EXIT_USAGE) from None
    fusion = FusionNet(s.children**s.depth, s.fusion_width, output_relu=s.fusion_relu) if s.depth else None
    initialise(tree, generator, host.gain)
    if fusion is not None:
        initialise(fusion, generator)
    if s.base == "bicubic":
        tree.base = BicubicBase(s.scale)
        quieten(tree.tails)
    return tree, fusion


def restored(found: Checkpoint, use: InferenceOptions) -> D2CSR:
    """The trained model of a checkpoint.

    Raises:
        UserError: its weights are others than its settings say.
    """
    tree, fusion = build(from_mapping(D2CSettings, dict(found.about["settings"]), str(found.weights)))
    nets = {"tree": tree} if fusion is None else {"tree": tree, "fusion": fusion}
    ending = ema_suffix(found)
    found.load_weights({f"{name}{ending}": net for name, net in nets.items()})
    machine = choose(use.device, use.precision)
    tree, fusion = machine.place(tree), fusion and machine.place(fusion)
    return D2CSR(tree, fusion, int(found.about["scale"]), machine, use.tile, use.project, use.ensemble)
