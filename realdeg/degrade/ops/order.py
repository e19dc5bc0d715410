"""Operations made of operations: one after the other, in random order, one of several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from realdeg.degrade.ops.context import DrawContext, Op
from realdeg.degrade.ops.distribution import RecipeError, pick


@dataclass(frozen=True, kw_only=True)
class Sequence(Op):
    """Steps one after the other."""

    op: ClassVar[str] = "sequence"

    inner: tuple[Op, ...] = ()

    def steps(self, d: DrawContext, place: str) -> None:
        """The steps of its parts."""
        draw_all(self.inner, d, place)

    def parts(self) -> Iterator[Op]:
        """Its steps."""
        yield from self.inner


@dataclass(frozen=True, kw_only=True)
class Shuffle(Sequence):
    """Steps in random order; those named in `keep_order` stay in that order among themselves."""

    op: ClassVar[str] = "shuffle"

    keep_order: tuple[str, ...] = ()

    def steps(self, d: DrawContext, place: str) -> None:
        """The steps of its parts, shuffled."""
        rng = d.structure(place)
        order = list(range(len(self.inner)))
        for last in range(len(order) - 1, 0, -1):  # Fisher and Yates
            other = int(rng.random() * (last + 1))
            order[last], order[other] = order[other], order[last]
        kept = [i for i, part in enumerate(self.inner) if part.name in self.keep_order]
        kept.sort(key=lambda i: self.keep_order.index(self.inner[i].name))
        # The places that the named steps drew stay theirs; which of them stands where follows keep_order.
        waiting = iter(kept)
        order = [next(waiting) if i in kept else i for i in order]
        places = numbered(self.inner, place)
        for i in order:
            self.inner[i].draw(d, places[i])

    def check(self, scale: float) -> None:
        """As any operation; also refuses names that no step has."""
        super().check(scale)
        known = {part.name for part in self.inner if part.name}
        for name in self.keep_order:
            if name not in known:
                raise RecipeError(f"keep_order: no step has the name {name!r}")


@dataclass(frozen=True, kw_only=True)
class OneOf(Op):
    """One of several branches."""

    op: ClassVar[str] = "one_of"

    branches: tuple[tuple[Op, ...], ...] = ()
    cumulative: tuple[float, ...] = ()

    def steps(self, d: DrawContext, place: str) -> None:
        """The steps of the branch that is drawn."""
        branch = pick(self.cumulative, d.structure(place))
        draw_all(self.branches[branch], d, f"{place}/{branch}")

    def parts(self) -> Iterator[Op]:
        """The steps of all branches."""
        for branch in self.branches:
            yield from branch


def draw_all(ops: tuple[Op, ...], d: DrawContext, place: str) -> None:
    """Draw operations one after the other."""
    for op, where in zip(ops, numbered(ops, place), strict=True):
        op.draw(d, where)


def numbered(ops: tuple[Op, ...], place: str) -> list[str]:
    """Names of the operations' streams: their own name, or their kind and its count among its like.

    So another kind of operation put before them changes nothing of what they draw.
    """
    seen: dict[str, int] = {}
    made = []
    for op in ops:
        name = op.name or op.op
        seen[name] = seen.get(name, 0) + 1
        made.append(f"{place}/{name}" + (f"#{seen[name]}" if seen[name] > 1 else ""))
    return made
