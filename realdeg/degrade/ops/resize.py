"""Resizing: to LR, by a factor, or to a multiple of LR."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.context import (
    DrawContext,
    Op,
    flag,
    name_of,
    names,
    names_if_given,
    number,
    value_of,
)
from realdeg.degrade.ops.distribution import Distribution, Names, RecipeError
from realdeg.degrade.ops.light import Clip
from realdeg.degrade.ops.step import LARGEST_SIDE, Parameter, Pools, Size, Step, part
from realdeg.degrade.ops.words import format_number, format_numbers, format_size
from realdeg.imaging.border import BORDERS
from realdeg.imaging.depth import to_8bit, to_float
from realdeg.imaging.resample import METHODS, displacement, resample, resize_to

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Resize(Step):
    """Resize to a size. `displaced`: by how much "nearest" moves the image (x, y; px of the image before)."""

    op: ClassVar[str] = "resize"

    method: str = part(known=METHODS)
    size: tuple[int, int] = part(low=1, high=LARGEST_SIDE)
    border: str = part(default="symmetric", known=BORDERS)
    antialias: bool = part(default=True)
    integers: bool = part(default=False)
    displaced: tuple[float, float] | None = part(default=None)

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32; with `integers` in whole numbers, as MATLAB does."""
        if self.integers:
            whole = image if image.dtype != np.float32 else to_8bit(image)
            return resize_to(whole, self.size)
        return resample(
            to_float(image),
            self.size,
            self.method,  # type: ignore[arg-type]
            antialias=self.antialias,
            border=self.border,  # type: ignore[arg-type]
        )

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """As a product with a matrix for each axis."""
        from realdeg.imaging import batched

        one = steps[0]
        return batched.resample(
            images,
            one.size,
            one.method,  # type: ignore[arg-type]
            antialias=one.antialias,
            border=one.border,  # type: ignore[arg-type]
            integers=one.integers,
        )

    def together(self) -> tuple[object, ...]:
        """All."""
        return self.size, self.method, self.antialias, self.integers, self.border

    def cuts_gradient(self) -> str:
        """Rounding in between."""
        return "a resize in whole numbers" if self.integers else ""

    def size_after(self, size: Size | None) -> Size | None:
        """Its size."""
        return self.size

    def describe(self, before: Size | None = None) -> str:
        """Method and factor, the size where the size before is not known."""
        method = "MATLAB bicubic" if self.method == "matlab_bicubic" else self.method
        by = f"x{format_number(self._factor(before))}" if before else f"to {format_size(self.size)} px"
        moved = f", displaced {format_numbers(self.displaced)} px" if self.displaced else ""
        return f"resize {method} {by}{moved}"

    def numbers(self, before: Size | None = None) -> Iterator[tuple[Parameter, float]]:
        """The factor: the size follows from it and from the image."""
        if before:
            yield Parameter(self.op, self.title, "factor"), self._factor(before)

    def names(self) -> Iterator[tuple[str, str]]:
        """The method."""
        yield "resizing", "MATLAB bicubic" if self.method == "matlab_bicubic" else self.method

    def manifest(self) -> dict[str, Any]:
        """By how much it moves the image, where it does."""
        return {"displaced": list(self.displaced)} if self.displaced else {}

    def _factor(self, before: Size) -> float:
        """Of lengths, the mean of both axes."""
        return round(math.sqrt(self.size[0] * self.size[1] / (before[0] * before[1])), 4)


@dataclass(frozen=True, kw_only=True)
class ResizeOp(Op):
    """Resize; both ends of each axis stay where they are, so nothing is displaced but by "nearest".

    Without `factor` and `of_lr` the result has LR's size.
    """

    op: ClassVar[str] = "resize"

    method: Names = names(METHODS, "matlab_bicubic", "How pixels are weighted.")
    factor: Distribution | None = number(None, "New size / size so far.", low=0.01, high=16)
    of_lr: Distribution | None = number(None, "New size / LR's size.", low=0.01, high=16)
    antialias: bool = flag(True, "Wider kernels when reducing (MATLAB, Pillow); false: as OpenCV and torch.")
    integers: bool = flag(False, "matlab_bicubic on whole numbers, rounded after each axis, as MATLAB does.")
    rescale: bool = flag(False, "Afterwards s in expressions is the scale that is left.")
    clip: bool = flag(False, "Clip to [0, 1] afterwards.")
    border: Names | None = names_if_given(BORDERS, "Beyond the edge; default the recipe's.")

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "resize", left out where the size is right already."""
        rng = d.structure(place)
        method = name_of(self.method, rng)
        base, drawn = (d.lr_size, self.of_lr) if self.of_lr else (d.size, self.factor)
        size = d.lr_size
        if drawn is not None:
            factor = value_of(drawn, d, rng)
            size = max(1, int(base[0] * factor + 1e-6)), max(1, int(base[1] * factor + 1e-6))
            if self.rescale:
                d.s *= factor
        border = name_of(self.border, rng) if self.border else d.border
        if size != d.size:
            moved = tuple(
                round(displacement(n, m, method), 4)  # type: ignore[arg-type]
                for n, m in zip(d.size[::-1], size[::-1], strict=True)
            )
            antialias = self.antialias or method not in ("bilinear", "bicubic", "lanczos")
            d.add(
                Resize(
                    method=method,
                    size=size,
                    border=border,
                    antialias=antialias,
                    integers=self.integers,
                    displaced=(moved[0], moved[1]) if any(moved) else None,
                )
            )
            d.size = size
        if self.clip:
            d.add(Clip())

    def check(self, scale: float) -> None:
        """As any operation; also refuses two sizes at once."""
        super().check(scale)
        if self.factor is not None and self.of_lr is not None:
            raise RecipeError("factor: of_lr is given too; one of them is meant")
        if self.integers and self.method.names != ("matlab_bicubic",):
            raise RecipeError("integers: only matlab_bicubic is defined on whole numbers")
