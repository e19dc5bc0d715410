"""Lateral colour: red and blue lie elsewhere than green, by a little more towards the corners.

Lenses magnify each colour differently. Luma is registered, mostly green; what is left of each channel is
a shift and a radial field, fitted to that channel's own tiles. HR's channels are then drawn each through
its own map, still in the one resampling; LR stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from realdeg.align import jackknife
from realdeg.align.crop import Box
from realdeg.align.lens import Lens
from realdeg.align.repetition import high_pass
from realdeg.align.robust import solve
from realdeg.align.scene import LumaImage, Scene
from realdeg.align.settings import LateralColour
from realdeg.align.tiles import Tiles, tile_shifts
from realdeg.align.warp import Warp
from realdeg.arraytypes import Array, Image

TERMS = ("shift_x", "shift_y", "grow", "radial_lr", "radial_hr")
PRIOR_SD = {"shift_x": 0.1, "shift_y": 0.1, "grow": 0.0008, "radial_lr": 0.0008, "radial_hr": 0.0004}
"""Expected size: of shifts in LR px, of the others in half diagonals of the LR photo at its corner. Lenses of
interchangeable cameras have up to 0.1 % (Kang, CVPR 2007; lens tests), and phones correct theirs."""

MAX_PIXELS = 250_000  # of the grid on which channels are compared; five terms need no more
BLUR = 3.0  # LR px, of both photos: JPEG and demosaicing leave fine detail of red and blue where green has it
MISSED = 0.25  # of a displacement, what may be hidden all the same
FLOOR_PX = 0.01
INFLATION = 1.15
MIN_REDUCED = 400  # smallest side of a field that is reduced, LR px
MIN_TILES = 24
LUMA = (0.299, 0.587, 0.114)
ONE_STEP_PX = 0.05
PRIOR_ODDS = -3.0  # log: most photos that are registered show none
WORTH_PX = 0.01  # what is smaller at the field's worst place is left as it is


@dataclass(frozen=True, eq=False)
class Channel:
    """Where one channel of HR lies against the common map.

    The average over two cases, with it and without it, weighted by their odds.

    Attributes:
        terms: displacement of LR points, in terms of `Lens`.
        covariance: (5, 5) of the terms, in the order of `TERMS`.
    """

    terms: dict[str, float]
    covariance: Array


@dataclass(frozen=True, eq=False)
class Lateral:
    """What is known of lateral colour in a pair of photos.

    Attributes:
        lens: of the common map, for its centre and radius.
        channels: red, green, blue; None: too little texture in one of them to tell.
        own: (2,) how far LR's own red and blue lie outside of its green at the field's corners, LR px;
            NaN: not known.
        applied: (3,) terms by which HR's channels are drawn; empty where they are drawn together.
    """

    lens: Lens
    channels: tuple[Channel, ...] | None
    own: Array
    applied: tuple[dict[str, float], ...]

    @classmethod
    def unknown(cls, lens: Lens) -> Lateral:
        """Nothing was measured."""
        return cls(lens, None, np.full(2, np.nan), ())

    def maps(self, warp: Warp) -> tuple[Warp, ...]:
        """hr_from_lr of each channel; one, where they lie together."""
        return tuple(_with(warp, terms) for terms in self.applied) or (warp,)

    def basis(self, points: Array) -> Array:
        """(N, 2, 5) displacement by a unit of each term."""
        return self.lens.basis(points, TERMS)

    def largest(self, field: Box) -> float:
        """Largest distance between where two channels of HR lie, over the field's corners, LR px."""
        if self.channels is None:
            return float("nan")
        moved = [self._displacement(c.terms, field.corners) for c in self.channels]
        return max(float(np.hypot(*(a - b).T).max()) for a in moved for b in moved)

    def left(self, number: int, points: Array) -> Array:
        """(N, 2) how far a channel is known to be off where it was not drawn through its own map, LR px."""
        if self.channels is None:
            return np.zeros_like(points)
        applied = self.applied[number] if self.applied else {}
        return self._displacement(self.channels[number].terms, points) - self._displacement(applied, points)

    def _displacement(self, terms: dict[str, float], points: Array) -> Array:
        return self.lens.with_terms(terms).displacement(points)


def lateral_colour(lr: Image, hr: Image, warp: Warp, field: Box, blur: float, mode: LateralColour) -> Lateral:
    """Measure lateral colour and decide how HR's channels are drawn.

    Args:
        lr, hr: (h, w, 3) uint8 or uint16.
        warp: hr_from_lr of the luma.
        field: LR box.
        blur: between HR and LR, LR px.
        mode: "match" draws each channel of HR where LR has it, "remove" draws all of them where LR has green,
            "keep" draws HR's channels together.
    """
    least = 2 if min(field.width, field.height) >= MIN_REDUCED else 1
    step = max(least, round(np.sqrt(field.width * field.height / MAX_PIXELS)))
    scenes = []
    for c in range(3):
        here, there = (LumaImage.of_channel(image[..., c]) for image in (lr, hr))
        scenes.append(Scene.of(here, there, warp, field, step=step, blur=blur, extra=BLUR))
    red, green, blue = scenes
    against = [_against(scene, green, warp) for scene in (red, blue)]
    if against[0] is None or against[1] is None:
        return Lateral.unknown(warp.lens)
    own = [_own(scene, green, warp.lens) for scene in (red, blue)]
    lateral = Lateral(
        warp.lens,
        _around_luma(against[0], against[1]),
        np.array([_outwards(one, warp.lens, field) if one else np.nan for one in own]),
        (),
    )
    if mode == "keep" or lateral.largest(field) < WORTH_PX:
        return lateral
    applied = [one.terms for one in lateral.channels or ()]
    if mode == "remove":
        # What LR has at p + own(p) belongs to p: there HR's channel is looked for.
        for c, one in ((0, own[0]), (2, own[1])):
            if one is not None:
                applied[c] = {name: applied[c][name] + one.terms[name] for name in TERMS}
    return replace(lateral, applied=tuple(applied))


