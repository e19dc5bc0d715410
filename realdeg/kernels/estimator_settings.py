"""Settings of the training of an estimator of kernels; importing them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from realdeg.settings import setting


@dataclass(frozen=True)
class TrainSettings:
    """How an estimator is trained."""

    # Rounded up to 250; three times as many bring nothing.
    examples: int = setting(30_000, "To train on: photos reduced by random kernels.", low=1)
    epochs: int = setting(30, "Passes over the examples.", low=1)
    seed: int = setting(0, "Of everything that is drawn.")
