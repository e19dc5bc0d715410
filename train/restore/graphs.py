"""A trained model as one network from tensors to tensors, as programs that know nothing of it run it.

What a model draws is an input: its noise, or its code. Images are enlarged whole.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from realdeg.errors import EXIT_USAGE, UserError
from train.nets.bicubic import BicubicBase, BicubicConvolution
from train.nets.refvae import padded
from train.restore.model import D2CSR
from train.restore.refvae import RefVAE
from train.restore.vspsr import VSpSR


@dataclass(frozen=True)
class Input:
    """An input of a network.

    Attributes:
        name: of it.
        shape: names of axes that may have any length, numbers of others.
        normal: drawn from N(0, I), zeros for the mode; else in [0, 1].
    """

    name: str
    shape: tuple[int | str, ...]
    normal: bool = False

    @property
    def free(self) -> dict[int, str]:
        """Axes of any length."""
        return {axis: side for axis, side in enumerate(self.shape) if isinstance(side, str)}

    def example(self, generator: torch.Generator, **sizes: int) -> Tensor:
        """A random value, (batch, ...)."""
        shape = [sizes[side] if isinstance(side, str) else side for side in self.shape]
        return (torch.randn if self.normal else torch.rand)(*shape, generator=generator)


LR = Input("lr", ("batch", 3, "height", "width"))


class Network(nn.Module):
    """A trained model's networks, on the CPU in float32.

    Attributes:
        inputs: of its call, by their names.
        clamped: whether its images end at 0 and 1.
    Shape:
        LR (B, 3, h, w), RGB in [0, 1] -> (B, 3, s h, s w).
    """

    inputs: tuple[Input, ...] = (LR,)
    clamped = True

    def ended(self, image: Tensor) -> Tensor:
        """The image, clamped if wanted."""
        return image.clamp(0, 1) if self.clamped else image


class _D2C(Network):
    def __init__(self, model: D2CSR) -> None:
        super().__init__()
        self.tree, self.fusion = model.tree, model.fusion

    def forward(self, lr: Tensor) -> Tensor:
        pred = self.tree(lr)
        return self.ended(self.fusion(pred)[0] if self.fusion is not None else pred.mean(1))


class _VSpSR(Network):
    def __init__(self, model: VSpSR) -> None:
        super().__init__()
        self.net = net = model.net
        self.outer = None if model.base is None else network(model.base)
        if self.outer is not None:
            self.outer.clamped = False
        side = net.window.shape[-1]
        if net.coefficients.stochastic:
            self.inputs += (Input("noise", ("batch", 3, net.count, "height", "width"), normal=True),)
        if net.basis.stochastic:
            self.inputs += (Input("basis_noise", ("batch", 3, net.count, side, side), normal=True),)

    def forward(self, lr: Tensor, noise: Tensor | None = None, basis_noise: Tensor | None = None) -> Tensor:
        """Without noise, the mode."""
        of_basis, of_coefficients = (None if n is None else n.flatten(0, 1) for n in (basis_noise, noise))
        drawn = self.net.drawn(*self.net.variables(lr), of_basis, of_coefficients)
        image = self.net.mix(self.net.patchwork(*drawn)) + self.net.base(lr)
        return self.ended(image if self.outer is None else image + self.outer(lr))


class _RefVAE(Network):
    def __init__(self, model: RefVAE) -> None:
        super().__init__()
        self.net, self.features = model.net, model.features
        self.enlarge = BicubicBase(model.scale)
        self.inputs += (Input("code", ("batch", model.net.latent), normal=True),)

    def forward(self, lr: Tensor, code: Tensor) -> Tensor:
        large = self.enlarge(lr)
        added: Tensor = self.net(self.features(padded(large))[-1], code)
        return self.ended(large + added[..., : large.shape[-2], : large.shape[-1]])


def network(model: object) -> Network:
    """Networks of a trained model, copied, in operations that every exchange format has.

    Args:
        model: a D2C-SR, VSpSR or RefVAE.

    Raises:
        UserError: it is another thing.
    """
    made: Network
    if isinstance(model, D2CSR):
        made = _D2C(model)
    elif isinstance(model, VSpSR):
        made = _VSpSR(model)
    elif isinstance(model, RefVAE):
        made = _RefVAE(model)
    else:
        problem = f"is a {type(model).__name__}, which has no form as one network"
        raise UserError("the model", problem, "give a D2C-SR, VSpSR or RefVAE", exit_code=EXIT_USAGE)
    made = copy.deepcopy(made)
    for part in list(made.modules()):
        for name, child in part.named_children():
            if isinstance(child, BicubicBase):
                setattr(part, name, BicubicConvolution(child.scale))
    return made.cpu().float().eval()
