"""Compression by real codecs: still pictures, and pictures as frames of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.context import DrawContext, Op, name_of, names, number, value_of
from realdeg.degrade.ops.distribution import Distribution, Names
from realdeg.degrade.ops.step import Pools, Size, Step, part
from realdeg.degrade.ops.words import format_number, format_numbers
from realdeg.imaging.depth import to_8bit, to_float

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "jpeg_differentiable": "JPEG model"}
VIDEO = {"h264": "H.264", "hevc": "HEVC"}
SUBSAMPLINGS = ("420", "422", "444")


@dataclass(frozen=True, kw_only=True)
class Codec(Step):
    """Encode and decode one image. `subsampling`: of JPEG and AVIF."""

    op: ClassVar[str] = "codec"

    format: str = part(known=tuple(FORMATS))
    quality: int = part("quality", low=0, high=100)
    subsampling: str | None = part(default=None, known=SUBSAMPLINGS)

    def apply(self, image: Image, pools: Pools) -> Image:
        """At 8 bits; the model of JPEG in float32."""
        if self.format == "jpeg_differentiable":
            from realdeg.imaging.batched import jpeg_model_of_image

            return jpeg_model_of_image(to_float(image), self.quality)
        from realdeg.imaging.codec import roundtrip

        subsampling = self.subsampling or "420"
        return roundtrip(to_8bit(image), self.format, self.quality, subsampling=subsampling)  # type: ignore[arg-type]

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """Real codecs one image after the other, on the processor."""
        if steps[0].format == "jpeg_differentiable":
            from realdeg.imaging import batched

            return batched.jpeg_model(images, images.new_tensor([float(step.quality) for step in steps]))
        return _one_by_one(images, steps, pools)

    def together(self) -> tuple[object, ...]:
        """The codec."""
        return (self.format,)

    def cuts_gradient(self) -> str:
        """All but the model."""
        return "" if self.format == "jpeg_differentiable" else f"a real codec ({FORMATS[self.format]})"

    def describe(self, before: Size | None = None) -> str:
        """Codec, quality, and subsampling where it is not the usual one."""
        words = f"{FORMATS[self.format]} {format_number(self.quality)}"
        sampling = self.subsampling or "420"
        return words if sampling == "420" else f"{words} {':'.join(sampling)}"

    @property
    def title(self) -> str:
        """The codec."""
        return FORMATS[self.format]

    def names(self) -> Iterator[tuple[str, str]]:
        """Codec and subsampling."""
        yield "codec", f"{FORMATS[self.format]} {':'.join(self.subsampling or '')}".strip()


@dataclass(frozen=True, kw_only=True)
class Video(Step):
    """The image as the last frame of a clip. `pan`: motion (x, y), px a frame."""

    op: ClassVar[str] = "video"

    codec: str = part(known=tuple(VIDEO))
    crf: int = part("CRF", low=0, high=51)
    frames: int = part("frames", low=1, high=60)
    pan: tuple[int, int] = part("pan", "px a frame", low=-64, high=64)

    def apply(self, image: Image, pools: Pools) -> Image:
        """At 8 bits."""
        from realdeg.imaging.video import roundtrip

        return roundtrip(to_8bit(image), self.codec, self.crf, frames=self.frames, pan=self.pan)  # type: ignore[arg-type]

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """One image after the other, on the processor."""
        return _one_by_one(images, steps, pools)

    def cuts_gradient(self) -> str:
        """Always."""
        return f"a real codec ({VIDEO[self.codec]})"

    def describe(self, before: Size | None = None) -> str:
        """Codec, rate factor, frames, motion."""
        crf, frames = format_number(self.crf), format_number(self.frames)
        return f"{VIDEO[self.codec]} CRF {crf}, {frames} frames, pan {format_numbers(self.pan)} px"

    @property
    def title(self) -> str:
        """The codec."""
        return VIDEO[self.codec]

    def names(self) -> Iterator[tuple[str, str]]:
        """The codec."""
        yield "codec", VIDEO[self.codec]


def _one_by_one(images: Tensor, steps: Sequence[Codec | Video], pools: Pools) -> Tensor:
    """8-bit pictures on the processor; no gradient passes."""
    import torch

    whole = (images.detach().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    made = [step.apply(image, pools) for image, step in zip(whole, steps, strict=True)]
    return torch.from_numpy(np.stack(made)).to(images.device).permute(0, 3, 1, 2).float() / 255


@dataclass(frozen=True, kw_only=True)
class CodecOp(Op):
    """Encode and decode by a real codec, at 8 bits.

    "jpeg_differentiable" is kornia's model of JPEG, for training through the degradation or on a GPU
    without copying pictures to the processor and back; it is near to a real JPEG, not equal.
    """

    op: ClassVar[str] = "codec"

    format: Names = names(tuple(FORMATS), "jpeg", "Codec.")
    quality: Distribution = number(
        {"integers": [30, 95]}, "0 to 100 as the codec counts it.", low=0, high=100
    )
    subsampling: Names = names(SUBSAMPLINGS, "420", "Of the colours, in JPEG and AVIF.")

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "codec"."""
        kind = name_of(self.format, d.structure(place))
        rng = d.values(place)
        quality = int(value_of(self.quality, d, rng))
        subsampling = name_of(self.subsampling, rng) if kind in ("jpeg", "avif") else None
        d.add(Codec(format=kind, quality=quality, subsampling=subsampling), encoded=True)

    def ready(self) -> None:
        """As any operation; tries formats that not every build of the libraries has."""
        if "avif" in self.format.names:
            from realdeg.imaging.codec import encode

            encode(np.zeros((8, 8, 3), np.uint8), "avif", 50)


@dataclass(frozen=True, kw_only=True)
class VideoOp(Op):
    """The image as the last frame of a short clip that pans over it, by a video codec (extra `video`)."""

    op: ClassVar[str] = "video"

    codec: Names = names(tuple(VIDEO), "h264", "Codec.")
    crf: Distribution = number(
        {"integers": [18, 35]}, "Constant rate factor: 0 without loss, 51 worst.", low=0, high=51
    )
    frames: Distribution = number(3, "Frames of the clip.", low=1, high=60)
    pan: Distribution = number({"integers": [-3, 3]}, "Motion along each axis, px a frame.", low=-64, high=64)

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "video"."""
        rng = d.values(place)
        codec = name_of(self.codec, rng)
        crf, frames = int(value_of(self.crf, d, rng)), int(value_of(self.frames, d, rng))
        dx, dy = (int(value_of(self.pan, d, rng)) for _ in range(2))
        d.add(Video(codec=codec, crf=crf, frames=frames, pan=(dx, dy)), encoded=True)

    def ready(self) -> None:
        """As any operation; tries its codecs."""
        from realdeg.imaging.video import encode

        for codec in self.codec.names:
            encode(np.zeros((16, 16, 3), np.uint8), codec, 30, frames=1)  # type: ignore[arg-type]
