"""Weights averaged over the steps of a training: an exponential moving average, kept beside the networks."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

SUFFIX = "_average"  # of a network's name in a checkpoint


class Average:
    """Averages of networks, networks themselves.

    Args:
        nets: by name.
        decay: weight of the past in each step; in the first steps less, (1 + i) / (10 + i) in step i.

    Attributes:
        nets: the averages, by the same names.
    """

    def __init__(self, nets: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.nets = {name: copy.deepcopy(net).requires_grad_(False) for name, net in nets.items()}

    def update(self, nets: Mapping[str, nn.Module], i: int) -> None:
        """Take step i in."""
        decay = min(self.decay, (1 + i) / (10 + i))
        with torch.no_grad():
            for name, mine in self.nets.items():
                for average, now in zip(mine.parameters(), nets[name].parameters(), strict=True):
                    average.lerp_(now, 1 - decay)
                for kept, given in zip(mine.buffers(), nets[name].buffers(), strict=True):
                    kept.copy_(given)
