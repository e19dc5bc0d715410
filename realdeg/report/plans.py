"""What was drawn for one degraded pair, read with tolerance: the manifest is a text that people edit."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass

from realdeg.degrade.ops.step import Size, Step
from realdeg.degrade.plan import Plan
from realdeg.records import PairRecord


@dataclass(frozen=True)
class Drawn:
    """The plan of a pair; false where it has none that can be used.

    Attributes:
        plan: what was drawn.
        words: of each step; "" for clipping.
        damage: why a plan that is there could not be used, or "".
    """

    plan: Plan | None = None
    words: tuple[str, ...] = ()
    damage: str = ""

    def __bool__(self) -> bool:
        return self.plan is not None

    @property
    def described(self) -> list[str]:
        """The words of the steps that have any."""
        return [text for text in self.words if text]

    def without(self, common: Set[str]) -> list[str]:
        """The words that are not among those of all plans; all where nothing else is left."""
        return [text for text in self.described if text not in common] or self.described


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
        plan = Plan.from_json(str(text), record.scale)
        return Drawn(plan, tuple(step.describe(before) for step, before, _ in plan.walk()))
    except ValueError as error:
        return Drawn(damage=f"it is damaged in manifest.csv ({error})")


def rows(drawn: Drawn, hr_size: Size) -> tuple[list[StepRow], str]:
    """The steps of a plan as rows of a table, and why they are not used, or "".

    Args:
        drawn: the plan.
        hr_size: (H, W) of HR as it lies in the dataset.
    """
    if drawn.plan is None:
        return [], drawn.damage
    made: list[StepRow] = []
    try:
        if drawn.plan.hr_size not in (None, hr_size):
            raise ValueError("HR has another size")
        for words, (step, before, after) in zip(drawn.words, drawn.plan.walk(hr_size), strict=True):
            changed = f"{after[1]} x {after[0]}" if after and after != before else ""
            made.append(StepRow(words or "clip to [0, 1]", changed, _in_full(step)))
    except ValueError as error:
        return [], f"it does not fit the image ({error})"
    return made, drawn.damage


def _in_full(step: Step) -> str:
    shown = {name: value for name, value in step.to_json().items() if name != "op"}
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in shown.items()
    )
