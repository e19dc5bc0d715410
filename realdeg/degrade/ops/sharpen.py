"""Sharpening before degradation, as Real-ESRGAN does with its ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from realdeg.arraytypes import Image
from realdeg.degrade.ops.context import DrawContext, Op, number, value_of
from realdeg.degrade.ops.distribution import Distribution
from realdeg.degrade.ops.step import LARGEST_KERNEL, PlanError, Pools, Size, Step, part
from realdeg.degrade.ops.words import format_number
from realdeg.imaging.border import BORDERS
from realdeg.imaging.depth import to_float
from realdeg.imaging.sharpen import unsharp

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Sharpen(Step):
    """Unsharp masking."""

    op: ClassVar[str] = "sharpen"

    weight: float = part("weight", low=0)
    radius: int = part("radius", "px", low=1, high=LARGEST_KERNEL)
    threshold: float = part("threshold", "levels", low=0)
    border: str = part(default="symmetric", known=BORDERS)

    def __post_init__(self) -> None:
        """Refuse a Gaussian without a middle."""
        if self.radius % 2 == 0:
            raise PlanError(f"radius {self.radius}, but an odd number is meant")

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32."""
        return unsharp(to_float(image), self.weight, self.radius, self.threshold, self.border)  # type: ignore[arg-type]

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """With other weights and thresholds for each image."""
        from realdeg.imaging import batched

        weight = images.new_tensor([step.weight for step in steps])
        threshold = images.new_tensor([step.threshold for step in steps])
        return batched.unsharp(images, weight, steps[0].radius, threshold, steps[0].border)  # type: ignore[arg-type]

    def together(self) -> tuple[object, ...]:
        """The Gaussian's side and the border."""
        return self.radius, self.border

    def describe(self, before: Size | None = None) -> str:
        """Weight, radius, threshold."""
        weight, radius, threshold = map(format_number, (self.weight, self.radius, self.threshold))
        return f"sharpen {weight}, radius {radius} px, threshold {threshold} levels"


@dataclass(frozen=True, kw_only=True)
class SharpenOp(Op):
    """Unsharp masking where the image differs from its blur by more than a threshold (Real-ESRGAN)."""

    op: ClassVar[str] = "sharpen"

    weight: Distribution = number(0.5, "Of the difference between image and blur.", low=0)
    radius: Distribution = number(
        51,
        "Side of the Gaussian, px (odd); sigma is 0.3 ((radius - 1) / 2 - 1) + 0.8.",
        low=3,
        high=LARGEST_KERNEL - 1,
    )
    threshold: Distribution = number(10, "Smaller differences are left alone, 8-bit levels.", low=0)

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "sharpen"."""
        rng = d.values(place)
        weight, radius, threshold = (
            value_of(one, d, rng) for one in (self.weight, self.radius, self.threshold)
        )
        side = int(radius) | 1
        step = Sharpen(weight=weight, radius=side, threshold=threshold, border=d.border)
        d.add(step, encoded=True)
