"""What a tree grows from: a single-path super-resolution network, taken apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Host:
    """A single-path super-resolution network, taken apart so that a tree can grow from it.

    Attributes:
        width: feature channels n.
        stem: makes the shallow feature: (B, 3, h, w) -> (B, n, h', w').
        branch: makes one branch module, which keeps the shape.
        tail: makes one upsampler: (B, n, h', w') -> (B, 3, s h, s w).
        base: makes what is added to each prediction, from lr.
        skip: the host adds its shallow feature to what its body makes of it.
        gain: of the initial weights' variance, 1 / fan_in; 2 for long chains of ReLUs without skips (He).
    """

    width: int
    stem: Callable[[], nn.Module]
    branch: Callable[[], nn.Module]
    tail: Callable[[], nn.Module]
    base: Callable[[], nn.Module]
    skip: bool = True
    gain: float = 1.0


class SinglePath(nn.Module):
    """A host as it was published: stem, one branch, tail. A tree of one leaf to whoever uses it.

    Args:
        host: the network.
    Shape:
        lr (B, 3, h, w), RGB in [0, 1], float -> (B, 1, 3, s h, s w), not clamped.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.skip = host.skip
        self.stem = host.stem()
        self.body = host.branch()
        self.tails = nn.ModuleList([host.tail()])
        self.base = host.base()

    def forward(self, lr: Tensor) -> Tensor:
        """The prediction."""
        return self.render(self.features(lr), lr)

    def features(self, lr: Tensor) -> list[Tensor]:
        """What the tail sees: one tensor (B, n, h', w'). Sees the whole image."""
        shallow = self.stem(lr)
        deep = self.body(shallow)
        return [deep + shallow if self.skip else deep]

    def render(self, features: list[Tensor], lr: Tensor) -> Tensor:
        """The image from the features, (B, 1, 3, s h, s w). Local: tiles with a halo give the same."""
        return torch.stack([self.tails[0](features[0]) + self.base(lr)], dim=1)
