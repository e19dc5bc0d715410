"""A step of a plan: one thing that is done to an image, a value with every number that was drawn for it.

All of a step stands in its class: how it changes an image (NumPy) and a batch of images (torch, imported
inside, so that the library does not load it), what has to be equal for steps to be applied together, the
size after it, its words, and the numbers that a report counts. Its fields are its JSON, too, under their
names: a field with a default is left out where it has it. `realdeg.degrade.ops.registry` names all classes.
"""

from __future__ import annotations

import math
import re
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from realdeg.arraytypes import Image
from realdeg.degrade.ops.words import LARGEST
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_SIDE = 1 << 20  # px of an image
LARGEST_KERNEL = 1000  # px a side
HEXADECIMAL = re.compile("[0-9a-f]{1,32}")

Size = tuple[int, int]
"""(H, W) of an image, px."""


class PlanError(ValueError):
    """What is wrong with a plan that is read back, or with a number of a step."""


@dataclass(frozen=True)
class Pools:
    """The pools that a plan was drawn from, where there are any."""

    kernels: KernelPool | None = None
    noises: NoisePool | None = None


class Parameter(NamedTuple):
    """A number that is drawn: of which operation, how reports call that, its own name, its unit."""

    op: str
    of: str
    name: str
    unit: str = ""

    @property
    def label(self) -> str:
        """For an axis."""
        return f"{self.of}: {self.name}" + (f", {self.unit}" if self.unit else "")


def part(
    label: str = "",
    unit: str = "",
    *,
    default: Any = MISSING,
    low: float = -LARGEST,
    high: float = LARGEST,
    known: Sequence[str] = (),
    hexadecimal: bool = False,
    stated: bool = False,
) -> Any:
    """A field of a step.

    Args:
        label, unit: of a number that reports count.
        default: what is not written to JSON.
        low, high: of a number that is read.
        known: names, where it is one of several.
        hexadecimal: it is a Philox key.
        stated: written to JSON even where it is the default.
    """
    told = {"label": label, "unit": unit, "low": low, "high": high, "known": tuple(known)}
    return field(default=default, metadata={**told, "hexadecimal": hexadecimal, "stated": stated})


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is JSON under its fields' names, read back strictly: a step, or the kernel of one."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, numbers and texts."""
        made: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Part):
                made |= value.to_json()
            elif one.metadata["stated"] or one.default is MISSING or value != one.default:
                made[one.name] = _as_json(value)
        return made

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> tuple[Self, set[str]]:
        """One of what JSON gave, and the names of the entries that it was made of.

        Raises:
            PlanError: an entry is missing, or not what is meant.
        """
        values: dict[str, Any] = {}
        used: set[str] = set()
        for one, hint in _fields_of(cls):  # type: ignore[arg-type]
            if isinstance(hint, type) and issubclass(hint, Part):
                values[one.name], inside = hint.any_from_json(raw)
                used |= inside
            elif one.name in raw:
                values[one.name] = _checked(raw[one.name], hint, one)
                used.add(one.name)
            elif one.default is MISSING:
                raise PlanError(f"lacks {one.name!r}")
        return cls(**values), used

    @classmethod
    def any_from_json(cls, raw: Mapping[str, Any]) -> tuple[Part, set[str]]:
        """As `from_json`, of the class among those below this one that JSON names.

        Raises:
            PlanError: as `from_json`, or another class is named than there is.
        """
        return cls.from_json(raw)

    def counted(self, op: str, of: str) -> Iterator[tuple[Parameter, float]]:
        """Each number of the fields that have a label.

        Args:
            op, of: for the parameters.
        """
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Part):
                yield from value.counted(op, of)
            elif one.metadata["label"] and value != one.default:
                for number in value if isinstance(value, tuple) else (value,):
                    if isinstance(number, int | float):
                        yield (
                            Parameter(op, of, one.metadata["label"], one.metadata["unit"]),
                            float(number),
                        )


