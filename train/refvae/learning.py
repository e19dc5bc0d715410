"""A step of RefVAE: near to HR in content, to its reference in style, and a code that is normal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from train.data.references import IMAGE, PRIOR
from train.engine.adversaries import Adversaries, Terms
from train.engine.ranks import Ranks
from train.losses.patchgan import fooling_loss, matching_loss, soft_labels, telling_loss
from train.losses.style import STYLE, statistics, style_distance, total_variation
from train.losses.variational import normal_divergence
from train.machine import Machine
from train.nets.bicubic import BicubicBase, BicubicReduction
from train.nets.refvae import padded
from train.refvae.build import build, seen_through
from train.refvae.settings import RefVAESettings

LOSSES = ("pixel", "reduced", "content", "style", "lpips", "tv", "kl", "gan", "matching")  # and their weights


class Learning:
    """Networks and optimisers, and what a step does with them (RefVAE, NTIRE 2021, Eq. 4-9).

    Args:
        settings: with its scale set.
        machine: where networks run.
        ranks: processes that step together.

    Attributes:
        pair: the network and, where the adversarial loss has a weight, its discriminator.
        features: what images are seen through; frozen, and in no optimiser.
    """

    def __init__(self, settings: RefVAESettings, machine: Machine, ranks: Ranks = Ranks()) -> None:  # noqa: B008
        s = settings
        assert s.scale is not None
        self.settings, self.machine = s, machine
        self.pair = Adversaries(*build(s), s, machine, ranks)
        self.features = machine.place(seen_through(s, STYLE, s.vgg_weights, trust=s.trust_weights))
        self.enlarge, self.reduce = BicubicBase(s.scale), BicubicReduction(s.scale)
        self.lpips = _lpips(s, machine)

    def step(
        self, lr: Tensor, hr: Tensor, references: Tensor, kinds: Tensor, i: int, rate: float
    ) -> Mapping[str, Any]:
        """Step i: the network, then the discriminator on what it has made.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            hr: (B, 3, s h, s w).
            references: (B, 3, side, side); those of other kinds than IMAGE are not looked at.
            kinds: (B,), of `train.data.references`, on the CPU.
            i: number of the step; with the seed it decides on the noise.
            rate: learning rate.

        Returns:
            Scalars by name, not weighted.
        """
        self.pair.seed(i)
        labels = soft_labels()

        def judgement(real: Tensor, fake: Tensor) -> Tensor:
            return telling_loss(self._judged(real)[0].float(), self._judged(fake)[0].float(), labels)

        weights = {name: getattr(self.settings, name) for name in LOSSES}
        return self.pair.step((lr, hr, references, kinds), hr, rate, self._terms, weights, judgement)

    def codes(
        self, lr: Tensor, references: Tensor, kinds: Tensor
    ) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        """Means and logarithms of variances of the codes, (B, latent), and the references' statistics.

        Arguments as of `step`; a crop of kind PRIOR has mean 0 and variance 1.
        """
        # Crops of kind PRIOR see LR, too: batch norm would show the others whatever else stood there.
        itself = (kinds != IMAGE).to(lr.device)[:, None, None, None]
        small = F.interpolate(lr, references.shape[-2:], mode="bicubic", antialias=True)
        with torch.no_grad(), self.machine.autocast():
            seen = self.features(torch.where(itself, small, references))
        with self.machine.autocast():
            mean, log_variance = self.pair.net.of_reference(seen[-1])
        drawn = (kinds == PRIOR).to(lr.device)[:, None]
        mean, log_variance = (t.float().masked_fill(drawn, 0) for t in (mean, log_variance))
        return mean, log_variance, statistics(seen)

    def _terms(self, lr: Tensor, hr: Tensor, references: Tensor, kinds: Tensor) -> Terms:
        """Image, unweighted losses and further figures of a part of the batch."""
        mean, log_variance, wanted = self.codes(lr, references, kinds)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        large = self.enlarge(lr)
        with self.machine.autocast():
            with torch.no_grad():
                of_lr = self.features(padded(large))[-1]
            added = self.pair.net(of_lr, z)
        image = large + added.float()[..., : hr.shape[-2], : hr.shape[-1]]
        with self.machine.autocast():
            seen = self.features(image)
            with torch.no_grad():
                true = self.features(hr)
        # LR as its own reference, and none at all, are to look like HR.
        pictured = (kinds == IMAGE).to(lr.device)[:, None]
        target = [
            tuple(torch.where(pictured, a, b) for a, b in zip(theirs, own, strict=True))
            for theirs, own in zip(wanted, statistics(true), strict=True)
        ]
        mine = statistics(seen)
        terms = {
            "pixel": F.l1_loss(image, hr),
            "reduced": F.l1_loss(self.reduce(image), self.reduce(hr)),
            "content": F.l1_loss(seen[-1].float(), true[-1].float()),
            "style": style_distance(mine, target).mean(),  # type: ignore[arg-type]
            "tv": total_variation(image),
            "kl": normal_divergence(mean, log_variance).mean(),
        }
        if self.lpips is not None:
            terms["lpips"] = self.lpips(image, hr).mean()
        if self.pair.critic is not None:
            (said, judged), (_, true_judged) = self._judged(image), self._judged(hr)
            terms["gan"] = fooling_loss(said.float())
            terms["matching"] = matching_loss([f.float() for f in judged], [f.float() for f in true_judged])
        return image, terms, _used(mine, wanted, kinds)

    def _judged(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the discriminator says of images, and its features."""
        assert self.pair.critic is not None
        with self.machine.autocast():
            said, features = self.pair.critic(image)
        return said, features


def _used(
    mine: list[tuple[Tensor, Tensor]], wanted: list[tuple[Tensor, Tensor]], kinds: Tensor
) -> dict[str, Tensor]:
    """Distance of images to the style of their own reference, and to that of another crop's.

    The first falls below the second as soon as the reference is used.
    """
    pictured = torch.nonzero(kinds == IMAGE)[:, 0].to(mine[0][0].device)
    if len(pictured) < 2:
        return {}
    own = [(a[pictured].detach(), b[pictured].detach()) for a, b in mine]
    theirs = [(a[pictured], b[pictured]) for a, b in wanted]
    others = [(a.roll(1, 0), b.roll(1, 0)) for a, b in theirs]
    return {
        "style_own": style_distance(own, theirs).mean(), "style_other": style_distance(own, others).mean(),
    }  # fmt: skip


def _lpips(s: RefVAESettings, machine: Machine) -> Callable[[Tensor, Tensor], Tensor] | None:
    if not s.lpips:
        return None
    from train.losses.perceptual import LPIPS

    return machine.place(LPIPS(s.alexnet, s.lpips_heads, trust=s.trust_weights))
