"""A tone curve: what a camera's processing leaves between the brightness of two photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.context import DrawContext, Op, number, numbers, value_of
from realdeg.degrade.ops.distribution import Distribution, RecipeError
from realdeg.degrade.ops.step import PlanError, Pools, Size, Step, part
from realdeg.degrade.ops.words import format_number
from realdeg.imaging.depth import to_float

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Tone(Step):
    """Add a curve of each channel: `shift` (red, green, blue) at `levels`, both in 8-bit levels."""

    op: ClassVar[str] = "tone"

    levels: tuple[float, ...] = part()
    shift: tuple[tuple[float, ...], ...] = part()

    def __post_init__(self) -> None:
        """Refuse what is no three curves over rising levels."""
        if len(self.levels) < 2 or any(b <= a for a, b in pairwise(self.levels)):
            raise PlanError("levels: at least two are meant, each above the one before")
        if [len(curve) for curve in self.shift] != [len(self.levels)] * 3:
            raise PlanError(f"shift: three lists of {len(self.levels)} numbers are meant")

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32."""
        image = to_float(image)
        shifts = [np.interp(255 * image[..., c], self.levels, self.shift[c]) for c in range(3)]
        return image + np.stack(shifts, -1).astype(np.float32) * np.float32(1 / 255)

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """With another curve for each image."""
        from realdeg.imaging import batched

        shifts = images.new_tensor([step.shift for step in steps])
        return images + batched.interpolated(255 * images, steps[0].levels, shifts) / 255

    def together(self) -> tuple[object, ...]:
        """The levels."""
        return self.levels

    def describe(self, before: Size | None = None) -> str:
        """The smallest and the largest of what is added."""
        shifts = [one for channel in self.shift for one in channel]
        return f"tone {format_number(min(shifts))} to {format_number(max(shifts))} levels"


@dataclass(frozen=True, kw_only=True)
class ToneOp(Op):
    """Add to each channel what a curve says at its level: straight between the levels given, level beyond.

    `realdeg calibrate` writes it: the tone that gain and offset leave between the photos of pairs.
    """

    op: ClassVar[str] = "tone"

    levels: tuple[float, ...] = numbers((0, 255), "Rising, 8-bit levels.")
    red: tuple[float, ...] = numbers((0, 0), "What is added there, 8-bit levels.")
    green: tuple[float, ...] = numbers((0, 0), "Likewise.")
    blue: tuple[float, ...] = numbers((0, 0), "Likewise.")
    amount: Distribution = number(1, "Factor on what is added.")

    def check(self, scale: float) -> None:
        """Refuse lists of other lengths, levels that do not rise, and curves that fall."""
        super().check(scale)
        if len(self.levels) < 2 or any(b <= a for a, b in pairwise(self.levels)):
            raise RecipeError("levels: at least two are meant, each above the one before")
        for name in ("red", "green", "blue"):
            shifts = getattr(self, name)
            if len(shifts) != len(self.levels):
                raise RecipeError(f"{name}: {len(shifts)} numbers for {len(self.levels)} levels")
            made = [level + shift for level, shift in zip(self.levels, shifts, strict=True)]
            if any(b < a for a, b in pairwise(made)):
                raise RecipeError(f"{name}: the curve falls, so that brighter places become darker")

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "tone"."""
        amount = value_of(self.amount, d, d.values(place))
        shift = tuple(
            tuple(round(amount * one, 4) for one in shifts) for shifts in (self.red, self.green, self.blue)
        )
        d.add(Tone(levels=self.levels, shift=shift), encoded=True)
