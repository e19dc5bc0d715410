"""A step of VSpSR: the module is fitted to images and to its prior, and a critic to tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realdeg.seeds import seed_of
from train.descent import descend
from train.losses.least_squares import critic_loss, generator_loss
from train.losses.sparse import sparse_divergence, standard_divergence
from train.machine import Machine
from train.nets.vspm import Normal
from train.ranks import Ranks
from train.restore.model import Base
from train.vspsr_build import build
from train.vspsr_settings import VSpSRSettings


class Learning:
    """Networks and optimisers, and what a step does with them (VSpSR, NTIRE 2021, Eq. 4-6).

    Args:
        settings: with its scale set.
        machine: where networks run.
        ranks: processes that step together.
        base: a trained model as deterministic part; it does not learn.

    Attributes:
        nets: "net" and, where the adversarial loss has a weight, "critic".
        optimisers: "opt_g" of the one, "opt_d" of the other: VGG-19 is in neither.
    """

    def __init__(
        self,
        settings: VSpSRSettings,
        machine: Machine,
        ranks: Ranks = Ranks(),  # noqa: B008  (frozen)
        base: Base | None = None,
    ) -> None:
        s = settings
        self.settings, self.machine, self.ranks, self.base = s, machine, ranks, base
        net, critic = build(s)
        self.net = machine.place(net)
        self.critic = None if critic is None else machine.place(critic)
        self.nets: dict[str, nn.Module] = {"net": self.net}
        if self.critic is not None:
            self.nets["critic"] = self.critic
        self.optimisers = {
            name: torch.optim.Adam(part.parameters(), lr=s.lr, weight_decay=s.weight_decay)
            for name, part in zip(("opt_g", "opt_d"), self.nets.values(), strict=False)
        }
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
        torch.manual_seed(seed_of(s.seed, str(i), f"noise {self.ranks.rank}") % 2**63)
        told: dict[str, Any] = {}
        made: list[Tensor] = []

        def losses() -> Iterator[Tensor]:
            for small, large in zip(lr.chunk(s.accumulate), hr.chunk(s.accumulate), strict=True):
                share = len(small) / len(lr)
                image, found = self._terms(small, large)
                for name, value in found.items():
                    told[name] = told.get(name, 0) + share * value.detach()
                made.append(image.detach())
                weights = {"MSE": 1.0, "KL": s.kl, "KL_Z": s.kl, "G": s.gan, "VGG": s.vgg}
                yield share * sum((weights[name] * value for name, value in found.items()), torch.zeros(()))

        if self.critic is not None:
            self.critic.requires_grad_(False)
        descend(self.optimisers["opt_g"], losses(), rate, s.clip, self.ranks)
        if self.critic is not None:
            self.critic.requires_grad_(True)
            told["D"] = self._teach_critic(torch.cat(made), hr, rate)
        return told

    def _terms(self, lr: Tensor, hr: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Image and unweighted losses of a part of the batch."""
        s = self.settings
        with self.machine.autocast():
            image, _, basis, coefficients = self.net(lr)
        image = image.float()
        if self.base is not None:
            image = image + self.base.enlarge(lr)
        terms = {"MSE": F.mse_loss(image, hr)}
        terms |= _divergences(basis, coefficients, s.alpha, s.beta)
        if self.critic is not None:
            terms["G"] = generator_loss(self._judged(hr, image)[1])
        if self.perceptual is not None:
            terms["VGG"] = self.perceptual(image, hr)
        return image, terms

    def _teach_critic(self, fake: Tensor, real: Tensor, rate: float) -> Tensor:
        s, told = self.settings, torch.zeros((), device=fake.device)

        def losses() -> Iterator[Tensor]:
            nonlocal told
            for made, true in zip(fake.chunk(s.accumulate), real.chunk(s.accumulate), strict=True):
                loss = len(made) / len(fake) * critic_loss(*self._judged(true, made))
                told = told + loss.detach()
                yield loss

        descend(self.optimisers["opt_d"], losses(), rate, s.clip, self.ranks)
        return told

    def _judged(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """What the critic says of both.

        As one batch, batch norm cannot tell them apart by their statistics alone; the released code judges
        them apart.
        """
        assert self.critic is not None
        with self.machine.autocast():
            if self.settings.critic == "joint":
                both: Tensor = self.critic(torch.cat([real, fake]))
                said = both.chunk(2)
            else:
                said = self.critic(real), self.critic(fake)
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

    return machine.place(VGGDistance(s.vgg_weights, RELU["5_4"], squared=True))
