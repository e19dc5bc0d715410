"""How a recipe says what is drawn: numbers, ranges, choices with weights, and sums in the scale s.

In a recipe file:

    3                                    always 3
    "0.6 * s"                            an expression in s, the scale that is left (HR / LR at the start),
                                         and pi
    [0.2, 3]                             uniform
    { integers = [2, 25] }               whole numbers, both ends included
    { odd = [7, 21] }                    odd numbers, both ends included
    { log10 = [2, 4] }                   10 to the power of a uniform number
    { sqrt = [0, 8] }                    root of a uniform number: a variance is uniform
    { reciprocal = [1, 8] }              1 over a uniform number: a factor of reduction is uniform
    { choice = [7, 9, 21], weights = [1, 1, 2] }
    { either = [[0.5, 1], [1, 4]], weights = [1, 1] }    one of several of these

Every draw takes uniform numbers from a Philox stream and nothing else of NumPy's distributions.
"""

from __future__ import annotations

import ast
import bisect
import difflib
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

LONGEST = 200  # letters of an expression: longer ones only take time
DIGITS = 6  # of drawn numbers behind the point or the first digit: what the plan says is what is applied
RANGES = ("uniform", "integers", "odd", "log10", "sqrt", "reciprocal")
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


class RecipeError(ValueError):
    """What is wrong with a value of a recipe, for a message that names its place."""


@dataclass(frozen=True)
class Number:
    """A number, or an expression in s."""

    text: str

    def at(self, s: float) -> float:
        """Its value at scale s."""
        return _evaluate(_syntax(self.text), s)


@dataclass(frozen=True)
class Range:
    """Numbers between two ends; `kind` is one of RANGES."""

    kind: str
    low: Number
    high: Number

    def draw(self, rng: np.random.Generator, s: float) -> float:
        """One number."""
        u, (low, high) = rng.random(), (self.low.at(s), self.high.at(s))
        if self.kind == "integers":
            count = high - low + 1
            return low + min(math.floor(u * count), count - 1)
        if self.kind == "odd":
            first = math.ceil(low) | 1
            count = (math.floor(high) - first) // 2 + 1
            return float(first + 2 * min(math.floor(u * count), count - 1))
        return self._turned(low + u * (high - low))

    def support(self, s: float) -> tuple[float, float]:
        """Smallest and largest number that can be drawn; the wrong way round where the range is."""
        low, high = self.low.at(s), self.high.at(s)
        if self.kind == "reciprocal":
            low, high = high, low
        return self._turned(low), self._turned(high)

    def _turned(self, value: float) -> float:
        if self.kind == "log10":
            return float(10**value)
        if self.kind == "sqrt":
            return math.sqrt(max(value, 0.0))
        return 1 / value if self.kind == "reciprocal" else value


@dataclass(frozen=True)
class Mixture:
    """One of several distributions, with cumulative weights."""

    parts: tuple[Number | Range | Mixture, ...]
    cumulative: tuple[float, ...]


Distribution = Number | Range | Mixture


def parse(value: Any) -> Distribution:
    """A distribution from what stands in a recipe.

    Raises:
        RecipeError: it cannot be understood; says why.
    """
    if isinstance(value, bool):
        raise RecipeError("a number is meant")
    if isinstance(value, int | float | str):
        return _number(value)
    if isinstance(value, list):
        return _range("uniform", value)
    if isinstance(value, dict):
        return _table(value)
    raise RecipeError(f"{value!r} is no number, range or choice")


def draw(distribution: Distribution, rng: np.random.Generator, s: float) -> float:
    """One number, rounded to six digits behind the point, or behind its first digit if below 1."""
    if isinstance(distribution, Mixture):
        return draw(distribution.parts[pick(distribution.cumulative, rng)], rng, s)
    value = distribution.at(s) if isinstance(distribution, Number) else distribution.draw(rng, s)
    return float(f"{value:.{DIGITS}e}") if abs(value) < 1 else round(float(value), DIGITS)


def support(distribution: Distribution, s: float) -> tuple[float, float]:
    """Smallest and largest number that a distribution can give at scale s.

    Raises:
        RecipeError: a range that ends before it begins, or holds no number.
    """
    if isinstance(distribution, Mixture):
        ends = [support(one, s) for one in distribution.parts]
        return min(low for low, _ in ends), max(high for _, high in ends)
    if isinstance(distribution, Number):
        return distribution.at(s), distribution.at(s)
    low, high = distribution.support(s)
    if not low <= high:
        raise RecipeError(f"range [{low:g}, {high:g}] ends before it begins")
    if distribution.kind == "odd" and (math.ceil(low) | 1) > high:
        raise RecipeError(f"no odd number in [{low:g}, {high:g}]")
    if distribution.kind == "integers" and (low != int(low) or high != int(high)):
        raise RecipeError(f"integers from {low:g} to {high:g}: whole numbers are meant")
    return low, high


