"""Both photos at one sharpness on one grid, so that their colours can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.crop import Box
from realdeg.align.draw import draw, draw_nearest
from realdeg.align.homography import Homography
from realdeg.align.scene import factor_of
from realdeg.align.settings import Side
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array, Image
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.depth import peak

Mask = npt.NDArray[np.bool_]

MAX_PIXELS = 60_000
FINE = 2  # px of the finer grid a px: HR's contrast, half of it at least, before it is reduced
SAME_BLUR = 2.5  # LR px, of both: cameras sharpen, and where they do contrast must not pass for tone
LOW, HIGH = 2 / 255, 252 / 255  # beyond, a channel may be clipped
CLIPPED_SHARE = 0.1  # of the pixels under one: single black ones are no loss
DOUBTFUL = 1.5 / 255
LIGHT = srgb_to_linear(np.linspace(0, 1, 65536))


@dataclass(frozen=True, eq=False)
class View:
    """The image that is adjusted, as the other photo would see it.

    Attributes:
        sharp: (h, w, C) float32 in [0, 1], sRGB-encoded, as sharp as LR is.
        source: the same, blurred on top as `Seen.target` is.
        encoded: like `source`, but reduced as encoded values instead of as light.
    """

    sharp: Image
    source: Image
    encoded: Image


@dataclass(frozen=True, eq=False)
class Seen:
    """Both photos over the field, on a grid of at most some 60,000 pixels.

    Light adds up on a sensor, encoded values do not: both photos are reduced, and HR is blurred like LR, as
    linear light. What both are blurred by on top takes away the camera's sharpening, which keeps the means of
    encoded values.

    Attributes:
        fine: (n h, n w, C) float32 in [0, 1], sRGB-encoded: the image that is adjusted, on a
            grid n times as fine.
        sigma: blur between the photos, px of `fine`.
        same: blur of both on top, px.
        sharp_target, target: (h, w, C) the other photo, without and with that blur.
        clipped: (h, w, C) channels that are clipped in one of the photos, there or nearby.
    """

    fine: Image
    sigma: float
    same: float
    sharp_target: Image
    target: Image
    clipped: Mask

    def view(self, fine: Image) -> View:
        """What becomes of the image that is adjusted, or of a correction of it, at the other's sharpness."""
        height, width = self.target.shape[:2]
        sharp, source, encoded = [], [], []
        for c in range(fine.shape[-1]):
            light = linear_to_srgb(self._reduced(_light(fine[..., c]), (width, height)))
            sharp.append(light)
            source.append(cv2.GaussianBlur(light, (0, 0), self.same))
            plain = self._reduced(fine[..., c], (width, height))
            encoded.append(cv2.GaussianBlur(plain, (0, 0), self.same))
        return View(np.stack(sharp, -1), np.stack(source, -1), np.stack(encoded, -1))

    @cached_property
    def untouched(self) -> View:
        """The view of the image as it is."""
        return self.view(self.fine)

    @cached_property
    def doubt(self) -> Image:
        """(h, w, C) how much it matters, in [0, 1], whether HR is reduced as light or as encoded values.

        It does in fine texture of strong contrast; what is off there says little of the tone.
        """
        return np.abs(self.untouched.source - self.untouched.encoded)

    @property
    def telling(self) -> Mask:
        """(h, w, C) what is not clipped and hardly in doubt."""
        return ~self.clipped & (self.doubt <= max(DOUBTFUL, float(np.median(self.doubt))))

    def _reduced(self, plane: Array, size: tuple[int, int]) -> Array:
        plane = np.ascontiguousarray(plane)
        blurred = cv2.GaussianBlur(plane, (0, 0), self.sigma) if self.sigma else plane
        return (
            cv2.resize(blurred, size, interpolation=cv2.INTER_AREA) if plane.shape[1] > size[0] else blurred
        )


def seen(lr: Image, hr: Image, warp: Warp, field: Box, blur: float, adjust: Side = "hr") -> Seen:
    """Both photos over the field.

    Args:
        lr, hr: (h, w, 3) uint8 or uint16.
        warp: hr_from_lr.
        field: the LR crop.
        blur: between HR and LR, LR px.
        adjust: "hr" or "lr", the image that will be adjusted.
    """
    step = max(1, round(np.sqrt(field.width * field.height / MAX_PIXELS)))
    box = Box(field.x, field.y, field.width // step * step, field.height // step * step)
    height, width = box.height // step, box.width // step
    zoom = warp.zoom_at(field.centre) * step
    factor = factor_of(zoom)
    hr_from_grid = warp @ Homography.translation(box.x, box.y) @ Homography.zoom(step)
    small_from_hr = Homography.zoom(factor).inverse()
    small_from_fine = small_from_hr @ hr_from_grid @ Homography.zoom(FINE).inverse()
    theirs, ours, clipped = [], [], []
    same = max(1.0, SAME_BLUR / step)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(np.ceil(same)) + 1,) * 2)
    for c in range(3):
        there, cut = _reduced(lr[box.slices][..., c], step)
        light, cut_hr = _reduced(hr[..., c], factor)
        ours.append(np.maximum(draw(light, small_from_fine, (FINE * height, FINE * width)), 0))
        theirs.append(there)
        cut = cut | draw_nearest(cut_hr, small_from_hr @ hr_from_grid, (height, width))
        clipped.append(cv2.dilate(cut, around).astype(bool))
    # The means over factor x factor HR px, and those over the finer grid, have blurred already.
    fine_px = zoom / FINE
    variance = (FINE * max(blur / step, 0.3)) ** 2 - (factor**2 - 1) / 12 / fine_px**2 - (FINE**2 - 1) / 12
    sigma = float(np.sqrt(max(variance, 0.0)))
    cut_off = np.stack(clipped, -1)
    fine, target = (np.clip(linear_to_srgb(np.stack(planes, -1)), 0, 1) for planes in (ours, theirs))
    if adjust == "hr":
        return Seen(fine, sigma, same, target, _blurred(target, same), cut_off)
    sharp = Seen(fine, sigma, same, target, target, cut_off).untouched
    return Seen(target, 0.0, same, sharp.sharp, sharp.source, cut_off)


def _light(encoded: Array) -> Array:
    """Linear light of encoded values in [0, 1], by a table of 16 bits."""
    return np.take(LIGHT, np.rint(encoded * np.float32(len(LIGHT) - 1)).astype(np.uint16))


def _blurred(image: Image, sigma: float) -> Image:
    return np.stack(
        [cv2.GaussianBlur(np.ascontiguousarray(c), (0, 0), sigma) for c in np.moveaxis(image, -1, 0)], -1
    )


def _reduced(plane: Array, factor: int) -> tuple[Array, Array]:
    """Linear light of one channel, (h, w) float32, and (h, w) uint8 where it is clipped, by whole factors."""
    white = peak(plane)
    levels = np.linspace(0, 1, white + 1, dtype=np.float32)
    light = np.take(srgb_to_linear(levels), plane)
    cut = np.take(((levels <= LOW) | (levels >= HIGH)).astype(np.uint8), plane)
    if factor == 1:
        return light, cut
    height, width = (side // factor * factor for side in plane.shape)
    size = width // factor, height // factor
    light = cv2.resize(light[:height, :width], size, interpolation=cv2.INTER_AREA)
    cut = cv2.resize(255 * cut[:height, :width], size, interpolation=cv2.INTER_AREA)
    return light, (cut > 255 * CLIPPED_SHARE).astype(np.uint8)
