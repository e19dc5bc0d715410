"""The plan of one image: what is done to HR to make LR, a value with every number that was drawn.

It is the provenance of an image and all that applying needs (`realdeg.degrade.apply`). Its JSON is a column
of the manifest:

    {"version": 1, "hr_size": [280, 420], "scale": 4, "cleanup": 1, "steps": [{"op": "blur", ...}, ...]}

Manifests that were written before had the list of steps alone; it is read as version 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from realdeg.degrade.ops.registry import read_step
from realdeg.degrade.ops.step import LARGEST_SIDE, PlanError, Size, Step
from realdeg.typed import Json, parsed

VERSION = 1
HEADER = ("version", "hr_size", "scale", "cleanup", "steps")
LARGEST_SCALE = 64
LARGEST_CLEANUP = 16


@dataclass(frozen=True)
class Plan:
    """What is done to one image.

    Attributes:
        steps: one after the other; the last gives an image of LR's size.
        hr_size: (H, W) of the HR image that it was drawn for, px, multiples of `scale`; None where a plan of
            version 0 does not tell.
        scale: HR size / LR size.
        cleanup: HR is its source reduced so many times (`realdeg.degrade.apply.prepare.prepare_hr`). A plan
            is applied to HR, not to the source.
        version: of what its JSON looks like.
    """

    steps: tuple[Step, ...]
    hr_size: Size | None
    scale: int
    cleanup: int = 1
    version: int = VERSION

    @property
    def lr_size(self) -> Size | None:
        """(H, W) of LR, px."""
        return (self.hr_size[0] // self.scale, self.hr_size[1] // self.scale) if self.hr_size else None

    def sizes(self, hr_size: Size | None = None) -> list[Size | None]:
        """Size after each step; None where it cannot be known.

        Args:
            hr_size: of HR, where the plan does not tell.

        Raises:
            PlanError: a step does not fit the image.
        """
        return [after for _, _, after in self.walk(hr_size)]

    def walk(self, hr_size: Size | None = None) -> Iterator[tuple[Step, Size | None, Size | None]]:
        """Each step, and the size of the image before and after it.

        Args:
            hr_size: of HR, where the plan does not tell.

        Raises:
            PlanError: a step does not fit the image.
        """
        before = self.hr_size or hr_size
        for step in self.steps:
            after = step.size_after(before)
            yield step, before, after
            before = after

    def describe(self) -> list[str]:
        """The plan in words, a text for each step that has any.

        Returns:
            For example ["blur aniso 13 px, sigma 1.9/0.8 px, 41°", "resize area x0.25", "JPEG 64"].

        Raises:
            PlanError: a step does not fit the image.
        """
        return [words for step, before, _ in self.walk() if (words := step.describe(before))]

    def to_json(self) -> str:
        """One line of JSON, as it stands in a manifest."""
        steps: Any = [step.to_json() for step in self.steps]
        if self.version:
            size = list(self.hr_size) if self.hr_size else None
            values = (self.version, size, self.scale, self.cleanup, steps)
            steps = dict(zip(HEADER, values, strict=True))
        return json.dumps(steps, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes, scale: int | None = None) -> Plan:
        """A plan from its JSON; nothing is guessed, nothing passed over.

        Args:
            text: JSON, of this version or an earlier one.
            scale: of the pair: needed where the plan does not tell it, checked where it does.

        Raises:
            PlanError: no plan; where it is damaged, and how.
        """
        try:
            raw: Any = parsed(text, Json)
        except ValueError as error:
            raise PlanError(str(error)) from None
        if isinstance(raw, list):
            if scale is None:
                raise PlanError("no header, and the scale is not known")
            return _without_header(raw, scale)
        if not isinstance(raw, dict):
            raise PlanError("no list of steps")
        version = raw.get("version")
        if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
            raise PlanError(f"version {version} of a later realdeg, this one knows {VERSION}")
        for name in HEADER:
            if name not in raw:
                raise PlanError(f"lacks {name!r}")
        if more := [name for name in raw if name not in HEADER]:
            raise PlanError(f"has an entry {str(more[0])[:40]!r} that is not known")
        _whole(version, "version", 1, VERSION)
        of_plan = _whole(raw["scale"], "scale", 1, LARGEST_SCALE)
        cleanup = _whole(raw["cleanup"], "cleanup", 1, LARGEST_CLEANUP)
        if scale is not None and of_plan != scale:
            raise PlanError(f"scale {of_plan}, but the pair is x{scale}")
        plan = cls(_steps(raw["steps"]), _size(raw["hr_size"], of_plan), of_plan, cleanup)
        if (last := plan.sizes()[-1]) != plan.lr_size:
            assert last is not None
            assert plan.lr_size is not None
            told = f"{last[1]}x{last[0]} px, but LR is {plan.lr_size[1]}x{plan.lr_size[0]} px"
            raise PlanError(f"its last step gives {told}")
        return plan


def _without_header(raw: list[Any], scale: int) -> Plan:
    """A plan of version 0: HR's size follows from the last size that it names, which is LR's."""
    plan = Plan(_steps(raw), None, scale, version=0)
    last = plan.sizes()[-1]
    size = (last[0] * scale, last[1] * scale) if last else None
    plan = Plan(plan.steps, size, scale, version=0)
    if size and plan.sizes()[-1] != last:
        raise PlanError("its sizes do not lead to LR's")
    return plan


def _steps(raw: Any) -> tuple[Step, ...]:
    if not isinstance(raw, list) or not raw or not all(isinstance(step, dict) for step in raw):
        raise PlanError("no list of steps")
    return tuple(map(read_step, raw))


def _size(raw: Any, scale: int) -> Size:
    if not isinstance(raw, list) or len(raw) != 2:
        raise PlanError(f"hr_size {str(raw)[:40]}, but height and width are meant")
    height, width = (_whole(side, "hr_size", 1, LARGEST_SIDE) for side in raw)
    if height % scale or width % scale:
        raise PlanError(f"hr_size {height}, {width} is no multiple of the scale {scale}")
    return height, width


def _whole(value: Any, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise PlanError(f"{name} {str(value)[:40]}, but a whole number from {low} to {high} is meant")
    return value


def size_in_words(size_hw: Sequence[int]) -> str:
    """Width first, as people say it: "420x280 px"."""
    return f"{size_hw[1]}x{size_hw[0]} px"