def _with(warp: Warp, terms: dict[str, float]) -> Warp:
    lens = warp.lens
    total = {name: lens.terms.get(name, 0.0) + terms.get(name, 0.0) for name in {**lens.terms, **terms}}
    return replace(warp, lens=lens.with_terms(total))


def _against(scene: Scene, green: Scene, warp: Warp) -> Channel | None:
    """Where HR's channel lies against LR's, less the same of green: what both share cancels."""
    there = green.tiles(warp)
    found = _fitted(_difference(scene.tiles(warp), there), scene, warp.lens)
    if found is None or np.abs(_moved(found, scene, warp.lens)).max() < ONE_STEP_PX:
        return found
    # A step of Gauss-Newton is short of large displacements: look again from there.
    again = scene.tiles(_with(warp, found.terms))
    rest = _moved(found, scene, warp.lens, again.centre)
    return _fitted(_difference(again.moved(rest / scene.step), there), scene, warp.lens)


def _difference(one: Tiles, other: Tiles) -> Tiles:
    both = one.usable & other.usable
    information = np.zeros_like(one.information)
    information[both] = np.linalg.inv(
        np.linalg.inv(one.information[both]) + np.linalg.inv(other.information[both])
    )
    return replace(one, shift=one.shift - other.shift, information=information)


def _around_luma(red: Channel, blue: Channel) -> tuple[Channel, Channel, Channel]:
    """Red, green and blue against the luma, which lies between them, from red and blue against green."""
    shares = {"red": LUMA[0], "blue": LUMA[2]}
    green = {name: -shares["red"] * red.terms[name] - shares["blue"] * blue.terms[name] for name in TERMS}

    def made(of_red: float, of_blue: float, weight: tuple[float, float]) -> Channel:
        terms = {n: of_red * red.terms[n] + of_blue * blue.terms[n] + green[n] for n in TERMS}
        return Channel(terms, weight[0] ** 2 * red.covariance + weight[1] ** 2 * blue.covariance)

    r, b = shares["red"], shares["blue"]
    return made(1, 0, (1 - r, b)), made(0, 0, (r, b)), made(0, 1, (r, 1 - b))


def _own(scene: Scene, green: Scene, lens: Lens) -> Channel | None:
    """Where the channel lies in LR itself, against LR's green."""
    fixed, moving = (high_pass(one.fixed, one.base) for one in (green, scene))
    return _fitted(tile_shifts(fixed, moving, scene.counts * green.counts), scene, lens)


def _outwards(channel: Channel, lens: Lens, field: Box) -> float:
    """Mean over the field's corners of the displacement away from the lens's centre, LR px."""
    away = field.corners - np.array(lens.centre)
    moved = lens.with_terms(channel.terms).displacement(field.corners)
    return float(((moved * away).sum(1) / np.maximum(np.hypot(*away.T), 1e-9)).mean())


def _moved(channel: Channel, scene: Scene, lens: Lens, centre: Array | None = None) -> Array:
    """(N, 2) displacement at places of the scene's grid, its corners if none are named, LR px."""
    height, width = scene.fixed.shape
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)
    points = scene.lr_from_grid(corners if centre is None else centre)
    return lens.with_terms(channel.terms).displacement(points)


def _fitted(tiles: Tiles, scene: Scene, lens: Lens) -> Channel | None:
    use = tiles.usable
    if use.sum() < MIN_TILES:
        return None
    points = scene.lr_from_grid(tiles.centre[use])
    covariance = scene.step**2 * (np.linalg.inv(tiles.information[use]) + FLOOR_PX**2 * np.eye(2))
    information = np.linalg.inv(covariance)
    shift = scene.step * tiles.shift[use]
    basis = lens.basis(points, TERMS)
    sizes = {"shift_x": 1.0, "shift_y": 1.0, "radial_hr": lens.radius_hr}
    sd = np.array([PRIOR_SD[name] * sizes.get(name, lens.radius) for name in TERMS])
    found = solve(basis, shift, information, np.diag(sd**-2.0))
    still = solve(basis[..., :0], shift, information, np.zeros((0, 0)))
    factor = found.variance_factor
    odds = PRIOR_ODDS + found.evidence(factor, len(TERMS)) - still.evidence(factor, 0)
    share = float(expit(odds))
    blocks = jackknife.blocks_of(tiles.grid_hw, np.flatnonzero(use))
    known = INFLATION**2 * found.covariance(blocks)
    both = np.outer(found.solution, found.solution)
    return Channel(
        dict(zip(TERMS, (share * found.solution).tolist(), strict=True)),
        share * known + (share * (1 - share) + share**2 * MISSED**2) * both,
    )
