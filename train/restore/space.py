"""What all models of the SR space have in common: one LR photo has many explanations, drawn by their seeds.

A model is opened on a photo once, and everything that does not depend on the sample is computed then; a
sample costs what is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from train.machine import Machine

Guide = str | Sequence[np.ndarray]
"""What samples lean on: "self" (LR), "noise" (a random map), "prior" (z ~ N(0, I)), or (H, W, 3) images."""


class Sampler(Protocol):
    """A photo, ready to be drawn from; all images are (3, s h, s w) float32 on the CPU, not clamped."""

    def draw(self, seed: int) -> Tensor:
        """The sample of a seed: the same bits whenever it is drawn."""
        ...

    def mode(self) -> Tensor:
        """The image at the posterior's mean: nothing is drawn."""
        ...

    def between(self, first: int, last: int, t: float) -> Tensor:
        """A point on the way between the samples of two seeds, `t` in [0, 1]; at the ends, the samples."""
        ...


@runtime_checkable
class Space(Protocol):
    """A model that can be sampled."""

    @property
    def scale(self) -> int:
        """HR / LR size."""
        ...

    @property
    def machine(self) -> Machine:
        """Where its networks run."""
        ...

    def sampler(self, lr: np.ndarray, guide: Guide | None = None) -> Sampler:
        """Open a photo.

        Args:
            lr: (h, w, 3) uint8 or uint16 RGB.
            guide: None: the model's own way ("self" for RefVAE; VSpSR knows no other).

        Raises:
            Unfit: the photo is too small, or the model cannot be guided.
        """
        ...


def arc(first: Tensor, last: Tensor, t: float) -> Tensor:
    """A point between two normal noises that is as likely as they: along the circle, not the chord.

    Independent noises of n values have length sqrt(n) and are at right angles to each other, so that
    cos and sin keep the variance at 1 in between, where a mean of them would lower it to 1/2.

    Args:
        first, last: of one shape, standard normal and independent.
        t: in [0, 1].
    """
    if t in (0, 1):
        return last if t else first
    angle = t * math.pi / 2
    return math.cos(angle) * first + math.sin(angle) * last


def noise(shape: Sequence[int], seed: int) -> Tensor:
    """Standard normal float32 on the CPU, of a seed: the same on every device."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
