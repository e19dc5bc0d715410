"""Both photos at one sharpness on one grid: LR as it is, HR as LR would see it under a map."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import cv2
import numpy as np

from realdeg.align.crop import Box
from realdeg.align.draw import draw, draw_nearest, rounding
from realdeg.align.homography import Homography
from realdeg.align.psf import Psf, estimate
from realdeg.align.repetition import high_pass, second_peak
from realdeg.align.tiles import Tiles, tile_shifts, tile_side
from realdeg.align.tone import Tone
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear
from realdeg.imaging.depth import to_8bit

LR_BLUR = 0.45  # HR is blurred by this many LR px before it is drawn on LR's grid
CLIPPED = (2, 252)  # 8-bit levels beyond which the brightest channel says nothing of the light
CLIPPED_REACH = 2  # px around clipped ones that do not count either: clipping moves edges


@dataclass(frozen=True, eq=False)
class LumaImage:
    """What registration looks at of a photo.

    Attributes:
        luma: (h, w) uint8.
        clipped: (h, w) uint8, 1 where a channel is at its upper end, or all are at their lower one.
    """

    luma: Array
    clipped: Array

    @classmethod
    def of(cls, image: Array, tone: Tone | None = None) -> LumaImage:
        """Luma of an (h, w, 3) uint8 or uint16 photo, after a tone; what is clipped, before it."""
        eight = to_8bit(image)
        clipped = _clipped(functools.reduce(cv2.max, cv2.split(eight)))
        if tone is not None:
            levels = tone(np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[:, None, None], 3, axis=2))
            eight = cv2.LUT(eight, np.rint(255 * levels).astype(np.uint8))
        return cls(cv2.cvtColor(eight, cv2.COLOR_RGB2GRAY), clipped)

    @classmethod
    def of_channel(cls, plane: Array) -> LumaImage:
        """One (h, w) uint8 or uint16 channel in place of the luma."""
        eight = to_8bit(np.ascontiguousarray(plane))
        return cls(eight, _clipped(eight))


@dataclass(frozen=True, eq=False)
class Scene:
    """LR's field and HR's light, both at one level's sharpness.

    Attributes:
        fixed: (h, w) float32, LR, reduced by `step`.
        light: (H, W) float32, linear light of HR, reduced by whole factors and blurred.
        counts: (h, w) float32, 0 at and around pixels that are clipped in one of the photos.
        light_from_hr: where HR's pixels lie in `light`.
        lr_from_grid: from `fixed`'s pixels to the LR photo's.
        zoom: HR px per LR px.
        step: LR px per grid px.
        base, extra: blur of HR to begin with, and of both, grid px.
    """

    fixed: Array
    light: Array
    counts: Array
    light_from_hr: Homography
    lr_from_grid: Homography
    zoom: float
    step: int
    base: float
    extra: float

    @classmethod
    def of(
        cls,
        lr: LumaImage,
        hr: LumaImage,
        warp: Warp,
        field: Box,
        *,
        step: int = 1,
        blur: float,
        extra: float = 0.0,
    ) -> Scene:
        """Prepare one level.

        Args:
            lr, hr: the photos.
            warp: hr_from_lr, for its zoom.
            field: LR box to compare.
            step: LR px per grid px.
            blur: of HR, LR px; where LR is reduced, its own blur does not matter.
            extra: blur of both, LR px.
        """
        box = Box(field.x, field.y, field.width // step * step, field.height // step * step)
        fixed = lr.luma[box.slices].astype(np.float32) / 255
        blind = lr.clipped[box.slices]
        if step > 1:
            size = box.width // step, box.height // step
            fixed = cv2.resize(fixed, size, interpolation=cv2.INTER_AREA)
            blind = _reduced_mask(blind, step)
            blur = LR_BLUR
        extra = extra / step
        if extra:
            fixed = cv2.GaussianBlur(fixed, (0, 0), extra)
        zoom = warp.zoom_at(field.centre)
        light, light_from_hr = _light(hr.luma, zoom * step, blur)
        lr_from_grid = Homography.translation(box.x, box.y) @ Homography.zoom(step)
        blind_hr = _reduced_mask(hr.clipped, factor_of(zoom * step))
        blind = blind | draw_nearest(blind_hr, light_from_hr @ warp @ lr_from_grid, fixed.shape)
        spread = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * CLIPPED_REACH + 1,) * 2)
        counts = (1 - cv2.dilate(blind, spread)).astype(np.float32)
        return cls(fixed, light, counts, light_from_hr, lr_from_grid, zoom, step, blur, extra)

    def with_axes(self, psf: Psf, warp: Warp, field: Box) -> Scene:
        """The same with HR's blur brought from round to the two axes of `psf`."""
        return replace(
            self, light=_with_axes(self.light, psf, (self.light_from_hr @ warp).jacobian(field.centre))
        )

    def drawn(self, warp: Warp) -> Array:
        """(h, w) float32: HR as LR would see it under a map, encoded; each tile has its own brightness."""
        light = draw(self.light, self.light_from_hr @ warp @ self.lr_from_grid, self.fixed.shape)
        seen = linear_to_srgb(np.clip(light, 0, 1))
        return cv2.GaussianBlur(seen, (0, 0), self.extra) if self.extra else seen

    def tiles(self, warp: Warp) -> Tiles:
        """Displacements of the tiles under a map."""
        light_from_grid = self.light_from_hr @ warp @ self.lr_from_grid
        found = tile_shifts(*self._details(warp), self.counts)
        return found.moved(_mean_rounding(light_from_grid, found, self.fixed.shape))

    def _details(self, warp: Warp) -> tuple[Array, Array]:
        """Both pictures without what varies slowly."""
        return self._detail, high_pass(self.drawn(warp), self.base)

    @functools.cached_property
    def _detail(self) -> Array:
        return high_pass(self.fixed, self.base)

    def second_peak_ratio(self, warp: Warp) -> float:
        """Second best correlation of both pictures over all displacements, as a share of the best."""
        return second_peak(*self._details(warp))

    def psf(self, warp: Warp) -> Psf | None:
        """Blur between HR and LR, LR px; None where it cannot be told."""
        return estimate(self.fixed, self.drawn(warp), self.base)


