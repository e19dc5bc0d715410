"""A camera's processing: back to raw, through the colour filter array with sensor noise, and forth again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from realdeg.degrade.ops.context import Drawing, Op, Step, name_of, names, number, value_of
from realdeg.degrade.ops.distribution import Law, Names

PATTERNS = ("rggb", "bggr", "grbg", "gbrg")
DEMOSAICS = ("bilinear", "malvar")


@dataclass(frozen=True, kw_only=True)
class Camera(Op):
    """ISP round trip (Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019).

    Inverse tone curve, gamma, colour matrix and white balance; Bayer mosaic; shot and read noise; demosaic
    and the same processing forwards. Noise thus gets the colours and the correlation that demosaicing
    gives it.
    """

    op: ClassVar[str] = "camera"

    red_gain: Law = number([1.9, 2.4], "White balance of red.", low=1, high=8)
    blue_gain: Law = number([1.5, 1.9], "White balance of blue.", low=1, high=8)
    gain: Law = number([1, 1.5], "Of all channels together (exposure).", low=1, high=16)
    shot: Law = number({"log10": [-4, -1.92]}, "Shot noise: variance of the raw value per raw value.", low=0)
    read: Law = number({"log10": [-7, -4]}, "Read noise: variance of the raw value.", low=0)
    pattern: Names = names(PATTERNS, list(PATTERNS), "Colour filter array.")
    demosaic: Names = names(DEMOSAICS, "malvar", "How missing colours are found.")

    def steps(self, d: Drawing, place: str) -> None:
        """One step "camera"."""
        rng = d.values(place)
        step: Step = {"op": "camera", "pattern": name_of(self.pattern, rng)}
        step |= {"demosaic": name_of(self.demosaic, rng)}
        for name in ("red_gain", "blue_gain", "gain", "shot", "read"):
            step[name] = value_of(getattr(self, name), d, rng)
        # How strongly the camera separates colours: between none and the matrix from XYZ-like primaries.
        step["ccm"] = round(rng.random(), 4)
        d.add({**step, "key": d.field_key(place)}, encoded=True)
