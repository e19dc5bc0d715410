"""Stored samples to opaque sRGB: profiles, CMYK, grey, transparency."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from realdeg.errors import UserError
from realdeg.io.header import AlphaPolicy, Header

Array = np.ndarray[Any, Any]
BAND_ROWS = 256  # rows in float at a time: a whole photo would take 4 times its size more


def to_rgb(
    path: Path, pixels: Array, model: str, header: Header, alpha: AlphaPolicy
) -> tuple[Array, str, tuple[str, ...]]:
    """Convert to RGB and sRGB, and lay transparent pixels on the chosen background.

    Args:
        path: named in messages.
        pixels: (H, W, C) uint8 or uint16, as stored.
        model: "L", "LA", "RGB", "RGBA" or "CMYK".
        header: its profile and depth.
        alpha: see `photo.read`.

    Returns:
        Pixels (H, W, 3) of the same dtype, name of the profile they came from, notes.

    Raises:
        UserError: transparent where that is refused.
    """
    notes: list[str] = []
    opacity = None
    if model in ("LA", "RGBA"):
        pixels, opacity = pixels[..., :-1], pixels[..., -1:]
        if opacity.min() == np.iinfo(opacity.dtype).max:
            opacity = None
        elif not opacity.any():
            if header.kind != "BMP":
                raise UserError(path, "is transparent everywhere", "flatten it, or take it out")
            opacity = None  # programs that know of no opacity leave it 0
            notes.append("opacity of 0 everywhere taken for none")
        elif alpha == "refuse":
            raise UserError(path, "has transparent pixels", "flatten it, or choose a background colour")
    if header.palette:
        notes.append("palette expanded")
    elif header.depth < 8:
        notes.append(f"{header.depth}-bit samples expanded to 8 bit")
    profile = "sRGB"
    if header.icc is not None:
        from realdeg.io.icc import BadProfile, to_srgb

        try:
            pixels, profile, more = to_srgb(pixels, header.icc)
            notes += more
        except BadProfile as error:
            notes.append(f"{error}, sRGB assumed")
    elif header.facts.adobe_rgb:
        notes.append("EXIF says Adobe RGB but no profile is embedded, sRGB assumed")
    if pixels.shape[2] == 4:
        pixels = _plain_cmyk(pixels)
    if model == "CMYK":
        notes.append("CMYK converted")
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if header.channels <= 2 and not header.palette:
        notes.append("grey expanded to RGB")
    if opacity is not None:
        pixels = _on_background(pixels, opacity, 1.0 if alpha == "white" else 0.0)
        notes.append(f"alpha flattened on {alpha}")
    return pixels, profile, tuple(notes)


def _plain_cmyk(pixels: Array) -> Array:
    """CMYK without a profile: each ink takes its share of the light (Pillow's and Adobe's first guess)."""
    out = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), BAND_ROWS):
        light = 255.0 - pixels[top : top + BAND_ROWS].astype(np.float32)
        out[top : top + BAND_ROWS] = np.rint(light[..., :3] * light[..., 3:] / 255)
    return out


def _on_background(pixels: Array, opacity: Array, grey: float) -> Array:
    most = np.iinfo(pixels.dtype).max
    out = np.empty(pixels.shape, pixels.dtype)
    for top in range(0, len(pixels), BAND_ROWS):
        share = opacity[top : top + BAND_ROWS].astype(np.float32) / most
        out[top : top + BAND_ROWS] = np.rint(
            pixels[top : top + BAND_ROWS] * share + grey * most * (1 - share)
        )
    return out
