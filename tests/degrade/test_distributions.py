"""Truth: what the forms say in words: ends, steps, weights; expressions by Python's own arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from realdeg.degrade.ops.distribution import (
    RANGES,
    RecipeError,
    draw,
    parse,
    parse_names,
    pick,
    suggest,
    support,
)

SIX_DIGITS = 5.1e-7  # numbers of a plan have six digits behind the point
NUMBERS = st.floats(-50, 50).map(lambda x: round(x, 3))
UNIFORM = st.floats(0, 1, exclude_max=True)


class Given:
    """A generator whose uniform numbers are known; the last one stays."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        return self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]


def turned(kind, value):
    if kind == "sqrt":
        return math.sqrt(max(value, 0))
    if kind == "reciprocal":
        return 1 / value
    return 10**value if kind == "log10" else value


@given(value=NUMBERS, u=UNIFORM)
def test_a_number_is_always_itself(value, u):
    for form in (
        value,
        repr(value),
        {"choice": [value]},
        [value, value],
        {"either": [value, [value, value]]},
    ):
        law = parse(form)
        assert draw(law, Given(u), 4.0) == pytest.approx(value, abs=SIX_DIGITS)
        assert support(law, 4.0) == pytest.approx((value, value))


@given(kind=st.sampled_from(["uniform", "sqrt", "reciprocal"]), low=NUMBERS, span=st.floats(0, 50), u=UNIFORM)
def test_ranges_stay_between_their_ends(kind, low, span, u):
    low = abs(low) + 0.02 if kind in ("sqrt", "reciprocal") else low
    high = round(low + span, 3)
    assume(high >= low)
    law = parse([low, high] if kind == "uniform" else {kind: [low, high]})
    value = draw(law, Given(u), 4.0)
    smallest, largest = sorted((turned(kind, low), turned(kind, high)))
    assert smallest - SIX_DIGITS <= value <= largest + SIX_DIGITS
    assert support(law, 4.0) == pytest.approx((smallest, largest))
    assert value == pytest.approx(turned(kind, low + u * (high - low)), abs=1e-6)


@given(low=st.floats(-7, 3), span=st.floats(0, 3), u=UNIFORM)
def test_small_numbers_keep_their_digits(low, span, u):
    """A camera's read noise is drawn from 1e-7 to 1e-4: six digits behind the point leave nothing of it."""
    low, high = round(low, 3), round(low + span, 3)
    assume(high >= low)
    value = draw(parse({"log10": [low, high]}), Given(u), 4.0)
    assert value == pytest.approx(10 ** (low + u * (high - low)), rel=1e-4)


@given(low=st.integers(-3000, 3000), count=st.integers(1, 200), u=UNIFORM)
def test_integers_are_whole_and_both_ends_are_drawn(low, count, u):
    law = parse({"integers": [low, low + count - 1]})
    value = draw(law, Given(u), 4.0)
    assert value == int(value)
    assert low <= value <= low + count - 1
    assert draw(law, Given(0.0), 4.0) == low
    assert draw(law, Given(1 - 2**-30), 4.0) == low + count - 1
    assert draw(law, Given(1 - 2**-53), 4.0) == low + count - 1  # the largest that NumPy gives


@given(low=st.integers(-40, 60), span=st.integers(1, 60), u=UNIFORM)
def test_odd_numbers_are_odd(low, span, u):
    law = parse({"odd": [low, low + span]})
    value = draw(law, Given(u), 4.0)
    assert value % 2 == 1
    assert low <= value <= low + span


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ({"integers": [2, 25]}, range(2, 26)),
        ({"odd": [7, 21]}, range(7, 22, 2)),
        ({"odd": [8, 14]}, (9, 11, 13)),
        ({"choice": [7, 9, 21]}, (7, 9, 21)),
    ],
)
def test_values_are_equally_often(form, values):
    """6000 draws; each value five standard deviations of its binomial at most from its share."""
    rng, law = np.random.default_rng(0), parse(form)
    drawn = [draw(law, rng, 4.0) for _ in range(6000)]
    assert set(drawn) == {float(one) for one in values}
    share = 1 / len(values)
    for one in values:
        assert abs(drawn.count(one) - 6000 * share) < 5 * math.sqrt(6000 * share * (1 - share))


def test_weights_are_shares():
    rng = np.random.default_rng(1)
    law = parse({"either": [[0, 1], [10, 11], 20], "weights": [1, 6, 3]})
    drawn = np.array([draw(law, rng, 4.0) for _ in range(6000)])
    for low, share in ((0, 0.1), (10, 0.6), (20, 0.3)):
        count = ((drawn >= low) & (drawn <= low + 1)).sum()
        assert abs(count - 6000 * share) < 5 * math.sqrt(6000 * share * (1 - share))


@given(weights=st.lists(st.floats(0, 10), min_size=1, max_size=6), u=UNIFORM)
def test_a_choice_without_weight_is_never_made(weights, u):
    assume(sum(weights) > 0)
    names = [f"n{i}" for i in range(len(weights))]
    made = parse_names(dict(zip(names, weights, strict=True)), names)
    assert weights[names.index(made.draw(Given(u)))] > 0 or len(names) == 1


def test_what_is_drawn_by_weight_is_within_the_list():
    assert pick((1.0, 2.0), Given(1 - 2**-53)) == 1
    assert pick((0.0, 3.0), Given(0.0)) == 1