@dataclass(frozen=True, kw_only=True)
class Step(Part, ABC):
    """One step of a plan."""

    op: ClassVar[str]
    """As in JSON and in recipes."""
    silent: ClassVar[bool] = False
    """No part of the order that one thinks of: clipping, and changes of light."""

    @abstractmethod
    def apply(self, image: Image, pools: Pools) -> Image:
        """The image after the step.

        Args:
            image: (H, W, 3) uint8, uint16, or float32 in [0, 1].
            pools: that the plan was drawn from.

        Returns:
            (h, w, 3), float32 not clipped, or whole numbers where the step gives such.

        Raises:
            UserError: a pool lacks what the step names, the image is too small for a kernel of it, or a
                codec is not installed.
        """

    @classmethod
    @abstractmethod
    def apply_batch(cls, images: Tensor, steps: Sequence[Self], pools: Pools) -> Tensor:
        """Images after their steps; `apply` for tensors.

        Args:
            images: (B, 3, H, W) float, RGB, nominally [0, 1].
            steps: B of this class, of equal `together`.
            pools: that the plans were drawn from.

        Returns:
            (B, 3, h, w), not clipped.
        """

    @classmethod
    def is_meant(cls, raw: Mapping[str, Any]) -> bool:
        """Whether JSON means this class of those with its `op`: it has the entries that are always stated."""
        stated = [one for one in fields(cls) if one.metadata.get("stated")]
        return all(raw.get(one.name) == one.default for one in stated)

    def together(self) -> tuple[object, ...]:
        """What has to be equal for steps of this class to be applied to the images of one batch."""
        return ()

    def cuts_gradient(self) -> str:
        """What lets no gradient through, in words; "" where it passes."""
        return ""

    def size_after(self, size: Size | None) -> Size | None:
        """Size of an image of this size after the step; None where it cannot be known.

        Raises:
            PlanError: the step does not fit an image of this size.
        """
        return size

    @abstractmethod
    def describe(self, before: Size | None = None) -> str:
        """The step in words with every number that was drawn, three significant digits or more.

        Args:
            before: size of the image that it gets, where it is known.

        Returns:
            For example "blur aniso 13 px, sigma 1.9/0.8 px, 41°", "JPEG 64"; "" for clipping.
        """

    @property
    def title(self) -> str:
        """The name under which reports put its numbers."""
        return self.op

    @property
    def short(self) -> str:
        """The name in the order of steps."""
        return self.title

    def numbers(self, before: Size | None = None) -> Iterator[tuple[Parameter, float]]:
        """Each number that reports count.

        Args:
            before: size of the image that it gets, where it is known.
        """
        yield from self.counted(self.op, self.title)

    def names(self) -> Iterator[tuple[str, str]]:
        """Each name that reports count, as what it names and the name."""
        yield from ()

    def manifest(self) -> dict[str, Any]:
        """What stands in columns of its own in the manifest."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """As `Part`, with `op`."""
        return {"op": self.op, **super().to_json()}


@cache
def _fields_of(kind: type[Part]) -> list[tuple[Field[Any], Any]]:
    """Fields of a class with their types."""
    hints = typing.get_type_hints(kind)
    return [(one, hints[one.name]) for one in fields(kind)]


def _as_json(value: Any) -> Any:
    return [_as_json(one) for one in value] if isinstance(value, tuple) else value


def _checked(value: Any, hint: Any, one: Field[Any]) -> Any:
    """A value of a field, as its type says.

    Raises:
        PlanError: it is something else.
    """
    meta, origin = one.metadata, typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        # A number or one of some words.
        hint = str if str in kinds and isinstance(value, str) else kinds[0]
        origin = typing.get_origin(hint)
    if origin is tuple:
        return _tuple(value, hint, one)
    if hint is bool:
        if not isinstance(value, bool):
            raise PlanError(f"{one.name} {_cut(value)}, but true or false is meant")
        return value
    if hint is str:
        if not isinstance(value, str) or not value:
            raise PlanError(f"{one.name} {_cut(value)} is no name")
        if meta["known"] and value not in meta["known"]:
            raise PlanError(f"{one.name} {_cut(value)} is unknown")
        if meta["hexadecimal"] and not HEXADECIMAL.fullmatch(value):
            raise PlanError(f"{one.name} {_cut(value)} is no hexadecimal number")
        return value
    assert hint in (int, float), (one.name, hint)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PlanError(f"{one.name} {_cut(value)} is no number")
    if not abs(value) < LARGEST or not math.isfinite(value):
        raise PlanError(f"{one.name}: a number is too large, or none")
    if hint is int and not isinstance(value, int):
        raise PlanError(f"{one.name} {value:g} is no whole number")
    if not meta["low"] <= value <= meta["high"]:
        limits = [
            f"{word} {meta[name]:g}"
            for name, word in (("low", "at least"), ("high", "at most"))
            if abs(meta[name]) < LARGEST
        ]
        raise PlanError(f"{one.name} {value:g}, but {' and '.join(limits)} is meant")
    return value


def _tuple(value: Any, hint: Any, one: Field[Any]) -> tuple[Any, ...]:
    inside = typing.get_args(hint)
    count = None if inside[-1] is Ellipsis else len(inside)
    if not isinstance(value, list) or (count is not None and len(value) != count):
        what = "a list" if count is None else f"a list of {count}"
        raise PlanError(f"{one.name} {_cut(value)}, but {what} is meant")
    kinds = [inside[0]] * len(value) if count is None else inside
    return tuple(_checked(part, kind, one) for part, kind in zip(value, kinds, strict=True))


def _cut(value: Any) -> str:
    return repr(value if len(str(value)) <= 40 else f"{str(value)[:40]}...")