def factor_of(zoom: float) -> int:
    """By how much HR can be reduced for a grid of `zoom` HR px: two pixels a grid px are left."""
    return max(1, int(zoom / 2))


def _reduced_mask(mask: Array, factor: int) -> Array:
    """1 where any pixel of a block is."""
    if factor == 1:
        return mask
    rows, columns = mask.shape[0] // factor, mask.shape[1] // factor
    cut = 255 * mask[: rows * factor, : columns * factor]
    # Means are rounded to whole levels: one pixel of a block of 16 x 16 still shows.
    return (cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)


def _clipped(plane: Array) -> Array:
    """(h, w) uint8, 1 where a plane of 8 bits is at one of its ends."""
    low, high = CLIPPED
    level = np.arange(256)
    return cv2.LUT(plane, ((level < low) | (level >= high)).astype(np.uint8))


def _light(hr: Array, zoom: float, blur: float) -> tuple[Array, Homography]:
    """Linear light of HR, blurred by `blur` grid px, at about two pixels a grid px, and light_from_hr.

    Light adds up on a sensor, encoded values do not.
    """
    table = srgb_to_linear(np.linspace(0, 1, 256, dtype=np.float32)).astype(np.float32)
    factor = factor_of(zoom)
    height, width = (side // factor * factor for side in hr.shape)
    light = cv2.LUT(hr[:height, :width], table)
    if factor > 1:
        light = cv2.resize(light, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    variance = (zoom * max(blur, 0.05)) ** 2 - (factor**2 - 1) / 12  # the means have blurred already
    sigma = np.sqrt(max(variance, 0.0)) / factor
    if sigma > 0.1:
        light = cv2.GaussianBlur(light, (0, 0), sigma)
    return light, Homography.zoom(factor).inverse()


def _mean_rounding(light_from_grid: Warp, tiles: Tiles, size_hw: tuple[int, ...]) -> Array:
    """(T, 2) mean over each tile of the rounding of positions in `draw`, grid px."""
    side = tile_side(size_hw)
    some = np.linspace(-0.5, 0.5, 8, endpoint=False) + 1 / 16
    offsets = np.stack(np.meshgrid(some, some), axis=-1).reshape(-1, 2) * side
    points = np.rint(tiles.centre[:, None] + offsets[None])
    return rounding(light_from_grid, points).mean(1)


def _with_axes(light: Array, psf: Psf, jacobian: Array) -> Array:
    """A picture blurred by a round Gaussian, as if by one of the same mean variance with two axes.

    The difference of the variances is small against what the blur has taken away already, so that second
    differences, which have just these moments, do.
    """
    angle = np.radians(psf.angle)
    along = np.array([np.cos(angle), np.sin(angle)])
    excess = (psf.major**2 - psf.minor**2) / 2 * (2 * np.outer(along, along) - np.eye(2))
    moved = jacobian @ excess @ jacobian.T
    (xx, xy), (_, yy) = moved
    kernel = np.array(
        [[xy / 4, yy / 2, -xy / 4], [xx / 2, 1 - xx - yy, xx / 2], [-xy / 4, yy / 2, xy / 4]], np.float32
    )
    return cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT)
