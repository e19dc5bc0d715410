"""The colours of two registered photos brought together: for looking at them, and for the finished pair."""

from __future__ import annotations

import cv2
import numpy as np

from realdeg.align.brightness import MAX_SAMPLES, ToneCurve, match_brightness, rough_tone
from realdeg.align.crop import Box
from realdeg.align.draw import draw
from realdeg.align.homography import Homography
from realdeg.align.scene import LumaImage, factor_of
from realdeg.align.settings import AlignSettings
from realdeg.align.warp import Warp
from realdeg.arraytypes import Image

ROUGH_BLUR = 1.0  # LR px; more than LR has, so that edges of both look alike


def final_tone(
    lr: Image, hr: Image, warp: Warp, field: Box, blur: float, settings: AlignSettings
) -> ToneCurve:
    """Tone of the image that is adjusted.

    Args:
        lr, hr: (h, w, 3) uint8 or uint16.
        warp: hr_from_lr.
        field: the LR crop.
        blur: between HR and LR, LR px.
        settings: method, side, and whether vignetting is fitted.
    """
    if settings.brightness == "none":
        return ToneCurve.none()
    seen, there = _sampled(lr, hr, warp, field, blur)
    source, target = (seen, there) if settings.adjust == "hr" else (there, seen)
    vignetting = settings.vignetting and settings.brightness == "curve"
    return match_brightness(source, target, settings.brightness, vignetting=vignetting)


def like_lr(lr: Image, hr: Image, warp: Warp, field: Box) -> LumaImage:
    """HR with its colours brought to LR's.

    Otherwise other channels would make the edges of one photo than of the other, and its blur would not
    be one of the light that LR saw.
    """
    return LumaImage.of(hr, rough_tone(*_sampled(lr, hr, warp, field, ROUGH_BLUR)))


def _sampled(lr: Image, hr: Image, warp: Warp, field: Box, blur: float) -> tuple[Image, Image]:
    """HR and LR, float32 in [0, 1], at one sharpness on one grid of at most some 100,000 pixels."""
    step = max(1, round(np.sqrt(field.width * field.height / MAX_SAMPLES)))
    box = Box(field.x, field.y, field.width // step * step, field.height // step * step)
    there = lr[box.slices]
    if step > 1:
        there = cv2.resize(there, (box.width // step, box.height // step), interpolation=cv2.INTER_AREA)
    zoom = warp.zoom_at(field.centre) * step
    factor = factor_of(zoom)
    height, width = (side // factor * factor for side in hr.shape[:2])
    light = hr[:height, :width]
    if factor > 1:
        light = cv2.resize(light, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(light, (0, 0), zoom / factor * max(blur / step, 0.3))
    small_from_grid = Homography.zoom(factor).inverse() @ warp @ Homography.translation(box.x, box.y)
    seen = draw(light, small_from_grid @ Homography.zoom(step), there.shape[:2])
    seen = np.clip(seen / np.float32(np.iinfo(hr.dtype).max), 0, 1)
    there = there.astype(np.float32) / np.float32(np.iinfo(lr.dtype).max)
    return seen, there
