"""Settings of registration, with the reason of each default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realdeg.settings import setting

Brightness = Literal["auto", "curve", "matrix", "linear", "none"]
BRIGHTNESS: tuple[Brightness, ...] = ("auto", "curve", "matrix", "linear", "none")
Method = Literal["realdeg", "d2crealsr"]
METHODS: tuple[Method, ...] = ("realdeg", "d2crealsr")
Side = Literal["hr", "lr"]
SIDES: tuple[Side, ...] = ("hr", "lr")
LateralColour = Literal["match", "remove", "keep"]
LATERAL: tuple[LateralColour, ...] = ("match", "remove", "keep")
DigitalZoom = Literal["refuse", "accept"]
DIGITAL_ZOOM: tuple[DigitalZoom, ...] = ("refuse", "accept")
SCALES = (2, 3, 4, 8)


@dataclass(frozen=True)
class AlignSettings:
    """How pairs are registered, and what makes a pair not good enough."""

    scale: int | None = setting(
        None,
        "HR size / LR size of the pairs (1: two cameras, one grid); else the scale nearest to the zooms.",
        low=1,
        high=16,
    )
    # "realdeg": SIFT, then Gauss-Newton on all textured pixels, homography and lens terms; "d2crealsr": the
    # paper's two passes of SIFT with a homography, kept for comparison.
    method: Method = setting(
        "realdeg",
        "Dense sub-pixel registration with lens terms, or the paper's two passes of SIFT.",
        was=("recipe",),
    )
    brightness: Brightness = setting(
        "auto",
        "How colours are aligned at most: auto (all), curve per channel, matrix (two cameras), linear (gain "
        "and offset, as in the paper) or none; less where the photos ask for less.",
    )
    adjust: Side = setting("hr", "Which image is brought to the other's brightness.")
    vignetting: bool = setting(
        True, "Allow a gain that varies slowly over the field as well (not with linear)."
    )
    # "match" makes the pair register in every channel; HR then has LR's fringes, mostly small ones.
    lateral_colour: LateralColour = setting(
        "match",
        "Lateral colour: draw HR's red and blue where LR has them (match), or free of fringes, where LR has "
        "green (remove), or as HR has them (keep).",
    )
    # The p95 of the error, predicted by the registration and measured on the finished pair; for an LR photo
    # softer than its pixels, in units of the smallest detail that it shows (`pair.softness`).
    max_error: float = setting(
        0.15, "Reject a pair whose expected error or measured residual (p95) is above, LR px.", above=0
    )
    # Image tiles that contradict the common map: good pairs have below 0.01, parallax 0.1 and more.
    max_disagreeing: float = setting(
        0.03,
        "Reject above this share of tiles with a motion of their own (parallax).",
        low=0,
        high=1,
    )
    # Of 83 good pairs of RealSR and DRealSR 82 have less; with a shadow moved on 5 to 20 % all have more.
    max_changed: float = setting(
        0.02,
        "Reject above this share of the image with other light (moved shadows, clipped highlights).",
        low=0,
        high=1,
    )
    max_colour: float = setting(
        10.0, "Reject where HR and LR differ by more after the correction of colours, 8-bit levels.", above=0
    )
    # Good pairs of x2 have 1.26 and more, those of RealSR and DRealSR 1.9; HR that is as soft as LR 1.1 as a
    # rule, and up to 1.35 where LR shows little: then the share that is soft tells.
    min_detail: float = setting(
        1.2, "Reject where HR resolves less than so many times LR's detail (out of focus, enlarged).", low=0
    )
    # Of good pairs 0.06, 0.18 where a phone sharpened LR; HR that is soft on half of the field 0.23 and more.
    max_soft: float = setting(
        0.2,
        "Reject above this share of the texture that HR resolves no better than LR (out of focus).",
        low=0,
        high=1,
    )
    mask: bool = setting(
        False,
        "Keep a pair of which up to half moved, has other light or is soft; write where it is valid (MASK/).",
    )
    max_blur: float = setting(
        2.0, "Reject where LR is blurred by more against HR, LR px (out of focus).", above=0
    )
    # RealSR's x4 pairs: 105 mm / 28 mm = 3.75, an enlargement of 1.07.
    max_enlargement: float = setting(
        1.15, "Reject where HR would be enlarged by more to reach the scale.", low=1
    )
    digital_zoom: DigitalZoom = setting(
        "refuse", "Photos that were enlarged: EXIF DigitalZoomRatio, or traces of interpolation in HR."
    )
    # With 4, as before, a tenth less of small photos was kept, and no pair was more exact.
    edge: int = setting(
        1, "LR px cut from each side of the common field, where lenses and borders are worst.", low=0
    )
    min_side: int = setting(48, "Smallest LR side kept, px.", low=16)
    tolerance: float = setting(0.002, "Registration ends when no corner moves by more, LR px.", above=0)
    keep_rejects: bool = setting(
        False, "Write rejected pairs, where one can be made, into rejected/ for study."
    )
