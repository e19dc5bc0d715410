"""Settings of registration, with the reason of each default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Brightness = Literal["curve", "linear", "none"]
BRIGHTNESS: tuple[Brightness, ...] = ("curve", "linear", "none")
Recipe = Literal["realdeg", "d2crealsr"]
RECIPES: tuple[Recipe, ...] = ("realdeg", "d2crealsr")
Side = Literal["hr", "lr"]
SIDES: tuple[Side, ...] = ("hr", "lr")
DigitalZoom = Literal["refuse", "accept"]
DIGITAL_ZOOM: tuple[DigitalZoom, ...] = ("refuse", "accept")
SCALES = (2, 3, 4, 8)


@dataclass(frozen=True)
class AlignSettings:
    """How pairs are registered, and what makes a pair not good enough.

    Attributes:
        scale: HR size / LR size of the pairs to make; None: the scale nearest to the measured zooms.
        recipe: "realdeg": SIFT, then Gauss-Newton on all textured pixels, homography and lens terms;
            "d2crealsr": the paper's two passes of SIFT with a homography, kept for comparison.
        brightness: how brightness is aligned: monotone curve per channel, gain and offset per channel
            (the D2CRealSR recipe), or not at all.
        adjust: which image of the pair is brought to the other's brightness.
        vignetting: with "curve": whether a slowly varying gain over the field is fitted as well.
        max_error: largest p95 of the error, predicted by the registration and measured on the finished
            pair, LR px; for an LR photo softer than its pixels, in units of the smallest detail that it
            shows (`pair.softness`).
        max_disagreeing: largest share of image tiles that contradict the common map (parallax, or
            something moved). Good pairs have below 0.01, parallax 0.1 and more.
        mask: keep a pair of which up to half contradicts the common map, and write where it is valid.
        max_blur: largest blur between HR and LR, LR px; above, LR is out of focus.
        max_enlargement: by how much HR may be enlarged where the lens's zoom falls short of `scale`
            (RealSR's x4 pairs: 105 mm / 28 mm = 3.75, an enlargement of 1.07).
        digital_zoom: whether photos that the camera itself enlarged (EXIF DigitalZoomRatio) are used.
        edge: LR px cut from each side of the common field, where lenses and borders are worst.
        min_side: smallest side of an LR image worth keeping, px.
        tolerance: registration ends when no corner moves by more, LR px.
        keep_rejects: write rejected pairs, where one can be made, into rejected/ for study.
    """

    scale: int | None = None
    recipe: Recipe = "realdeg"
    brightness: Brightness = "curve"
    adjust: Side = "hr"
    vignetting: bool = True
    max_error: float = 0.15
    max_disagreeing: float = 0.03
    mask: bool = False
    max_blur: float = 2.0
    max_enlargement: float = 1.15
    digital_zoom: DigitalZoom = "refuse"
    edge: int = 4
    min_side: int = 48
    tolerance: float = 0.002
    keep_rejects: bool = False