@given(
    a=st.integers(1, 9), b=st.integers(1, 9), s=st.sampled_from([2.0, 3.0, 4.0, 8.0]), form=st.integers(0, 5)
)  # fmt: skip
def test_expressions_are_arithmetic(a, b, s, form):
    text, value = [
        (f"{a} + s", a + s),
        (f"{a} + 0.{b} * s", a + float(f"0.{b}") * s),
        (f"{a} / s", a / s),
        (f"-(s - {a}) * ({b} + 1)", -(s - a) * (b + 1)),
        (f"s * s / {b}", s * s / b),
        (f"{a} - {b} - pi / s", a - b - math.pi / s),
    ][form]
    assert draw(parse(text), Given(0.5), s) == pytest.approx(value, abs=SIX_DIGITS)
    assert support(parse([text, f"{text} + 1"]), s) == pytest.approx((value, value + 1))


@pytest.mark.parametrize("kind", RANGES)
def test_every_range_takes_expressions(kind):
    law = parse(["s", "s + 2"] if kind == "uniform" else {kind: ["s", "s + 2"]})
    low, high = support(law, 3.0)
    assert low <= draw(law, np.random.default_rng(0), 3.0) <= high


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (True, "a number is meant"),
        (None, "None is no number, range or choice"),
        ("", "is no number, nor an expression"),
        ("1 +", "is no number, nor an expression"),
        ("s ** 2", "only numbers, s,"),
        ("s // 2", "only numbers, s,"),
        ("x", "'x': only numbers, s,"),
        ("__import__('os').getcwd()", "only numbers, s,"),
        ("1j", "only numbers, s,"),
        ("True", "only numbers, s,"),
        ("1 if s else 2", "only numbers, s,"),
        ("(" * 400 + "s" + ")" * 400, "nor an expression"),
        ("1\0", "nor an expression"),
        ("1e999", "is not finite"),
        (math.nan, "only numbers"),
        ([1], r"\[1\]: a range is \[low, high\]"),
        ([1, 2, 3], "a range is"),
        ([1, True], "a range has two numbers"),
        ([[1, 2], 3], "a range has two numbers"),
        ({}, "one of integers, odd, log10"),
        ({"integer": [1, 2]}, "'integer' is unknown; did you mean 'integers'"),
        ({"sqrt": [1, 2], "odd": [1, 3]}, "one of integers, odd, log10"),
        ({"odd": [1, 2], "weights": [1]}, "odd takes no weights"),
        ({"odd": 7}, "a range is"),
        ({"choice": 7}, "choice takes a list"),
        ({"choice": []}, "choice takes a list"),
        ({"choice": [[1, 2]]}, "only numbers"),
        ({"either": [1, {"odds": [1, 2]}]}, "did you mean 'odd'"),
        ({"either": [1, 2], "weights": [1]}, "2 weights"),
        ({"either": [1, 2], "weights": [1, -1]}, "2 weights"),
        ({"either": [1, 2], "weights": [0, 0]}, "not all 0"),
        ({"either": [1, 2], "weights": "ab"}, "2 weights"),
    ],
)  # fmt: skip
def test_what_is_no_law_is_named(form, words):
    with pytest.raises(RecipeError, match=words):
        parse(form)


@pytest.mark.parametrize(
    "form", [10**400, "9" * 400, "-" * 5000 + "1", [0, 10**400]], ids=["whole", "text", "signs", "range"]
)
def test_numbers_beyond_all_bounds_are_refused(form):
    with pytest.raises(RecipeError):
        parse(form)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ([3, 1], "ends before it begins"),
        ({"reciprocal": [2, 1]}, "ends before it begins"),
        ({"odd": [8, 8]}, "no odd number"),
        ({"odd": [8, 8.5]}, "no odd number"),
        ({"integers": [2.5, 7]}, "whole numbers are meant"),
        (["0.5 * s", "s - 3"], "ends before it begins"),
    ],
)
def test_ranges_that_hold_nothing_are_named(form, words):
    with pytest.raises(RecipeError, match=words):
        support(parse(form), 4.0)


def test_names():
    known = ("bilinear", "bicubic", "area")
    assert parse_names("area", known).draw(Given(0.3)) == "area"
    assert [parse_names(["area", "bicubic"], known).draw(Given(u)) for u in (0.49, 0.5)] == [
        "area",
        "bicubic",
    ]
    assert parse_names({"area": 0.2, "bicubic": 0.8}, known).draw(Given(0.19)) == "area"
    for value, words in (
        ("bicubc", "'bicubc' is unknown; did you mean 'bicubic'"),
        (["area", "x"], "'x' is unknown; known: bilinear, bicubic, area"),
        (3, "3 is unknown"),
        ([["area"]], "is unknown"),
        ({"area": -1}, "1 weights"),
        ({"area": "a lot"}, "1 weights"),
        ([], "weights"),
    ):
        with pytest.raises(RecipeError, match=words):
            parse_names(value, known)


def test_suggestions():
    assert suggest("bsrgann", ("bsrgan", "realsr")) == "did you mean 'bsrgan'?"
    assert suggest("zzz", ("bsrgan", "realsr")) == "known: bsrgan, realsr"


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), s=st.sampled_from([2.0, 4.0]))
def test_a_draw_takes_the_same_numbers_from_equal_streams(seed, s):
    law = parse({"either": [["0.1 * s", 3], {"log10": [0, 2]}, {"odd": [7, 21]}], "weights": [1, 2, 3]})
    first, second = (draw(law, np.random.default_rng(seed), s) for _ in range(2))
    assert first == second
    low, high = support(law, s)
    assert low <= first <= high
