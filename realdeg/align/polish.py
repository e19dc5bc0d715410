"""The dense polish: HR drawn at LR's sharpness on LR's grid; brightness and geometry in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realdeg.align.asymmetry import asymmetry
from realdeg.align.crop import Box, common_field
from realdeg.align.fit import Fit, fit
from realdeg.align.lens import MODELS
from realdeg.align.planes import dominant, two_motions
from realdeg.align.psf import Psf
from realdeg.align.scene import LR_BLUR, LumaImage, Scene
from realdeg.align.tiles import Tiles
from realdeg.align.warp import Warp

FIELD_MARGIN = 6.0  # HR px to stay away from HR's border: reach of the interpolation
MIN_LEVEL_SIDE = 160  # smallest side of a reduced LR image, px
MAX_ROUNDS = 8
DOMINANT_ROUNDS = 3
TONED = (0, 2)  # levels before which HR's colours are brought to LR's


@dataclass(frozen=True)
class Level:
    """One level of the polish.

    Attributes:
        blur: blur of both pictures beyond their own, LR px.
        parameters: of the plane's motion.
        models: lens models to choose from.
        tolerance: in units of the settings' tolerance.
        cells: exactness of the field, in shares of the photo's side.
    """

    blur: float
    parameters: int
    models: tuple[str, ...]
    tolerance: float
    cells: int


LEVELS = (
    Level(3.0, 4, ("homography",), 40, 64),
    Level(1.5, 8, ("homography", "radial", "two radial"), 10, 64),
    Level(0.0, 8, tuple(MODELS), 3, 256),
    Level(0.0, 8, tuple(MODELS), 1, 256),
)


@dataclass(frozen=True, eq=False)
class Refinement:
    """Where the polish ended: the map, what the tiles still see, and LR's blur against HR.

    `second_peak_ratio`: how well HR fits LR when moved by the worst distance, over how well it fits now.
    `other`: (T,) tiles of a second motion, that of another depth.
    """

    fit: Fit
    tiles: Tiles
    field: Box
    psf: Psf
    rounds: int
    second_peak_ratio: float
    other: npt.NDArray[np.bool_]


def refine(
    lr: LumaImage,
    hr_like_lr: Callable[[Warp, Box], LumaImage],
    hr_size_hw: tuple[int, ...],
    warp: Warp,
    tolerance: float,
) -> Refinement | Box | None:
    """Refine hr_from_lr on all textured pixels until no corner of the field moves by `tolerance` LR px.

    Args:
        lr: the LR photo.
        hr_like_lr: the HR photo with LR's colours, given the map so far and its field.
        hr_size_hw: H, W.
        warp: rough hr_from_lr, on the pixels of the LR photo.
        tolerance: LR px.

    Returns:
        The end, or the field that is too poor in texture, or None where there is no common field.
    """
    psf, rounds, end, field = Psf(LR_BLUR, LR_BLUR, 0.0), 0, None, None
    for number, level in enumerate(LEVELS):
        field = common_field(lr.luma.shape, hr_size_hw, warp, FIELD_MARGIN, level.cells)
        if field is None or min(field.width, field.height) < 24:
            return None
        if number in TONED:
            hr = hr_like_lr(warp, field)
        step = _reduction(level.blur, field)
        scene = Scene.of(lr, hr, warp, field, step=step, blur=psf.sigma, extra=level.blur)
        if number == len(LEVELS) - 1:
            psf = scene.psf(warp) or psf
            scene = Scene.of(lr, hr, warp, field, step=step, blur=psf.sigma, extra=level.blur)
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
            measured_at, warp, end = warp, found.warp, (found, tiles)
            if move < tolerance * level.tolerance:
                break
    if end is None or found is None or field is None:
        return field
    tiles, corner = end[1], (field.x, field.y)
    other = np.zeros(len(tiles.shift), bool)
    if split := two_motions(tiles, measured_at, corner, end[0]):
        found, other = split.fit, split.other
        for _ in range(DOMINANT_ROUNDS):
            measured_at = found.warp
            tiles = scene.tiles(measured_at)
            found = dominant(split, tiles, measured_at, corner)
            rounds += 1
    found = found.with_asymmetry(asymmetry(scene, measured_at, tiles))
    return Refinement(found, tiles, field, psf, rounds, scene.second_peak_ratio(found.warp), other)


def evaluate_map(lr: LumaImage, hr: LumaImage, warp: Warp, blur: float) -> Refinement | Box | None:
    """What the tiles say of a map taken as it is: `Refinement` as after a last round, map unchanged."""
    field = common_field(lr.luma.shape, hr.luma.shape, warp, FIELD_MARGIN)
    if field is None or min(field.width, field.height) < 24:
        return None
    scene = Scene.of(lr, hr, warp, field, blur=blur)
    psf = scene.psf(warp) or Psf(blur, blur, 0.0)
    tiles = scene.tiles(warp)
    found = fit(tiles, warp, (field.x, field.y), models=tuple(MODELS))
    if found is None:
        return field
    none = np.zeros(len(tiles.shift), bool)
    return Refinement(found, tiles, field, psf, 0, scene.second_peak_ratio(warp), none)


def _reduction(blur: float, field: Box) -> int:
    """By how much LR is reduced at a level: blurred pictures need fewer pixels."""
    for step in (4, 2):
        if blur >= 0.75 * step and min(field.width, field.height) >= step * MIN_LEVEL_SIDE:
            return step
    return 1
