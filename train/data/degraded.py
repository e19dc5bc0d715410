"""Crops whose LR is made on the way: HR of a dataset, degraded by a recipe while training.

Each crop of each step draws anew, from (seed, step, place in the batch) alone, so resuming needs no replay
here either. On a processor each crop is degraded by itself, by the thread that cuts it; on a GPU the batch
is degraded there, and its crops share the order and sizes of operations (Real-ESRGAN does the same).

Where the recipe cleans HR up (`[hr] cleanup`), the dataset's HR is the source: larger crops are cut of it and
reduced, so that crops of HR are those of the reduced image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from realdeg.degrade.resolved import ResolvedRecipe
from train.data.batches import Batch, Crops

if TYPE_CHECKING:
    import torch

    from realdeg.degrade.plan import Plan

REACH = 2  # px of the reduced image that MATLAB's bicubic looks to each side


def source_patch(patch: int, scale: int, cleanup: int) -> int:
    """Side of the crop that is cut of a pair, px of its LR, for a crop of `patch` after the clean-up."""
    return patch if cleanup == 1 else cleanup * (patch + 2 * _margin(scale))


def _margin(scale: int) -> int:
    """Px of LR at each side of a crop that are cut off after reducing: what they show knows of its border."""
    return -(-REACH // scale)


@dataclass(frozen=True)
class DegradedCrops:
    """As `Crops`, with LR made by a recipe in place of the dataset's own.

    Args:
        crops: where HR comes from; with a clean-up, its images hold `source_patch`.
        made_with: recipe and pools.
        grouped: the crops of a step share order and sizes, and LR is left to `on_device`.
        jpeg_model: kornia's model in place of the real JPEG codec, so that nothing leaves the device.
    """

    crops: Crops
    made_with: ResolvedRecipe
    grouped: bool = False
    jpeg_model: bool = False

    def __call__(self, step: int) -> Batch:
        """The crops of one step."""
        batch = self._clean(step)
        if self.grouped:
            return batch
        from realdeg.degrade.apply.image import apply

        kernels, noises = self.made_with.kernels, self.made_with.noises
        made = [
            apply(plan, hr, kernels=kernels, noises=noises)
            for plan, hr in zip(self.plans(step), batch.hr, strict=True)
        ]
        return replace(batch, lr=np.stack(made))

    def _clean(self, step: int) -> Batch:
        """The crops of one step before degradation, HR cleaned up."""
        cleanup = self.made_with.recipe.cleanup
        if cleanup == 1:
            return self.crops(step)
        from realdeg.imaging.resample import resize

        patch, scale = self.crops.patch, self.crops.scale
        batch = replace(self.crops, patch=source_patch(patch, scale, cleanup))(step)
        edge = scale * _margin(scale)
        hr = [resize(one, 1 / cleanup)[edge:-edge, edge:-edge] for one in batch.hr]
        return replace(batch, lr=np.ascontiguousarray(batch.lr[:, :patch, :patch]), hr=np.stack(hr))

    @property
    def steps_per_epoch(self) -> int:
        """As of the crops."""
        return self.crops.steps_per_epoch

    def plans(self, step: int) -> list[Plan]:
        """What is done to each crop of a step."""
        side = self.crops.scale * self.crops.patch
        group = f"step {step}" if self.grouped else ""
        plans = [
            self.made_with.recipe.draw(
                self.crops.seed,
                f"{step}/{place}",
                (side, side),
                self.crops.scale,
                kernels=self.made_with.kernels,
                noises=self.made_with.noises,
                group=group,
            )
            for place in self.crops.places
        ]
        return [with_jpeg_model(plan) for plan in plans] if self.jpeg_model else plans

    def on_device(self, step: int, hr: torch.Tensor) -> torch.Tensor:
        """LR of the crops of a step on HR's device.

        Args:
            step: which.
            hr: (B, 3, s p, s p) in [0, 1], of the batch of this step.

        Returns:
            (B, 3, p, p), rounded to 8 bits.
        """
        import torch

        from realdeg.degrade.apply.batch import apply

        plans: Sequence[Plan] = self.plans(step)
        with torch.no_grad():
            return apply(plans, hr, kernels=self.made_with.kernels, noises=self.made_with.noises)


def with_jpeg_model(plan: Plan) -> Plan:
    """The plan with the differentiable model in place of the real JPEG codec."""
    from realdeg.degrade.ops.codec import Codec

    steps = (
        replace(step, format="jpeg_differentiable", subsampling=None)
        if isinstance(step, Codec) and step.format == "jpeg"
        else step
        for step in plan.steps
    )
    return replace(plan, steps=tuple(steps))
