"""Blur, and blur with subsampling: which kernels there are and what is drawn for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from realdeg.degrade.ops.context import (
    Drawing,
    Op,
    Step,
    missing_pool,
    name_of,
    names,
    names_if_given,
    number,
    value_of,
)
from realdeg.degrade.ops.distribution import Law, LawError, Names, Number
from realdeg.errors import UserError
from realdeg.imaging import kernels
from realdeg.imaging.blur import Placed, placed
from realdeg.imaging.border import BORDERS
from realdeg.pools.pools import KernelPool

SHAPES = ("gaussian", "generalised", "plateau")
KINDS = (
    *("isotropic", "anisotropic", "generalised_isotropic", "generalised_anisotropic"),
    *("plateau_isotropic", "plateau_anisotropic", "sinc", "motion", "defocus", "pool"),
)


@dataclass(frozen=True, kw_only=True)
class Blur(Op):
    """Blur by a kernel at the image's own size."""

    op: ClassVar[str] = "blur"

    kind: Names = names(KINDS, "isotropic", "Kernel; weights by name where there are several.")
    size: Law = number(
        {"odd": [7, 21]}, "Side of Gaussian, generalised, plateau and sinc kernels, px.", low=1
    )
    sigma: Law = number([0.2, 3], "Standard deviation along the kernel's first axis, px.", low=0.01)
    sigma_y: Law | None = number(
        None, "Along the second axis of anisotropic kernels; default as sigma.", low=0.01
    )
    angle: Law = number([-180, 180], "Of the first axis against x, degrees (also of motion).")
    beta: Law = number([1, 2], "Exponent of generalised and plateau kernels.", low=0.05)
    cutoff: Law = number(["pi / 3", "pi"], "Of sinc kernels, radians a pixel.", low=0.01, high=3.1416)
    length: Law = number([1, 15], "Of motion, px.", low=1)
    radius: Law = number([0.5, 5], "Of defocus, px.", low=0.05)
    border: Names | None = names_if_given(BORDERS, "Beyond the edge; default the recipe's.")

    def steps(self, d: Drawing, place: str) -> None:
        """One step "blur"."""
        d.add({"op": "blur", **self.drawn(d, place, 1)})

    def drawn(self, d: Drawing, place: str, scale: int) -> Step:
        """Numbers of the kernel, for an image that is subsampled by `scale` afterwards."""
        rng = d.values(place)
        kind = name_of(self.kind, rng)
        step: Step = {"kind": kind}
        if kind == "pool":
            step |= _of_pool(d, rng, scale)
        elif kind == "motion":
            step |= {"length": value_of(self.length, d, rng), "angle": value_of(self.angle, d, rng)}
        elif kind == "defocus":
            step |= {"radius": value_of(self.radius, d, rng)}
        else:
            step |= {"size": _odd(value_of(self.size, d, rng))}
            if kind == "sinc":
                step |= {"cutoff": value_of(self.cutoff, d, rng)}
            else:
                step |= {"sigma": value_of(self.sigma, d, rng)}
                if kind.endswith("anisotropic"):
                    step |= {"sigma_y": value_of(self.sigma_y or self.sigma, d, rng)}
                    step |= {"angle": value_of(self.angle, d, rng)}
                if not kind.startswith(("isotropic", "anisotropic")):
                    step |= {"beta": value_of(self.beta, d, rng)}
        step["border"] = name_of(self.border, rng) if self.border else d.border
        return step

    def check(self, scale: float) -> None:
        """As any operation; sides have to be odd."""
        super().check(scale)
        if isinstance(self.size, Number) and self.size.at(scale) % 2 != 1:
            raise LawError(f"size: {self.size.at(scale):g}, but an odd number of pixels is meant")

    def pools(self) -> set[str]:
        """The kernel pool, where one of its kinds is."""
        return {"kernel"} if "pool" in self.kind.names else set()


@dataclass(frozen=True, kw_only=True)
class Reduce(Blur):
    """Blur by a kernel and keep each s-th pixel: the camera model y = (x * k) subsampled.

    Whatever the kernel's size and the scale, LR pixel i sits at HR s i + (s - 1) / 2: formulas are
    sampled around that point, kernels of a pool are moved there by their centre of mass.
    """

    op: ClassVar[str] = "reduce"

    def steps(self, d: Drawing, place: str) -> None:
        """One step "reduce", to LR's size."""
        factor = d.size[0] // d.lr_size[0]
        if any(n != factor * m for n, m in zip(d.size, d.lr_size, strict=True)):
            size = f"{d.size[1]}x{d.size[0]} px are no multiple of LR's {d.lr_size[1]}x{d.lr_size[0]}"
            raise UserError(d.key, f"{place}: {size}", "put `reduce` before resizing by other factors")
        d.add({"op": "reduce", "factor": factor, **self.drawn(d, place, factor)})
        d.size = d.lr_size


def kernel_of(step: Step, pool: KernelPool | None, scale: int) -> Placed:
    """The kernel that a step names.

    Args:
        step: "blur" or "reduce".
        pool: where it was drawn from, if it was.
        scale: factor of the subsampling that follows; 1 for none.

    Raises:
        UserError: the pool lacks the kernel, or has another of its name.
    """
    kind, half = step["kind"], scale % 2 == 0
    if kind == "pool":
        if pool is None:
            raise UserError(step["kernel"], "kernel is not in the pool", "give the kernel pool")
        return pool.placed(pool.index_of(step["kernel"], step["kernel_sha"]), scale)
    angle = math.radians(step.get("angle", 0.0))
    if kind == "motion":
        made = kernels.motion(step["length"], angle, half=half)
    elif kind == "defocus":
        made = kernels.defocus(step["radius"], half=half)
    elif kind == "sinc":
        made = kernels.sinc(step["size"], step["cutoff"], half=half)
    else:
        axes = step["size"], step["sigma"], step.get("sigma_y"), angle
        if kind.startswith("generalised"):
            made = kernels.generalised_gaussian(*axes, beta=step["beta"], half=half)
        elif kind.startswith("plateau"):
            made = kernels.plateau(*axes, beta=step["beta"], half=half)
        else:
            made = kernels.gaussian(*axes, half=half)
    return placed(made, scale)


def _of_pool(d: Drawing, rng: np.random.Generator, scale: int) -> Step:
    if d.kernels is None:
        raise missing_pool("kernel", d)
    index = int(rng.random() * len(d.kernels.names))
    moved = d.kernels.placed(index, scale).moved
    return {
        "kernel": d.kernels.names[index],
        "kernel_sha": d.kernels.hash_of(index),
        "kernel_moved": [round(part, 4) for part in moved],
    }


def _odd(value: float) -> int:
    whole = int(value)
    return whole if whole % 2 else whole + 1
