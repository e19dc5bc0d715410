"""Settings of the training of an estimator of kernels; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainSettings:
    """How an estimator is trained.

    Attributes:
        examples: photos reduced by random kernels, rounded up to 250. Three times as many bring nothing.
        epochs: passes over them.
        seed: of everything.
    """

    examples: int = 30_000
    epochs: int = 30
    seed: int = 0
