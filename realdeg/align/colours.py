"""The colours of two registered photos brought together: of the finished pair, and for looking at them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from realdeg.align import tone_fit
from realdeg.align.brightness import ColourMatch, match, samples_of
from realdeg.align.crop import Box
from realdeg.align.scene import LumaImage
from realdeg.align.seen import MAX_PIXELS, Seen, seen
from realdeg.align.settings import AlignSettings
from realdeg.align.tone import Tone
from realdeg.align.warp import Warp
from realdeg.arraytypes import Image
from realdeg.imaging.depth import peak

ROUGH_BLUR = 1.0  # LR px; more than LR has, so that edges of both look alike


def final_tone(
    lr: Image, hr: Image, warp: Warp, field: Box, blur: float, settings: AlignSettings
) -> ColourMatch:
    """Correction of the image that is adjusted.

    Args:
        lr, hr: (h, w, 3) uint8 or uint16.
        warp: hr_from_lr.
        field: the LR crop.
        blur: between HR and LR, LR px.
        settings: method, side, and whether vignetting is fitted.
    """
    photos = seen(lr, hr, warp, field, blur, settings.adjust)
    found = match(photos, settings.brightness, vignetting=settings.vignetting)
    adjusted = _hr_part(hr, warp, field) if settings.adjust == "hr" else lr[field.slices]
    every = max(1, adjusted.size // (3 * MAX_PIXELS))
    values = adjusted.reshape(-1, 3)[::every] / np.float32(peak(adjusted))
    outside = (values < found.measured[:, 0]) | (values > found.measured[:, 1])
    return replace(found, beyond=float(outside.mean()))


def like_lr(lr: Image, hr: Image, warp: Warp, field: Box) -> LumaImage:
    """HR with its colours brought to LR's.

    Otherwise other channels would make the edges of one photo than of the other, and its blur would not
    be one of the light that LR saw.
    """
    return LumaImage.of(hr, rough_tone(seen(lr, hr, warp, field, ROUGH_BLUR)))


def rough_tone(photos: Seen) -> Tone:
    """Curves alone, of photos that need not be well registered.

    Fitted together with a gain over the field, which is then left out: brightness that varies slowly does not
    hinder registration, but would bend the curves.
    """
    return tone_fit.even_curves(samples_of(photos))


def _hr_part(hr: Image, warp: Warp, field: Box) -> Image:
    """The part of the HR photo under the field."""
    corners = warp(field.corners)
    low = np.clip(np.floor(corners.min(0)), 0, None).astype(int)
    high = np.ceil(corners.max(0)).astype(int) + 1
    return hr[low[1] : high[1], low[0] : high[0]]
