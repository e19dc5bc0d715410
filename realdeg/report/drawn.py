"""What was drawn over a whole dataset: numbers as histograms, names as bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from realdeg.degrade.ops.registry import NAMES
from realdeg.degrade.ops.step import Parameter
from realdeg.degrade.ops.words import format_number
from realdeg.report.bins import SMALLEST, bins_of
from realdeg.report.charts import bars, binned
from realdeg.report.overview import Figure
from realdeg.report.plans import Drawn

MAX_BARS = 8


ORDER = "order of the steps"


@dataclass
class Tally:
    """Every number and name of many plans.

    Attributes:
        images: plans counted.
        numbers: values of each parameter.
        names: how often each name was drawn, by what they name.
        having: plans in which a parameter or kind of name occurs.
        common: steps, in words, that all plans have.
    """

    images: int = 0
    numbers: dict[Parameter, list[float]] = field(default_factory=dict)
    names: dict[str, Counter[str]] = field(default_factory=dict)
    having: Counter[Any] = field(default_factory=Counter)
    common: frozenset[str] = frozenset()


def tally(plans: Iterable[Drawn]) -> Tally:
    """Count what was drawn; plans are looked at one by one."""
    made = Tally()
    for plan in plans:
        made.images += 1
        made.common = made.common & set(plan.described) if made.images > 1 else frozenset(plan.described)
        assert plan.plan is not None
        walk = list(plan.plan.walk())
        numbers = [pair for step, before, _ in walk for pair in step.numbers(before)]
        names = [pair for step, _, _ in walk for pair in step.names()]
        names.append((ORDER, " → ".join(step.short for step, _, _ in walk if not step.silent)))
        for parameter, value in numbers:
            made.numbers.setdefault(parameter, []).append(value)
        for what, name in names:
            made.names.setdefault(what, Counter())[name] += 1
        made.having.update({key for key, _ in numbers} | {what for what, _ in names})
    return made


def number_figures(made: Tally) -> list[Figure]:
    """A histogram of each parameter that varies."""
    figures = []
    for parameter, values in _ranked(made):
        if not _constant(values):
            bins, middle = bins_of(values), median(values)
            svg = binned(
                bins.edges, bins.counts, middle, x_label=parameter.label, y_label="draws", log=bins.log,
                names=bins.names,
            )  # fmt: skip
            span = f"{format_number(min(values))} to {format_number(max(values))}"
            figures.append(Figure(svg, f"{_count(made, parameter, len(values))}, {span}"))
    return figures


def name_figures(made: Tally) -> list[Figure]:
    """A bar chart of each kind of name of which several were drawn, the order of the steps last."""
    figures = []
    for what, names in sorted(made.names.items(), key=lambda item: (item[0] == ORDER, item[0])):
        if len(names) == 1:
            continue
        ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
        shown, rest = ranked[:MAX_BARS], ranked[MAX_BARS:]
        said = f"{made.images:,} images" if what == ORDER else _count(made, what, names.total())
        said += f", {len(names):,} different"
        if rest:
            said += f"; not shown: {len(rest):,}, drawn {sum(count for _, count in rest):,} times"
        figures.append(Figure(bars(shown, names.total(), label=what), said))
    return figures


def constants(made: Tally) -> list[str]:
    """What is the same in each draw, in words."""
    numbers = [
        f"{p.of} {p.name} {format_number(values[0])} {p.unit}".strip()
        for p, values in _ranked(made)
        if _constant(values)
    ]
    names = [f"{what}: {next(iter(names))}" for what, names in sorted(made.names.items()) if len(names) == 1]
    return [*numbers, *names]


def _count(made: Tally, key: Any, draws: int) -> str:
    images = made.having[key]
    of = f"all {made.images:,}" if images == made.images else f"{images:,} of {made.images:,}"
    return f"{draws:,} draws in {of} images"


def _constant(values: list[float]) -> bool:
    return max(values) - min(values) <= SMALLEST


def _ranked(made: Tally) -> list[tuple[Parameter, list[float]]]:
    """Parameters with their values, by operation and name."""
    return sorted(made.numbers.items(), key=lambda item: (NAMES.index(item[0].op), item[0]))
