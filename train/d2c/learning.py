"""The two steps of D2C-SR: branches are fitted and kept apart, then the network that joins them is fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.d2c.build import build
from train.d2c.settings import D2CSettings
from train.engine.descent import descend, gradient_ratio
from train.engine.ranks import Ranks
from train.losses.divergence import LUMA, MEAN, diagnosis, divergence_loss, margins_for
from train.machine import Machine
from train.nets.grouped import forward_grouped


class Learning:
    """Networks and optimisers, and what a step does with them (Li et al., ECCV 2022, Eq. 1-9).

    Args:
        settings: with its scale set.
        machine: where networks run.
        ranks: processes that step together.

    Attributes:
        nets: "tree" and, unless the host is alone, "fusion".
        optimisers: "opt_d" and "opt_c", one for each.
    """

    def __init__(self, settings: D2CSettings, machine: Machine, ranks: Ranks = Ranks()) -> None:  # noqa: B008
        s = settings
        self.settings, self.machine, self.ranks = s, machine, ranks
        tree, fusion = build(s)
        self.tree: nn.Module = machine.place(tree)
        self.fusion: nn.Module | None = fusion and machine.place(fusion)
        self.nets = {"tree": self.tree} if self.fusion is None else {"tree": self.tree, "fusion": self.fusion}
        self.optimisers = {
            name: torch.optim.Adam(net.parameters(), lr=s.learning_rate, weight_decay=s.weight_decay)
            for name, net in zip(("opt_d", "opt_c"), self.nets.values(), strict=False)
        }
        self.margins = margins_for(s.depth, far=s.margin_far, near=s.margin_near).to(machine.device)
        self.luma = LUMA if s.luma == "bt601" else MEAN
        self._perceptual = _perceptual(s, machine)
        grouped = s.leaves == "grouped"
        self._run_tree = self._compiled((lambda lr: forward_grouped(tree, lr)) if grouped else tree)
        self._run_fusion = self._compiled(fusion) if fusion is not None else None

    def _compiled(self, function: Any) -> Callable[..., Any]:
        if self.settings.compile == "off":
            return function  # type: ignore[no-any-return]
        return torch.compile(function, mode=self.settings.compile)  # type: ignore[no-any-return]

    def divergence(
        self, lr: Tensor, hr: Tensor, i: int, rate: float, alpha: float
    ) -> tuple[Tensor, dict[str, Any]]:
        """Eq. 1-7: each branch is fitted on its own, and kept apart from the others.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            hr: (B, 3, s h, s w).
            i: number of the step.
            rate: learning rate.
            alpha: weight of the divergence loss.

        Returns:
            Predictions (B, P, 3, s h, s w) without history, and scalars by name.
        """
        s = self.settings
        made: list[Tensor] = []
        told: dict[str, Any] = {}

        def losses() -> Iterator[Tensor]:
            for share, (small, large) in self._in_parts(lr, hr):
                with self.machine.autocast():
                    pred = self._run_tree(small)
                pred = pred.float()
                away = pred - large[:, None]
                error = away.square() if s.branch_loss == "l2" else away.abs()
                fit = error.mean((0, 2, 3, 4)).sum()
                t_d = divergence_loss(
                    pred, large, self.margins, children=s.children, theta=s.theta, luma=self.luma,
                    per=s.normalise,
                )  # fmt: skip
                found = {f"{s.branch_loss.upper()}_D": fit.detach(), "T_D": t_d.detach()}
                if s.diagnose_every and i % s.diagnose_every == 0 and pred.shape[1] > 1:
                    found["gradient_ratio"] = gradient_ratio(fit, s.alpha * t_d, list(self.tree.parameters()))
                    found |= diagnosis(pred.detach(), large, self.margins, children=s.children)
                for name, value in found.items():
                    told[name] = told.get(name, 0) + share * value
                made.append(pred.detach())
                yield share * (fit + alpha * t_d)

        descend(self.optimisers["opt_d"], losses(), rate, s.clip, self.ranks)
        return torch.cat(made), told

    def convergence(self, pred: Tensor, hr: Tensor, rate: float) -> dict[str, Any]:
        """Eq. 8 and 9, on predictions without history: no gradient of it reaches the tree.

        Args:
            pred: (B, P, 3, s h, s w) in about [0, 1].
            hr: (B, 3, s h, s w).
            rate: learning rate.

        Returns:
            Scalars by name.
        """
        assert self._run_fusion is not None
        run, perceptual = self._run_fusion, self._perceptual
        told = {"L2_C": torch.zeros((), device=pred.device)}
        if perceptual is not None:
            told["VGG_C"] = torch.zeros((), device=pred.device)

        def losses() -> Iterator[Tensor]:
            for share, (some, large) in self._in_parts(pred, hr):
                with self.machine.autocast():
                    fused = run(some)[0]
                fused = fused.float()
                loss = share * F.mse_loss(fused, large)
                told["L2_C"] += loss.detach()
                if perceptual is not None:
                    apart = share * perceptual(fused, large)
                    told["VGG_C"] += apart.detach()
                    loss = loss + self.settings.vgg * apart
                yield loss

        descend(self.optimisers["opt_c"], losses(), rate, self.settings.clip, self.ranks)
        return told

    def predict(self, lr: Tensor) -> Tensor:
        """Predictions of the tree as it is, (B, P, 3, s h, s w) float32, without history."""
        with torch.no_grad(), self.machine.autocast():
            pred: Tensor = self._run_tree(lr)
        return pred.float()

    def _in_parts(self, *batch: Tensor) -> Iterator[tuple[float, tuple[Tensor, ...]]]:
        """A batch in parts, and which share of it each is."""
        for part in zip(*(one.chunk(self.settings.accumulate) for one in batch), strict=True):
            yield len(part[0]) / len(batch[0]), part


def _perceptual(s: D2CSettings, machine: Machine) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The VGG term of the convergence loss, where it has a weight."""
    if not s.vgg:
        return None
    from train.losses.perceptual import VGGDistance

    return machine.place(VGGDistance(s.vgg_weights, trust=s.trust_weights))
