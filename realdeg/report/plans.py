"""What was drawn for one degraded pair, read with tolerance: the manifest is a text that people edit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any

from realdeg.degrade.recipe.captions import plain, told
from realdeg.degrade.ops.context import Plan, Step
from realdeg.degrade.recipe.sizes import Size, sizes, with_factors
from realdeg.records import PairRecord


@dataclass(frozen=True)
class Drawn:
    """The plan of a pair; false where it has none that can be used.

    Attributes:
        steps: the plan, with the factor of each resize.
        words: of each step; "" for clipping.
        damage: why a plan that is there could not be used, or "".
    """

    steps: Plan = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    damage: str = ""

    def __bool__(self) -> bool:
        return bool(self.steps)

    @property
    def told(self) -> list[str]:
        """The words of the steps that have any."""
        return [text for text in self.words if text]

    def without(self, common: Set[str]) -> list[str]:
        """The words that are not among those of all plans; all where nothing else is left."""
        return [text for text in self.told if text not in common] or self.told


@dataclass(frozen=True)
class StepRow:
    """A step as a row of the pair's table: what it does, the size it leaves, px, and its numbers in full."""

    words: str
    size: str
    numbers: str


def read_plan(record: PairRecord) -> Drawn:
    """The plan of a manifest row: empty where there is none, with `damage` where it cannot be used."""
    text = record.detail.get("plan")
    if record.how != "degradation" or not text:
        return Drawn()
    try:
        plan = json.loads(str(text))
        if not isinstance(plan, list) or not plan or not all(isinstance(step, dict) for step in plan):
            raise ValueError("no list of steps")
        for value in _numbers(plan):
            plain(value)
        steps = with_factors(plan, record.scale)
        return Drawn(steps, [told(step) for step in steps])
    except (ValueError, RecursionError) as error:
        return Drawn(damage=f"it is damaged in manifest.csv ({error})")


def rows(drawn: Drawn, hr_size: Size) -> tuple[list[StepRow], str]:
    """The steps of a plan as rows of a table, and why they are not used, or "".

    Args:
        drawn: the plan.
        hr_size: (H, W) of HR, which the manifest does not know.
    """
    try:
        after = sizes(drawn.steps, hr_size)
    except ValueError as error:
        return [], f"it does not fit the image ({error})"
    made, before = [], hr_size
    for step, words, size in zip(drawn.steps, drawn.words, after, strict=True):
        changed = f"{size[1]} x {size[0]}" if size and size != before else ""
        made.append(StepRow(words or "clip to [0, 1]", changed, _in_full(step)))
        before = size or before
    return made, drawn.damage


def _in_full(step: Step) -> str:
    added = ("op", "factor") if step["op"] == "resize" else ("op",)
    shown = {name: value for name, value in step.items() if name not in added}
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in shown.items()
    )


def _numbers(value: Any) -> Iterator[int | float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
