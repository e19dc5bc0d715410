"""Weights averaged over the steps of a training: an exponential moving average, kept beside the networks."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn


class Average:
    """Averages of networks, networks themselves.

    Args:
        nets: by name.
        decay: weight of the past in each step; in the first steps of a network less, (1 + i) / (10 + i) in
            its step i, so that nothing of its random start is left.

    Attributes:
        nets: the averages, by the same names.
        steps: how many each has taken in; part of a checkpoint.
    """

    def __init__(self, nets: Mapping[str, nn.Module], decay: float) -> None:
        self.decay = decay
        self.steps = dict.fromkeys(nets, 0)
        self.nets = {name: copy.deepcopy(net).requires_grad_(False) for name, net in nets.items()}

    def update(self, nets: Mapping[str, nn.Module], idle: Collection[str] = ()) -> None:
        """Take a step in.

        Args:
            nets: as they are after it, by name.
            idle: names of those that do not learn yet, whose steps do not count.
        """
        with torch.no_grad():
            for name, mine in self.nets.items():
                if name in idle:
                    continue
                i = self.steps[name]
                self.steps[name] += 1
                decay = min(self.decay, (1 + i) / (10 + i))
                for average, now in zip(mine.parameters(), nets[name].parameters(), strict=True):
                    average.lerp_(now, 1 - decay)
                for kept, given in zip(mine.buffers(), nets[name].buffers(), strict=True):
                    kept.copy_(given)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint; the averages themselves are stored as networks."""
        return {"steps": dict(self.steps)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.steps = {name: int(state["steps"][name]) for name in self.nets}

    def load_without_state(self, step: int) -> None:
        """Of a checkpoint of an earlier version, which counted the steps of the run for every network."""
        self.steps = dict.fromkeys(self.nets, step)
