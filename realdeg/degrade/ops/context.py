"""Drawing a plan: what an operation of a recipe is, and what it may look at while it draws.

Drawing is apart from applying. Operations append steps (`realdeg.degrade.ops.step`) with every number; these
are the provenance of an image, and all that applying needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from realdeg.degrade.ops.distribution import (
    Distribution,
    Names,
    RecipeError,
    draw,
    parse,
    parse_names,
    support,
)
from realdeg.degrade.ops.light import Light
from realdeg.degrade.ops.step import Size, Step
from realdeg.errors import UserError
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool
from realdeg.seeds import seed_of, stream


@dataclass
class DrawContext:
    """A plan being drawn for one image.

    Attributes:
        seed: of the run.
        key: of the image. Every operation has streams of its own, named by (seed, key, its place).
        group: images that share a group share what decides on sizes and order, so that they fit into one
            batch; "" = the image is alone.
        scale: HR size / LR size.
        size: of the image so far, (H, W).
        lr_size: of LR.
        kernels, noises: the pools, where there are any.
        border: of the recipe.
        linear: whether blur, resizing and noise act on linear light.
        grey: HR has no colours, so noise must not bring any.
        steps: the plan so far.
        s: scale that is left, for expressions.
    """

    seed: int
    key: str
    group: str
    scale: int
    size: Size
    lr_size: Size
    kernels: KernelPool | None = None
    noises: NoisePool | None = None
    border: str = "symmetric"
    linear: bool = False
    grey: bool = False
    steps: list[Step] = field(default_factory=list)
    s: float = 0.0
    in_linear: bool = False

    def structure(self, place: str) -> np.random.Generator:
        """Stream of what decides on order, branches and sizes."""
        return stream(self.seed, self.group or self.key, f"{place}:structure")

    def values(self, place: str) -> np.random.Generator:
        """Stream of everything else."""
        return stream(self.seed, self.key, f"{place}:values")

    def field_key(self, place: str) -> str:
        """Philox key of a noise field, hexadecimal."""
        return f"{seed_of(self.seed, self.key, f'{place}:field'):032x}"

    def add(self, step: Step, *, encoded: bool = False) -> None:
        """Append a step; `encoded`: it means sRGB values in any light (codecs, stored noise)."""
        linear = self.linear and not encoded
        if linear != self.in_linear:
            self.steps.append(Light(to="linear" if linear else "gamma"))
            self.in_linear = linear
        self.steps.append(step)


@dataclass(frozen=True, kw_only=True)
class Op:
    """One operation of a recipe, as its file says.

    Attributes:
        prob: probability that it happens.
        name: for `keep_order` of a shuffle.
        scales: it happens at these scales only; empty = at all.
    """

    op: ClassVar[str]

    prob: Distribution = field(
        default_factory=lambda: parse(1),
        metadata={"low": 0.0, "high": 1.0, "distribution": True, "fixed": True},
    )
    name: str = field(default="", metadata={"text": True})
    scales: tuple[int, ...] = field(default=(), metadata={"whole": True})

    def draw(self, d: DrawContext, place: str) -> None:
        """Decide whether the operation happens, and let it append its steps.

        Raises:
            UserError: it needs a pool that is not there, or does not fit the image.
        """
        if self.scales and d.scale not in self.scales:
            return
        if d.s != d.scale:  # numbers in s were checked at the scale of the start
            try:
                self.check(d.s)
            except RecipeError as error:
                problem = f"{place}: at the scale {d.s:g} that is left, {error}"
                raise UserError(d.key, problem, "mend the recipe") from None
        prob = self.prob_at(d.s)
        # Streams are named, so one that cannot decide otherwise need not be drawn from.
        if prob >= 1 or d.structure(f"{place}:prob").random() < prob:
            self.steps(d, place)

    def prob_at(self, s: float) -> float:
        """The probability, a fixed number or an expression in s."""
        return support(self.prob, s)[0]

    def steps(self, d: DrawContext, place: str) -> None:
        """Append what is drawn to `d`."""
        raise NotImplementedError

    def ready(self) -> None:
        """Refuse where something is missing that it needs.

        Raises:
            UserError: a library or codec is not installed.
        """

    def parts(self) -> Iterator[Op]:
        """Operations inside of this one."""
        yield from ()

    def pools(self) -> set[str]:
        """Pools that it draws from: "kernel", "noise"."""
        found: set[str] = set()
        for part in self.parts():
            found |= part.pools()
        return found

    def check(self, scale: float) -> None:
        """Refuse numbers that no operation can use.

        Raises:
            RecipeError: names the setting.
        """
        for one in fields(self):
            value, meta = getattr(self, one.name), one.metadata
            if not meta.get("distribution") or value is None:
                continue
            try:
                low, high = support(value, float(scale))
            except (RecipeError, ArithmeticError, ValueError) as error:
                raise RecipeError(f"{one.name}: {error}") from None
            if low < meta.get("low", -np.inf) or high > meta.get("high", np.inf):
                limits = [f"{word} {meta[name]:g}" for name, word in LIMITS if name in meta]
                raise RecipeError(
                    f"{one.name}: from {low:g} to {high:g}, but {' and '.join(limits)} is meant"
                )


LIMITS = (("low", "at least"), ("high", "at most"))


def number(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A field of an operation: a distribution of numbers."""
    limits = {name: value for name, value in (("low", low), ("high", high)) if value is not None}
    made = None if default is None else parse(default)
    return field(default=made, metadata={"distribution": True, "help": help, "plain": default, **limits})


def names(known: Sequence[str], default: Any, help: str) -> Any:
    """A field of an operation: a choice among names."""
    meta = {"names": tuple(known), "help": help, "plain": default}
    return field(default=parse_names(default, known), metadata=meta)


def names_if_given(known: Sequence[str], help: str) -> Any:
    """A field of an operation: a choice among names, or None for what the recipe says as a whole."""
    return field(default=None, metadata={"names": tuple(known), "help": help, "plain": None})


def numbers(default: Sequence[float], help: str) -> Any:
    """A field of an operation: a list of plain numbers."""
    return field(default=tuple(default), metadata={"numbers": True, "help": help, "plain": list(default)})


def flag(default: bool, help: str) -> Any:
    """A field of an operation: true or false."""
    return field(default=default, metadata={"flag": True, "help": help, "plain": default})


def value_of(distribution: Distribution, d: DrawContext, rng: np.random.Generator) -> float:
    """One number of a distribution at the scale that is left."""
    return draw(distribution, rng, d.s)


def name_of(choice: Names, rng: np.random.Generator) -> str:
    """One name."""
    return choice.draw(rng)


def missing_pool(what: str, d: DrawContext) -> UserError:
    """The error of an operation whose pool is not there."""
    return UserError(d.key, f"the recipe draws from a {what} pool", f"give `{what}s`")
