"""What was drawn over a whole dataset: numbers as histograms, names as bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from realdeg.degrade.recipe.captions import CODECS, FORMATS, LAWS, METHODS, WORDS, plain, sigmas
from realdeg.degrade.ops.context import Step
from realdeg.report.bins import SMALLEST, bins_of
from realdeg.report.charts import bars, binned
from realdeg.report.overview import Figure
from realdeg.report.plans import Drawn

MAX_BARS = 8
SILENT = ("clip", "light", "grey")  # steps that are no part of the order one thinks of


class Parameter(NamedTuple):
    """A number that is drawn: its place among all, of which operation, what it is called, and its unit."""

    rank: int
    of: str
    name: str
    unit: str = ""

    @property
    def label(self) -> str:
        """For an axis."""
        return f"{self.of}: {self.name}" + (f", {self.unit}" if self.unit else "")


# By their name in a plan: how they are called, and the unit.
NUMBERS = {
    "sigma": ("sigma", "px"),
    "size": ("size", "px"),
    "angle": ("angle", "degrees"),
    "beta": ("beta", ""),
    "cutoff": ("cutoff", "rad/px"),
    "length": ("length", "px"),
    "radius": ("radius", "px"),
    "factor": ("factor", ""),
    "sigma_8bit": ("sigma", "levels"),
    "photons": ("photons at white", ""),
    "amount": ("amount", ""),
    "quality": ("quality", ""),
    "crf": ("CRF", ""),
    "frames": ("frames", ""),
    "pan": ("pan", "px a frame"),
    "red_gain": ("gain of red", ""),
    "blue_gain": ("gain of blue", ""),
    "gain": ("gain of all", ""),
    "shot": ("shot noise", ""),
    "read": ("read noise", ""),
    "ccm": ("colour matrix", ""),
    "weight": ("weight", ""),
    "threshold": ("threshold", "levels"),
}
SAME = {"sigma_y": "sigma"}
FOLLOWS = (("resize", "size"), ("reduce", "factor"))  # from the image and what was drawn
ORDER, KERNELS, PATCHES = "order of the steps", "kernels drawn", "noise patches drawn"


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
        made.common = made.common & set(plan.told) if made.images > 1 else frozenset(plan.told)
        numbers = [pair for step in plan.steps for pair in numbers_of(step)]
        names = [pair for step in plan.steps for pair in names_of(step)]
        names.append((ORDER, " → ".join(_short(step) for step in plan.steps if step["op"] not in SILENT)))
        for parameter, value in numbers:
            made.numbers.setdefault(parameter, []).append(value)
        for what, name in names:
            made.names.setdefault(what, Counter())[name] += 1
        made.having.update({key for key, _ in numbers} | {what for what, _ in names})
    return made


def numbers_of(step: Step) -> Iterator[tuple[Parameter, float]]:
    """Each number that was drawn in a step."""
    of, rank = _operation(step), len(NUMBERS) * list(WORDS).index(step["op"])
    if "covariance" in step:
        for sigma in sigmas(step):
            yield Parameter(rank, f"{of}, correlated", "sigma", "levels"), sigma
    for name, value in step.items():
        kind = SAME.get(name, name)
        if kind not in NUMBERS or (step["op"], name) in FOLLOWS:
            continue
        parameter = Parameter(rank + list(NUMBERS).index(kind), of, *NUMBERS[kind])
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int | float):
                yield parameter, float(one)


def names_of(step: Step) -> Iterator[tuple[str, str]]:
    """Each name that was drawn in a step, and what it names."""
    op = step["op"]
    if op in ("blur", "reduce"):
        kind = str(step["kind"])
        yield "kind of blur", "kernel of the pool" if kind == "pool" else kind.replace("_", " ")
        if kind == "pool":
            yield KERNELS, str(step["kernel"])
    if op in ("resize", "reduce"):
        yield "resizing", _word(METHODS, step["method"]) if op == "resize" else "every n-th pixel after blur"
    if op == "noise":
        yield "noise", _word(LAWS, step["law"])
        yield "channels of the noise", str(step["channels"])
    if op == "inject":
        yield "noise", "patches by brightness" if "match" in step else "patch of the pool"
        yield PATCHES, str(step["noise"])
    if op == "codec":
        sampling = ":".join(str(step["subsampling"])) if "subsampling" in step else ""
        yield "codec", f"{_word(FORMATS, step['format'])} {sampling}".strip()
    if op == "video":
        yield "codec", _word(CODECS, step["codec"])
    if op == "camera":
        yield "colour filter array", str(step["pattern"]).upper()
        yield "demosaicing", str(step["demosaic"])


def number_figures(made: Tally) -> list[Figure]:
    """A histogram of each parameter that varies."""
    figures = []
    for parameter, values in sorted(made.numbers.items()):
        if not _constant(values):
            bins, middle = bins_of(values), median(values)
            svg = binned(
                bins.edges, bins.counts, middle, x_label=parameter.label, y_label="draws", log=bins.log,
                names=bins.names,
            )  # fmt: skip
            span = f"{plain(min(values))} to {plain(max(values))}"
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
        f"{p.of} {p.name} {plain(values[0])} {p.unit}".strip()
        for p, values in sorted(made.numbers.items())
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


def _operation(step: Step) -> str:
    """An operation by the name under which its numbers stand together."""
    op: str = step["op"]
    if op == "noise":
        return f"{_word(LAWS, step['law'])} noise"
    if op == "codec":
        return _word(FORMATS, step["format"])
    if op == "video":
        return _word(CODECS, step["codec"])
    return "noise patch" if op == "inject" else op


def _short(step: Step) -> str:
    if step["op"] == "noise":
        return "noise"
    return "patch" if step["op"] == "inject" else _operation(step)


def _word(words: Mapping[str, str], name: Any) -> str:
    return words.get(str(name), str(name))
