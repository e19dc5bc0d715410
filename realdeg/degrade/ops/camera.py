"""A camera's processing: back to raw, through the colour filter array with sensor noise, and forth again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from realdeg.arraytypes import Image
from realdeg.degrade.ops.context import DrawContext, Op, name_of, names, number, value_of
from realdeg.degrade.ops.distribution import Distribution, Names
from realdeg.degrade.ops.step import Pools, Size, Step, part
from realdeg.degrade.ops.words import format_number
from realdeg.imaging import noise
from realdeg.imaging.depth import to_float

if TYPE_CHECKING:
    from torch import Tensor

    from realdeg.imaging.isp import Isp

PATTERNS = ("rggb", "bggr", "grbg", "gbrg")
DEMOSAICS = ("bilinear", "malvar")


@dataclass(frozen=True, kw_only=True)
class Camera(Step):
    """To raw and back. `ccm`: how strongly the camera separates colours, 0 to 1; `key`: of the noise."""

    op: ClassVar[str] = "camera"

    pattern: str = part(known=PATTERNS)
    demosaic: str = part(known=DEMOSAICS)
    red_gain: float = part("gain of red", low=0.01)
    blue_gain: float = part("gain of blue", low=0.01)
    gain: float = part("gain of all", low=0.01)
    shot: float = part("shot noise", low=0)
    read: float = part("read noise", low=0)
    ccm: float = part("colour matrix", low=0, high=1)
    key: str = part(hexadecimal=True)

    def apply(self, image: Image, pools: Pools) -> Image:
        """In float32."""
        from realdeg.imaging import isp

        made = self._isp()
        raw = isp.mosaic(isp.unprocess(to_float(image), made), made.pattern)
        z = noise.normal(int(self.key, 16), raw.shape)
        noisy = raw + z * np.sqrt(np.maximum(raw, 0) * np.float32(self.shot) + np.float32(self.read))
        return isp.process(isp.demosaic(noisy, made.pattern, made.demosaic), made)

    @classmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """With other settings for each image."""
        from realdeg.imaging import batched, isp_batched

        made = isp_batched.stacked([step._isp() for step in steps], device=images.device)
        raw = isp_batched.mosaic(isp_batched.unprocess(images, made), made.pattern)
        size = (raw.shape[-2], raw.shape[-1])
        keys = [int(step.key, 16) for step in steps]
        z = batched.normal(batched.bits(keys, size, [True] * len(keys), images.device)[:, :1])
        shot, read = (
            images.new_tensor([getattr(step, name) for step in steps])[:, None, None, None]
            for name in ("shot", "read")
        )
        raw = raw.reshape(len(images), 1, *size)
        raw = raw + z * (raw.clamp(min=0) * shot + read).sqrt()
        return isp_batched.process(isp_batched.demosaic(raw, made.pattern, made.demosaic), made)

    def describe(self, before: Size | None = None) -> str:
        """Filter array, demosaicing, gains, noise."""
        red, blue, gain = (format_number(one) for one in (self.red_gain, self.blue_gain, self.gain))
        gains = f"red x{red}, blue x{blue}, all x{gain}"
        shot, read, ccm = (format_number(one) for one in (self.shot, self.read, self.ccm))
        sensor = f"shot {shot}, read {read}, colour matrix {ccm}"
        return f"camera {self.pattern.upper()} {self.demosaic}, {gains}, {sensor}"

    def names(self) -> Iterator[tuple[str, str]]:
        """Filter array and demosaicing."""
        yield "colour filter array", self.pattern.upper()
        yield "demosaicing", self.demosaic

    def _isp(self) -> Isp:
        from realdeg.imaging import isp

        names = ("red_gain", "blue_gain", "gain", "ccm", "pattern", "demosaic")
        return isp.of_numbers({name: getattr(self, name) for name in names})


@dataclass(frozen=True, kw_only=True)
class CameraOp(Op):
    """ISP round trip (Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019).

    Inverse tone curve, gamma, colour matrix and white balance; Bayer mosaic; shot and read noise; demosaic
    and the same processing forwards. Noise thus gets the colours and the correlation that demosaicing
    gives it.
    """

    op: ClassVar[str] = "camera"

    red_gain: Distribution = number([1.9, 2.4], "White balance of red.", low=1, high=8)
    blue_gain: Distribution = number([1.5, 1.9], "White balance of blue.", low=1, high=8)
    gain: Distribution = number([1, 1.5], "Of all channels together (exposure).", low=1, high=16)
    shot: Distribution = number(
        {"log10": [-4, -1.92]}, "Shot noise: variance of the raw value per raw value.", low=0
    )
    read: Distribution = number({"log10": [-7, -4]}, "Read noise: variance of the raw value.", low=0)
    pattern: Names = names(PATTERNS, list(PATTERNS), "Colour filter array.")
    demosaic: Names = names(DEMOSAICS, "malvar", "How missing colours are found.")

    def steps(self, d: DrawContext, place: str) -> None:
        """One step "camera"."""
        rng = d.values(place)
        pattern, demosaic = name_of(self.pattern, rng), name_of(self.demosaic, rng)
        red_gain, blue_gain, gain, shot, read = (
            value_of(one, d, rng) for one in (self.red_gain, self.blue_gain, self.gain, self.shot, self.read)
        )
        # How strongly the camera separates colours: between none and the matrix from XYZ-like primaries.
        ccm = round(rng.random(), 4)
        d.add(
            Camera(
                pattern=pattern,
                demosaic=demosaic,
                red_gain=red_gain,
                blue_gain=blue_gain,
                gain=gain,
                shot=shot,
                read=read,
                ccm=ccm,
                key=d.field_key(place),
            ),
            encoded=True,
        )