def pick(cumulative: Sequence[float], rng: np.random.Generator) -> int:
    """Index of a choice."""
    place = bisect.bisect_right(cumulative, rng.random() * cumulative[-1])
    return min(place, len(cumulative) - 1)


@dataclass(frozen=True)
class Names:
    """A choice among names."""

    names: tuple[str, ...]
    cumulative: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> str:
        """One name."""
        return self.names[0] if len(self.names) == 1 else self.names[pick(self.cumulative, rng)]


def parse_names(value: Any, known: Sequence[str]) -> Names:
    """A choice among known names: "a", ["a", "b"] (equally often), or { a = 0.7, b = 0.3 }.

    Raises:
        RecipeError: an unknown name (with the nearest known one), or no choice at all.
    """
    if isinstance(value, Mapping):
        names, weights = list(value), list(value.values())
    else:
        names = value if isinstance(value, list) else [value]
        weights = [1] * len(names)
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise RecipeError(f"{name!r} is unknown; {suggest(str(name), known)}")
    return Names(tuple(names), _cumulative(weights, len(names)))


def suggest(name: str, known: Sequence[str]) -> str:
    """The nearest known name, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _number(value: int | float | str) -> Number:
    if isinstance(value, int) and abs(value) > 1e300:
        raise RecipeError("a whole number of usual size is meant")
    text = value.strip() if isinstance(value, str) else repr(value)
    if len(text) > LONGEST:
        raise RecipeError(f"{_short(text)} is no number, nor an expression in s of at most {LONGEST} letters")
    try:
        result = _evaluate(_syntax(text), 4.0)
    except (SyntaxError, ArithmeticError, RecursionError, MemoryError):
        raise RecipeError(f"{_short(text)} is no number, nor an expression in s") from None
    if not math.isfinite(result):
        raise RecipeError(f"{_short(text)} is not finite")
    return Number(text)


@lru_cache(maxsize=1024)
def _syntax(text: str) -> ast.expr:
    """An expression taken apart, once for all draws."""
    return ast.parse(text, mode="eval").body


def _evaluate(node: ast.expr, s: float) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name) and node.id in ("s", "pi"):
        return s if node.id == "s" else math.pi
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, s)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_evaluate(node.left, s), _evaluate(node.right, s))
    raise RecipeError(f"{_short(ast.unparse(node))}: only numbers, s, pi, + - * / and brackets are meant")


def _range(kind: str, value: Any) -> Range:
    if not isinstance(value, list) or len(value) != 2:
        raise RecipeError(f"{value!r}: a range is [low, high]")
    if any(isinstance(end, bool) or not isinstance(end, int | float | str) for end in value):
        raise RecipeError(f"{value!r}: a range has two numbers")
    return Range(kind, _number(value[0]), _number(value[1]))


def _table(value: dict[str, Any]) -> Distribution:
    kinds = (*RANGES[1:], "choice", "either")
    named = [name for name in value if name != "weights"]
    if len(named) != 1 or named[0] not in kinds:
        unknown = [name for name in named if name not in kinds]
        if unknown:
            raise RecipeError(f"{unknown[0]!r} is unknown; {suggest(unknown[0], kinds)}")
        raise RecipeError(f"one of {', '.join(kinds)} is meant")
    kind, content = named[0], value[named[0]]
    if kind not in ("choice", "either"):
        if "weights" in value:
            raise RecipeError(f"{kind} takes no weights")
        return _range(kind, content)
    if not isinstance(content, list) or not content:
        raise RecipeError(f"{kind} takes a list")
    parts = tuple(_number(one) if kind == "choice" else parse(one) for one in content)
    return Mixture(parts, _cumulative(value.get("weights", [1] * len(parts)), len(parts)))


def _cumulative(weights: Any, count: int) -> tuple[float, ...]:
    good = isinstance(weights, list) and all(
        isinstance(w, int | float) and not isinstance(w, bool) and w >= 0 and math.isfinite(w)
        for w in weights
    )
    if not good or len(weights) != count or sum(weights) <= 0:
        raise RecipeError(f"{count} weights of 0 or more are meant, and not all 0")
    return tuple(accumulate(float(w) for w in weights))


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
