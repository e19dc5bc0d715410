"""Resizing: to LR, by a factor, or to a multiple of LR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from realdeg.degrade.ops.context import (
    Drawing,
    Op,
    Step,
    flag,
    name_of,
    names,
    names_if_given,
    number,
    value_of,
)
from realdeg.degrade.ops.distribution import Law, LawError, Names
from realdeg.imaging.border import BORDERS
from realdeg.imaging.resample import METHODS, displacement


@dataclass(frozen=True, kw_only=True)
class Resize(Op):
    """Resize; both ends of each axis stay where they are, so nothing is displaced but by "nearest".

    Without `factor` and `of_lr` the result has LR's size.
    """

    op: ClassVar[str] = "resize"

    method: Names = names(METHODS, "matlab_bicubic", "How pixels are weighted.")
    factor: Law | None = number(None, "New size / size so far.", low=0.01, high=16)
    of_lr: Law | None = number(None, "New size / LR's size.", low=0.01, high=16)
    antialias: bool = flag(True, "Wider kernels when reducing (MATLAB, Pillow); false: as OpenCV and torch.")
    integers: bool = flag(False, "matlab_bicubic on whole numbers, rounded after each axis, as MATLAB does.")
    rescale: bool = flag(False, "Afterwards s in expressions is the scale that is left.")
    clip: bool = flag(False, "Clip to [0, 1] afterwards.")
    border: Names | None = names_if_given(BORDERS, "Beyond the edge; default the recipe's.")

    def steps(self, d: Drawing, place: str) -> None:
        """One step "resize", left out where the size is right already."""
        rng = d.structure(place)
        method = name_of(self.method, rng)
        base, law = (d.lr_size, self.of_lr) if self.of_lr else (d.size, self.factor)
        size = d.lr_size
        if law is not None:
            factor = value_of(law, d, rng)
            size = max(1, int(base[0] * factor + 1e-6)), max(1, int(base[1] * factor + 1e-6))
            if self.rescale:
                d.s *= factor
        border = name_of(self.border, rng) if self.border else d.border
        if size != d.size:
            step: Step = {"op": "resize", "method": method, "size": list(size), "border": border}
            if method in ("bilinear", "bicubic", "lanczos") and not self.antialias:
                step["antialias"] = False
            if self.integers:
                step["integers"] = True
            moved = [displacement(n, m, method) for n, m in zip(d.size, size, strict=True)]  # type: ignore[arg-type]
            if any(abs(part) > 1e-9 for part in moved):
                step["displaced"] = [round(part, 4) for part in reversed(moved)]
            d.add(step)
            d.size = size
        if self.clip:
            d.add({"op": "clip"})

    def check(self, scale: float) -> None:
        """As any operation; also refuses two sizes at once."""
        super().check(scale)
        if self.factor is not None and self.of_lr is not None:
            raise LawError("factor: of_lr is given too; one of them is meant")
        if self.integers and self.method.names != ("matlab_bicubic",):
            raise LawError("integers: only matlab_bicubic is defined on whole numbers")
