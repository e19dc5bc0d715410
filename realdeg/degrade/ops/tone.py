"""A tone curve: what a camera's processing leaves between the brightness of two photos."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from realdeg.degrade.ops.context import Drawing, Op, number, numbers, value_of
from realdeg.degrade.ops.distribution import Law, LawError


@dataclass(frozen=True, kw_only=True)
class Tone(Op):
    """Add to each channel what a curve says at its level: straight between the levels given, level beyond.

    `realdeg calibrate` writes it: the tone that gain and offset leave between the photos of pairs.
    """

    op: ClassVar[str] = "tone"

    levels: tuple[float, ...] = numbers((0, 255), "Rising, 8-bit levels.")
    red: tuple[float, ...] = numbers((0, 0), "What is added there, 8-bit levels.")
    green: tuple[float, ...] = numbers((0, 0), "Likewise.")
    blue: tuple[float, ...] = numbers((0, 0), "Likewise.")
    amount: Law = number(1, "Factor on what is added.")

    def check(self, scale: float) -> None:
        """Refuse lists of other lengths, levels that do not rise, and curves that fall."""
        super().check(scale)
        if len(self.levels) < 2 or any(b <= a for a, b in pairwise(self.levels)):
            raise LawError("levels: at least two are meant, each above the one before")
        for name in ("red", "green", "blue"):
            shifts = getattr(self, name)
            if len(shifts) != len(self.levels):
                raise LawError(f"{name}: {len(shifts)} numbers for {len(self.levels)} levels")
            made = [level + shift for level, shift in zip(self.levels, shifts, strict=True)]
            if any(b < a for a, b in pairwise(made)):
                raise LawError(f"{name}: the curve falls, so that brighter places become darker")

    def steps(self, d: Drawing, place: str) -> None:
        """One step "tone"."""
        amount = value_of(self.amount, d, d.values(place))
        shift = [[round(amount * one, 4) for one in shifts] for shifts in (self.red, self.green, self.blue)]
        d.add({"op": "tone", "levels": list(self.levels), "shift": shift}, encoded=True)
