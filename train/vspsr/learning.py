"""A step of VSpSR: the module is fitted to images and to its prior, and a critic to tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from train.engine.adversaries import Adversaries, Terms
from train.engine.ranks import Ranks
from train.losses.least_squares import critic_loss, generator_loss
from train.losses.sparse import sparse_divergence, standard_divergence
from train.machine import Machine
from train.nets.vspm import Normal
from train.restore.model import Base
from train.vspsr.build import build
from train.vspsr.settings import VSpSRSettings


class Learning:
    """Networks and optimisers, and what a step does with them (VSpSR, NTIRE 2021, Eq. 4-6).

    Args:
        settings: with its scale set.
        machine: where networks run.
        ranks: processes that step together.
        base: a trained model as deterministic part; it does not learn.

    Attributes:
        pair: the module and, where the adversarial loss has a weight, its critic.
    """

    def __init__(
        self,
        settings: VSpSRSettings,
        machine: Machine,
        ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
        base: Base | None = None,
    ) -> None:
        s = settings
        self.settings, self.machine, self.base = s, machine, base
        self.pair = Adversaries(*build(s), s, machine, ranks)
        self.perceptual = _perceptual(s, machine)

    def step(self, lr: Tensor, hr: Tensor, i: int, rate: float) -> Mapping[str, Any]:
        """Step i: the module, then the critic on what the module has made.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            hr: (B, 3, s h, s w).
            i: number of the step; with the seed it decides on the noise.
            rate: learning rate.

        Returns:
            Scalars by name.
        """
        s = self.settings
        self.pair.seed(i)
        weights = {"MSE": 1.0, "KL": s.kl, "KL_Z": s.kl, "G": s.gan, "VGG": s.vgg}
        return self.pair.step(
            (lr, hr),
            hr,
            rate,
            self._terms,
            weights,
            lambda real, fake: critic_loss(*self._judged(real, fake)),
        )

    def _terms(self, lr: Tensor, hr: Tensor) -> Terms:
        """Image and unweighted losses of a part of the batch."""
        s = self.settings
        with self.machine.autocast():
            image, _, basis, coefficients = self.pair.net(lr)
        image = image.float()
        if self.base is not None:
            image = image + self.base.enlarge(lr)
        terms = {"MSE": F.mse_loss(image, hr)}
        terms |= _divergences(basis, coefficients, s.alpha, s.beta)
        if self.pair.critic is not None:
            terms["G"] = generator_loss(self._judged(hr, image)[1])
        if self.perceptual is not None:
            terms["VGG"] = self.perceptual(image, hr)
        return image, terms, {}

    def _judged(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """What the critic says of both.

        As one batch, batch norm cannot tell them apart by their statistics alone; the released code judges
        them apart.
        """
        critic = self.pair.critic
        assert critic is not None
        with self.machine.autocast():
            if self.settings.critic == "joint":
                both: Tensor = critic(torch.cat([real, fake]))
                said = both.chunk(2)
            else:
                said = critic(real), critic(fake)
        return said[0].float(), said[1].float()


def _divergences(basis: Normal, coefficients: Normal, alpha: float, beta: float) -> dict[str, Tensor]:
    terms = {}
    if coefficients.log_variance is not None:
        terms["KL"] = sparse_divergence(coefficients, alpha, beta)
    if basis.log_variance is not None:
        terms["KL_Z"] = standard_divergence(basis)
    return terms


def _perceptual(s: VSpSRSettings, machine: Machine) -> Callable[[Tensor, Tensor], Tensor] | None:
    if not s.vgg:
        return None
    from train.losses.perceptual import VGGDistance
    from train.nets.trunks import RELU

    return machine.place(VGGDistance(s.vgg_weights, RELU["5_4"], squared=True, trust=s.trust_weights))
