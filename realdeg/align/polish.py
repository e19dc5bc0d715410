"""The dense polish: HR drawn at LR's sharpness on LR's grid; brightness and geometry in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.align.brightness import match_brightness
from realdeg.align.crop import Box, common_field
from realdeg.align.draw import draw, rounding
from realdeg.align.fit import Fit, fit
from realdeg.align.homography import Homography
from realdeg.align.lens import MODELS
from realdeg.align.psf import Psf, estimate
from realdeg.align.repetition import second_peak
from realdeg.align.tiles import Tiles, tile_shifts, tile_side, valid
from realdeg.align.warp import Warp
from realdeg.imaging.colour import linear_to_srgb, srgb_to_linear

Array = npt.NDArray[Any]

LR_BLUR = 0.45  # HR is blurred by this many LR px before it is drawn on LR's grid
FIELD_MARGIN = 6.0  # HR px to stay away from HR's border: reach of the interpolation
MIN_LEVEL_SIDE = 160  # smallest side of a reduced LR image, px
MAX_ROUNDS = 8
TONED = (0, 2)  # levels before which HR's colours are brought to LR's
HIGH_PASS = 8.0  # px; what varies more slowly is brightness and vignetting, not texture


@dataclass(frozen=True)
class Level:
    """One level of the polish.

    Attributes:
        blur: blur of both pictures beyond their own, LR px.
        parameters: of the plane's motion.
        models: lens models to choose from.
        tolerance: in units of the settings' tolerance.
    """

    blur: float
    parameters: int
    models: tuple[str, ...]
    tolerance: float


LEVELS = (
    Level(3.0, 4, ("homography",), 40),
    Level(1.5, 8, ("homography", "radial", "two radial"), 10),
    Level(0.0, 8, tuple(MODELS), 3),
    Level(0.0, 8, tuple(MODELS), 1),
)


@dataclass(frozen=True, eq=False)
class Polished:
    """Where the polish ended: the map, what the tiles still see, and LR's blur against HR.

    `likeness`: how well HR fits LR when moved by the worst distance, as a share of how well it fits now.
    """

    fit: Fit
    tiles: Tiles
    field: Box
    psf: Psf
    rounds: int
    likeness: float


def polish(
    lr: Array,
    grey_hr: Callable[[Warp, Box], Array],
    hr_size_hw: tuple[int, ...],
    warp: Warp,
    tolerance: float,
) -> Polished | Box | None:
    """Refine hr_from_lr on all textured pixels until no corner of the field moves by `tolerance` LR px.

    Args:
        lr: (h, w) uint8 luma of the LR photo.
        grey_hr: (H, W) uint8 luma of the HR photo with LR's colours, given the map so far and its field.
        hr_size_hw: H, W.
        warp: rough hr_from_lr, on the pixels of the LR photo.
        tolerance: LR px.

    Returns:
        The end, or the field that is too poor in texture, or None where there is no common field.
    """
    psf, rounds, end, field = Psf(LR_BLUR, LR_BLUR, 0.0), 0, None, None
    for number, level in enumerate(LEVELS):
        field = common_field(lr.shape, hr_size_hw, warp, FIELD_MARGIN)
        if field is None or min(field.width, field.height) < 24:
            return None
        if number in TONED:
            hr = grey_hr(warp, field)
        step = _reduction(level.blur, field)
        scene = Scene.of(lr, hr, warp, field, step, psf.sigma, level.blur)
        if number == len(LEVELS) - 1:
            psf = scene.psf(warp) or psf
            scene = Scene.of(lr, hr, warp, field, step, psf.sigma, level.blur)
            scene = scene.with_axes(psf, warp, field)
        for _ in range(MAX_ROUNDS):
            rounds += 1
            tiles = scene.tiles(warp)
            found = fit(
                tiles, warp, (field.x, field.y), parameters=level.parameters, models=level.models, step=step
            )
            if found is None:
                break
            move = np.abs(found.warp(field.corners) - warp(field.corners)).max() / scene.zoom
            warp, end = found.warp, (found, tiles)
            if move < tolerance * level.tolerance:
                break
    if end is None or found is None or field is None:
        return field
    return Polished(end[0], end[1], field, psf, rounds, scene.likeness(warp))


def look(lr: Array, hr: Array, warp: Warp, blur: float) -> Polished | Box | None:
    """What the tiles say of a map that is taken as it is: `Polished` as after a last round, map unchanged."""
    field = common_field(lr.shape, hr.shape, warp, FIELD_MARGIN)
    if field is None or min(field.width, field.height) < 24:
        return None
    scene = Scene.of(lr, hr, warp, field, 1, blur, 0.0)
    psf = scene.psf(warp) or Psf(blur, blur, 0.0)
    tiles = scene.tiles(warp)
    found = fit(tiles, warp, (field.x, field.y), models=tuple(MODELS))
    if found is None:
        return field
    return Polished(found, tiles, field, psf, 0, scene.likeness(warp))


@dataclass(frozen=True, eq=False)
class Scene:
    """LR's field and HR's light, both at one level's sharpness.

    Attributes:
        fixed: (h, w) float32, LR, reduced by `step`.
        light: (H, W) float32, linear light of HR, reduced by whole factors and blurred.
        light_from_hr: where HR's pixels lie in `light`.
        lr_from_grid: from `fixed`'s pixels to the LR photo's.
        zoom: HR px per LR px.
        sharp: (h, w) LR without the level's blur.
    """

    fixed: Array
    light: Array
    light_from_hr: Homography
    lr_from_grid: Homography
    zoom: float
    step: int
    base: float
    extra: float

    @classmethod
    def of(cls, lr: Array, hr: Array, warp: Warp, field: Box, step: int, blur: float, extra: float) -> Scene:
        """Prepare one level.

        Args:
            blur: of HR, LR px of the level's grid.
            extra: blur of both, LR px.
        """
        box = Box(field.x, field.y, field.width // step * step, field.height // step * step)
        fixed = lr[box.slices].astype(np.float32) / 255
        if step > 1:
            size = box.width // step, box.height // step
            fixed = cv2.resize(fixed, size, interpolation=cv2.INTER_AREA)
            blur = LR_BLUR
        extra = extra / step
        if extra:
            fixed = cv2.GaussianBlur(fixed, (0, 0), extra)
        zoom = warp.zoom_at(field.centre)
        light, light_from_hr = _light(hr, zoom * step, blur)
        lr_from_grid = Homography.translation(box.x, box.y) @ Homography.zoom(step)
        return cls(fixed, light, light_from_hr, lr_from_grid, zoom, step, blur, extra)

    def with_axes(self, psf: Psf, warp: Warp, field: Box) -> Scene:
        """The same with HR's blur brought from round to the two axes of `psf`."""
        return replace(
            self, light=_with_axes(self.light, psf, (self.light_from_hr @ warp).jacobian(field.centre))
        )

    def drawn(self, warp: Warp) -> Array:
        """(h, w) float32: HR as LR would see it under a map, encoded, at LR's brightness."""
        light = draw(self.light, self.light_from_hr @ warp @ self.lr_from_grid, self.fixed.shape)
        seen = linear_to_srgb(np.clip(light, 0, 1))
        if self.extra:
            seen = cv2.GaussianBlur(seen, (0, 0), self.extra)
        return match_brightness(seen, self.fixed, "linear")(seen)

    def tiles(self, warp: Warp) -> Tiles:
        """Displacements of the tiles under a map."""
        seen = self.drawn(warp)
        found = tile_shifts(_high_pass(self.fixed), _high_pass(seen), valid(self.fixed, seen))
        return found.moved(
            _mean_rounding(self.light_from_hr @ warp @ self.lr_from_grid, found, self.fixed.shape)
        )

    def likeness(self, warp: Warp) -> float:
        """Second best correlation of both pictures over all displacements, as a share of the best."""
        return second_peak(_high_pass(self.fixed), _high_pass(self.drawn(warp)))

    def psf(self, warp: Warp) -> Psf | None:
        """Blur between HR and LR, LR px; None where it cannot be told."""
        return estimate(self.fixed, self.drawn(warp), self.base)


def _reduction(blur: float, field: Box) -> int:
    """By how much LR is reduced at a level: blurred pictures need fewer pixels."""
    for step in (4, 2):
        if blur >= 0.75 * step and min(field.width, field.height) >= step * MIN_LEVEL_SIDE:
            return step
    return 1


def _light(hr: Array, zoom: float, blur: float) -> tuple[Array, Homography]:
    """Linear light of HR, blurred by `blur` grid px, at about two pixels a grid px, and light_from_hr.

    Light adds up on a sensor, encoded values do not.
    """
    table = srgb_to_linear(np.linspace(0, 1, 256, dtype=np.float32)).astype(np.float32)
    factor = max(1, int(zoom / 2))
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


def _high_pass(image: Array) -> Array:
    return image - cv2.GaussianBlur(image, (0, 0), HIGH_PASS)


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
