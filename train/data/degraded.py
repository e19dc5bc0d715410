"""Crops whose LR is made on the way: HR of a dataset, degraded by a recipe while training.

Each crop of each step draws anew, from (seed, step, place in the batch) alone, so resuming needs no replay
here either. On a processor each crop is degraded by itself, by the thread that cuts it; on a GPU the batch
is degraded there, and its crops share the order and sizes of operations (Real-ESRGAN does the same).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from realdeg.degrade.resolved import Given
from train.data.batches import Batch, Crops

if TYPE_CHECKING:
    import torch

    from realdeg.degrade.ops.context import Plan


@dataclass(frozen=True)
class DegradedCrops:
    """As `Crops`, with LR made by a recipe in place of the dataset's own.

    Args:
        crops: where HR comes from.
        given: recipe and pools.
        grouped: the crops of a step share order and sizes, and LR is left to `on_device`.
        jpeg_model: kornia's model in place of the real JPEG codec, so that nothing leaves the device.
    """

    crops: Crops
    given: Given
    grouped: bool = False
    jpeg_model: bool = False

    def __call__(self, step: int) -> Batch:
        """The crops of one step."""
        batch = self.crops(step)
        if self.grouped:
            return batch
        from realdeg.degrade.apply.image import apply

        kernels, noises = self.given.kernels, self.given.noises
        made = [
            apply(plan, hr, kernels=kernels, noises=noises)
            for plan, hr in zip(self.plans(step), batch.hr, strict=True)
        ]
        return replace(batch, lr=np.stack(made))

    @property
    def steps_per_epoch(self) -> int:
        """As of the crops."""
        return self.crops.steps_per_epoch

    def plans(self, step: int) -> list[Plan]:
        """What is done to each crop of a step."""
        side = self.crops.scale * self.crops.patch
        group = f"step {step}" if self.grouped else ""
        plans = [
            self.given.recipe.draw(
                self.crops.seed,
                f"{step}/{place}",
                (side, side),
                self.crops.scale,
                kernels=self.given.kernels,
                noises=self.given.noises,
                group=group,
            )
            for place in self.crops.places
        ]
        return [modelled(plan) for plan in plans] if self.jpeg_model else plans

    def on_device(self, step: int, hr: torch.Tensor) -> torch.Tensor:
        """LR of the crops of a step on HR's device.

        Args:
            step: which.
            hr: (B, 3, s p, s p) in [0, 1].

        Returns:
            (B, 3, p, p), rounded to 8 bits.
        """
        import torch

        from realdeg.degrade.apply.batch import apply

        plans: Sequence[Plan] = self.plans(step)
        with torch.no_grad():
            return apply(plans, hr, kernels=self.given.kernels, noises=self.given.noises)


def modelled(plan: Plan) -> Plan:
    """The plan with the differentiable model in place of the real JPEG codec."""
    return [
        {**step, "format": "jpeg_differentiable"} if step.get("format") == "jpeg" else step for step in plan
    ]
