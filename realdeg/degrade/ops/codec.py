"""Compression by real codecs: still pictures, and pictures as frames of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from realdeg.degrade.ops.context import Drawing, Op, Step, name_of, names, number, value_of
from realdeg.degrade.ops.distribution import Law, Names

FORMATS = ("jpeg", "webp", "avif", "jpeg_differentiable")
VIDEO = ("h264", "hevc")


@dataclass(frozen=True, kw_only=True)
class Codec(Op):
    """Encode and decode by a real codec, at 8 bits.

    "jpeg_differentiable" is kornia's model of JPEG, for training through the degradation or on a GPU
    without copying pictures to the processor and back; it is near to a real JPEG, not equal.
    """

    op: ClassVar[str] = "codec"

    format: Names = names(FORMATS, "jpeg", "Codec.")
    quality: Law = number({"integers": [30, 95]}, "0 to 100 as the codec counts it.", low=0, high=100)
    subsampling: Names = names(("420", "422", "444"), "420", "Of the colours, in JPEG and AVIF.")

    def steps(self, d: Drawing, place: str) -> None:
        """One step "codec"."""
        kind = name_of(self.format, d.structure(place))
        rng = d.values(place)
        step: Step = {"op": "codec", "format": kind, "quality": int(value_of(self.quality, d, rng))}
        if kind in ("jpeg", "avif"):
            step["subsampling"] = name_of(self.subsampling, rng)
        d.add(step, encoded=True)

    def ready(self) -> None:
        """As any operation; tries formats that not every build of the libraries has."""
        if "avif" in self.format.names:
            from realdeg.imaging.codec import encode

            encode(np.zeros((8, 8, 3), np.uint8), "avif", 50)


@dataclass(frozen=True, kw_only=True)
class Video(Op):
    """The image as the last frame of a short clip that pans over it, by a video codec (extra `video`)."""

    op: ClassVar[str] = "video"

    codec: Names = names(VIDEO, "h264", "Codec.")
    crf: Law = number(
        {"integers": [18, 35]}, "Constant rate factor: 0 without loss, 51 worst.", low=0, high=51
    )
    frames: Law = number(3, "Frames of the clip.", low=1, high=60)
    pan: Law = number({"integers": [-3, 3]}, "Motion along each axis, px a frame.", low=-64, high=64)

    def steps(self, d: Drawing, place: str) -> None:
        """One step "video"."""
        rng = d.values(place)
        step: Step = {"op": "video", "codec": name_of(self.codec, rng)}
        step |= {"crf": int(value_of(self.crf, d, rng)), "frames": int(value_of(self.frames, d, rng))}
        step |= {"pan": [int(value_of(self.pan, d, rng)) for _ in range(2)]}
        d.add(step, encoded=True)

    def ready(self) -> None:
        """As any operation; tries its codecs."""
        from realdeg.imaging.video import encode

        for codec in self.codec.names:
            encode(np.zeros((16, 16, 3), np.uint8), codec, 30, frames=1)  # type: ignore[arg-type]
