"""Steps that no operation of a recipe draws by itself: between light and sRGB values, to grey, to [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.step import Pools, Size, Step, part
from realdeg.imaging import noise
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.depth import to_float

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Light(Step):
    """From sRGB values to linear light, or back ("gamma")."""

    op: ClassVar[str] = "light"
    silent: ClassVar[bool] = True

    to: str = part(known=("linear", "gamma"))

    def apply(self, image: Image, pools: Pools) -> Image:
        """Float32; of 8 bits through a table."""
        change = srgb_to_linear if self.to == "linear" else linear_to_srgb
        if image.dtype == np.uint8:
            table = change(np.arange(256, dtype=np.float32) / 255)
            return np.take(table, image)
        return change(to_float(image))

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """As `apply`."""
        from realdeg.imaging import batched

        to_linear = steps[0].to == "linear"
        return batched.srgb_to_linear(images) if to_linear else batched.linear_to_srgb(images)

    def together(self) -> tuple[object, ...]:
        """The direction."""
        return (self.to,)

    def describe(self, before: Size | None = None) -> str:
        """Which way."""
        return "to linear light" if self.to == "linear" else "to sRGB values"


@dataclass(frozen=True, kw_only=True)
class Clip(Step):
    """To [0, 1]."""

    op: ClassVar[str] = "clip"
    silent: ClassVar[bool] = True

    def apply(self, image: Image, pools: Pools) -> Image:
        """Whole numbers are within their range already."""
        return np.clip(image, 0, 1) if image.dtype == np.float32 else image

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """As `apply`."""
        return images.clamp(0, 1)

    def describe(self, before: Size | None = None) -> str:
        """Nothing that one would tell."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Grey(Step):
    """To the luma, in all channels."""

    op: ClassVar[str] = "grey"
    silent: ClassVar[bool] = True

    def apply(self, image: Image, pools: Pools) -> Image:
        """Whole numbers that are grey already stay as they are."""
        if image.dtype != np.float32 and (image == image[..., :1]).all():
            return image
        return np.repeat(noise.luma(to_float(image))[..., None], 3, axis=2)

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """As `apply`."""
        from realdeg.imaging import batched

        return batched.luma(images).expand_as(images)

    def describe(self, before: Size | None = None) -> str:
        """In two words."""
        return "to grey"
