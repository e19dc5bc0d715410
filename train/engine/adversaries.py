"""A network that makes images, perhaps a critic of them, and their two turns in a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from realdeg.seeds import seed_of
from train.engine.descent import descend
from train.engine.ranks import Ranks
from train.engine.run_settings import RunSettings
from train.machine import Machine

G = TypeVar("G", bound=nn.Module)
D = TypeVar("D", bound=nn.Module)
Terms = tuple[Tensor, Mapping[str, Tensor], Mapping[str, Tensor]]
"""Images as the critic sees them, losses that have a weight, and figures that are only told."""


class Adversaries(Generic[G, D]):
    """Both networks with an optimiser each.

    Args:
        net: makes images.
        critic: judges them; None: nobody does.
        settings: `lr`, `weight_decay`, `clip`, `accumulate` and `seed` count.
        machine: where they run.
        ranks: processes that step together.

    Attributes:
        net, critic: placed on the machine.
        nets: "net" and, if there is one, "critic".
        optimisers: "opt_g" of the one, "opt_d" of the other; what else images are seen through is in neither.
    """

    def __init__(
        self, net: G, critic: D | None, settings: RunSettings, machine: Machine, ranks: Ranks
    ) -> None:
        self.settings, self.ranks = settings, ranks
        self.net: G = machine.place(net)
        self.critic: D | None = None if critic is None else machine.place(critic)
        self.nets: dict[str, nn.Module] = {"net": self.net}
        if self.critic is not None:
            self.nets["critic"] = self.critic
        self.optimisers = {
            name: torch.optim.Adam(
                part.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
            )
            for name, part in zip(("opt_g", "opt_d"), self.nets.values(), strict=False)
        }

    def described(self, what: str, critic: str) -> str:
        """A line on sizes: "network: N parameters, WHAT; CRITIC: M"."""
        sizes = [sum(p.numel() for p in net.parameters()) for net in self.nets.values()]
        judge = f"; {critic}: {sizes[1]:,}" if self.critic is not None else ""
        return f"network: {sizes[0]:,} parameters, {what}{judge}"

    def seed(self, i: int) -> None:
        """Let the noise of step i depend on nothing but the seed, i, and the process."""
        torch.manual_seed(seed_of(self.settings.seed, str(i), f"noise {self.ranks.rank}") % 2**63)

    def step(
        self,
        batch: Sequence[Tensor],
        real: Tensor,
        rate: float,
        terms: Callable[..., Terms],
        weights: Mapping[str, float],
        judgement: Callable[[Tensor, Tensor], Tensor],
    ) -> dict[str, Any]:
        """The network's turn, then the critic's on what the network has made.

        Args:
            batch: tensors of as many items, (B, ...), worked through in `accumulate` parts.
            real: (B, 3, H, W), what the critic is to tell from made images.
            rate: learning rate.
            terms: of a part of the batch; losses are means over its items.
            weights: of the losses, by name.
            judgement: the critic's loss on real and made images.

        Returns:
            Scalars by name, not weighted; the critic's as "D".
        """
        told: dict[str, Any] = {}
        made: list[Tensor] = []

        def losses() -> Iterator[Tensor]:
            for part in self._parts(batch):
                share = len(part[0]) / len(batch[0])
                image, found, aside = terms(*part)
                for name, value in {**found, **aside}.items():
                    told[name] = told.get(name, 0) + share * value.detach()
                made.append(image.detach())
                yield share * sum((weights[name] * value for name, value in found.items()), torch.zeros(()))

        if self.critic is not None:
            self.critic.requires_grad_(False)
        descend(self.optimisers["opt_g"], losses(), rate, self.settings.clip, self.ranks)
        if self.critic is not None:
            self.critic.requires_grad_(True)
            told["D"] = self._teach(real, torch.cat(made), rate, judgement)
        return told

    def _teach(
        self, real: Tensor, fake: Tensor, rate: float, judgement: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        told = torch.zeros((), device=fake.device)

        def losses() -> Iterator[Tensor]:
            nonlocal told
            for true, made in self._parts((real, fake)):
                loss = len(made) / len(fake) * judgement(true, made)
                told = told + loss.detach()
                yield loss

        descend(self.optimisers["opt_d"], losses(), rate, self.settings.clip, self.ranks)
        return told

    def _parts(self, batch: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        return zip(*(one.chunk(self.settings.accumulate) for one in batch), strict=True)
