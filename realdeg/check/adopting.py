"""Pairs that are taken in, looked at: what `adopt` writes down, refuses and mends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from realdeg.arraytypes import Array
from realdeg.check import geometry, grid
from realdeg.check.moved import drawable, moved
from realdeg.check.pair import examine
from realdeg.check.settings import AdoptSettings
from realdeg.dataset.adopt import Seen
from realdeg.errors import UserError
from realdeg.io.find import Match
from realdeg.io.photo import read
from realdeg.refusal import Refusal

ENOUGH = 48  # pairs, spread over the set, that say where it lies
COLUMNS = (
    *("residual_lr_px", "residual_noise_lr_px", "residual_median_lr_px", "residual_3x3_lr_px"),
    *("shift_x_lr_px", "shift_y_lr_px", "shift_sd_lr_px", "slope_x_lr_px", "slope_y_lr_px", "grid"),
    *("beside", "softness", "zncc", "colour_rms", "hr_block_levels", "detail", "detail_soft", "enlarged"),
)
"""Of what is looked at in a pair, what the manifest of a dataset has."""
UNSEEN = "too little texture in the set to tell where HR lies"


@dataclass(frozen=True)
class Mending:
    """By how much HR is moved, the same for all pairs, and why.

    Attributes:
        by: (x, y) HR px; (0, 0): not at all.
        reason: in words.
    """

    by: tuple[float, float]
    reason: str


@dataclass(frozen=True)
class Looking:
    """Looks at pairs that are taken in (`realdeg.dataset.adopt.Look`).

    Attributes:
        limits: what is refused.
        mending: of the set.
    """

    limits: AdoptSettings
    mending: Mending | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its outcome depends on."""
        told: dict[str, Any] = {"look": True, "max_error": self.limits.max_error}
        if self.mending and any(self.mending.by):
            told["regrid"] = list(self.mending.by)
        return told

    def __call__(self, lr: Array, hr: Array, scale: int) -> Seen:
        """Look at one pair, after HR was moved where that was decided."""
        by = self.mending.by if self.mending else (0.0, 0.0)
        more: dict[str, Any] = {}
        if any(by):
            (left, width), (top, height) = (
                _whole(one, side, scale) for one, side in zip(by, lr.shape[1::-1], strict=True)
            )
            drawn = moved(hr, by)
            lr = lr[top : top + height, left : left + width]
            hr = drawn[scale * top : scale * (top + height), scale * left : scale * (left + width)]
            more = {"regrid_hr_px": list(by), "lr_crop": [left, top, width, height]}
        figures = examine(lr, hr, scale).figures
        detail = {name: figures[name] for name in COLUMNS if name in figures} | more
        error = float(figures.get("residual_sure_px") or 0)
        refused = None
        if error > self.limits.max_error:
            x, y = (scale * float(figures[f"shift_{axis}_lr_px"]) for axis in "xy")
            refused = Refusal(
                f"HR lies beside LR: residual {float(figures['residual_lr_px']):.2f} LR px, shift "
                f"({x:+.2f}, {y:+.2f}) HR px",
                "register the photos with `realdeg align`, or raise `max_error`",
            )
        return Seen(detail, refused, *((lr, hr) if more else (None, None)))


def _whole(by: float, side: int, scale: int) -> tuple[int, int]:
    """First LR px and number of those whose content HR still shows when moved by so many HR px."""
    lost = ceil(abs(by) / scale)
    return (lost if by < 0 else 0), side - lost


def looking(matches: Sequence[Match], scale: int, limits: AdoptSettings) -> Looking | None:
    """What looks at the pairs of a set; with `regrid`, what the set as a whole asks for is decided first.

    Args:
        matches: all pairs.
        scale: HR size / LR size.
        limits: what is asked.
    """
    if not limits.look:
        return None
    return Looking(limits, decide(matches, scale) if limits.regrid else None)


def decide(matches: Sequence[Match], scale: int) -> Mending:
    """By how much the HR images of a set have to be moved: by its evidence as a whole, never by a pair's.

    Args:
        matches: all pairs; at most 48 of them, spread over all, are measured.
        scale: HR size / LR size.

    Returns:
        The shift of the convention that the set was made on, where it agrees with one; else the shift that
        is common to the set, where it is beyond noise; else (0, 0).
    """
    count = min(ENOUGH, len(matches))
    found = []
    for match in (matches[i * len(matches) // count] for i in range(count)):
        try:
            lr, hr = read(match.lr), read(match.hr)
        except UserError:
            continue  # the job will say so
        (h, w), size = lr.size_hw, hr.size_hw
        one = geometry.look(lr.pixels, hr.pixels, scale) if size == (scale * h, scale * w) else None
        found += [one] if one else []
    placed = grid.of_set(*grid.rows(found), scale) if found else None
    if placed is None:
        return Mending((0.0, 0.0), f"{UNSEEN}: HR stays where it is")
    x, y = (scale * one for one in placed.shift)
    told = f"({x:+.2f}, {y:+.2f}) HR px, +- {scale * placed.sd:.2f}, on {placed.pairs} pairs"
    if not placed.beyond:
        return Mending((0.0, 0.0), f"the set lies where it should, by {told}: HR stays where it is")
    if placed.grid == "align_corners":
        return Mending((0.0, 0.0), f"{grid.in_words(placed, scale)}: a shift does not mend it")
    named = [one for one in grid.grids(scale) if one.name == placed.grid]
    shift = [named[0].shift * scale] * 2 if named else [x, y]
    by = drawable(shift)
    why = f"the {placed.grid} grid" if named else "no grid in use"
    return Mending(
        (float(by[0]), float(by[1])), f"the set lies beside LR by {told}, as on {why}: HR is moved"
    )
