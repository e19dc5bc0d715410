"""Charts as inline SVG: histogram, bars, curves, points; with axes, units and nothing to load."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import median
from textwrap import wrap

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 28, 44
BAR_LEFT, BAR_LINE = 16, 21
LETTER = 6.6  # mean width of a letter
BAR_LETTERS, BAR_LINES = 44, 3  # of a bar's name: a line, and lines


@dataclass(frozen=True)
class Axis:
    """One axis: its range in data units, on a linear or logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Position of a value in [0, 1] along the axis."""
        if self.log:
            span = math.log(self.high / self.low) or 1.0
            return math.log(max(value, 1e-300) / self.low) / span
        return (value - self.low) / ((self.high - self.low) or 1.0)

    def ticks(self, about: int = 6) -> list[float]:
        """Round numbers inside the range."""
        if self.log:
            lowest, highest = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            if highest - lowest > 1:
                every = max(1, (highest - lowest) // about)
                return [10.0**k for k in range(lowest, highest + 1, every)]
            steps = [round(m * 10.0**k, 12) for k in range(lowest - 1, highest + 1) for m in (1, 2, 5)]
            return [step for step in steps if self.low <= step <= self.high] or [self.low, self.high]
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        raw = span / about
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
        first = math.ceil(self.low / step - 1e-9)
        return [round(k * step, 12) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def histogram_counts(
    values: Sequence[float], bins: int = 20, top: float = 0.0
) -> tuple[list[float], list[int]]:
    """Edges (bins + 1) from 0 to the largest value (or `top`) rounded up, and counts; all are counted."""
    top = max(*values, top) if values else top
    digits = 10.0 ** math.floor(math.log10(top)) if top > 0 else 1.0
    top = math.ceil(top / digits * 2) / 2 * digits if top > 0 else 1.0
    edges = [top * i / bins for i in range(bins + 1)]
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(value / top * bins))] += 1
    return edges, counts


def histogram(values: Sequence[float], *, x_label: str, y_label: str, top: float = 0.0) -> str:
    """SVG histogram over an axis from 0 to the largest value or `top`, with the median as a line."""
    edges, counts = histogram_counts(values, top=top)
    return binned(edges, counts, median(values), x_label=x_label, y_label=y_label)


def binned(
    edges: Sequence[float],
    counts: Sequence[int],
    middle: float,
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    names: Sequence[str] = (),
) -> str:
    """SVG histogram of values that are counted already.

    Args:
        edges: of the bins, ascending, one more than there are counts.
        counts: values in each bin, not all 0.
        middle: median of the values, drawn as a line.
        x_label: what the values are.
        y_label: what is counted.
        log: the axis of the values is logarithmic.
        names: of each bin, what it holds; default from its edges.
    """
    x, y = Axis(edges[0], edges[-1], log), Axis(0, max(counts))
    parts = _frame(x, y, x_label, y_label, whole_y=True)
    names = names or [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    for low, high, count, name in zip(edges[:-1], edges[1:], counts, names, strict=True):
        if count:
            left, right, top = _x(x, low), _x(x, high), _y(y, count)
            parts.append(
                f'<rect class="bar" x="{left + 0.5:.1f}" y="{top:.1f}" width="{right - left - 1:.1f}" '
                f'height="{_y(y, 0) - top:.1f}"><title>{escape(name)}: {count}</title></rect>'
            )
    at = _x(x, middle)
    parts.append(_line("limit", at, at, TOP, HEIGHT - BOTTOM))
    side, told = "start" if x.place(middle) < 0.6 else "end", f"{middle:.3g}".replace("e-0", "e-")
    parts.append(_text("name", at + (6 if side == "start" else -6), TOP - 8, f"median {told}", side))
    return _svg(parts, f"Histogram of {x_label}: {sum(counts)} values")


def bars(counts: Sequence[tuple[str, int]], total: int, *, label: str) -> str:
    """SVG bar chart of names and how often each occurs, in the order given, from top to bottom.

    Args:
        counts: names, of any length, and counts, not all 0.
        total: what the counts are shares of; larger than their sum where some are not shown.
        label: what the names are.
    """
    largest = max(count for _, count in counts)
    parts = [_text("label", BAR_LEFT, 18, label)]
    top = 44.0
    for name, count in counts:
        lines = wrap(name, BAR_LETTERS, max_lines=BAR_LINES, placeholder=" ...") or ["-"]
        parts += [_text("name", BAR_LEFT, top + BAR_LINE * i, line) for i, line in enumerate(lines)]
        share = f"{count:,} ({100 * count / total:.0f} %)"
        parts.append(_text("tick", WIDTH - RIGHT, top, share, "end"))
        top += BAR_LINE * (len(lines) - 1) + 8
        width = (WIDTH - BAR_LEFT - RIGHT) * count / largest
        parts.append(
            f'<rect class="bar" x="{BAR_LEFT}" y="{top:.1f}" width="{max(width, 1):.1f}" height="7" rx="2">'
            f"<title>{escape(name)}: {count}</title></rect>"
        )
        top += 30
    said = ", ".join(f"{name} {count}" for name, count in counts)
    return _svg(parts, f"{label}: {said}", round(top - 8))


def curves(
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
    kinds: Mapping[str, str] | None = None,
    reach: float = 1.0,
) -> str:
    """SVG line chart of (x, y) points by name; on a log axis only positive values are drawn.

    `kinds` gives CSS classes by name, for lines with a colour and dashes of their own, without dots; the
    axis of x ends at `reach` at least.
    """
    drawn = {
        name: [(a, b) for a, b in points if math.isfinite(b) and (b > 0 or not log)]
        for name, points in series.items()
    }
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return ""
    xs = [a for points in drawn.values() for a, _ in points]
    ys = [b for points in drawn.values() for _, b in points]
    low, high = min(ys), max(ys)
    if not log:
        room = 0.06 * (high - low) or 0.5
        low, high = low - room, high + room
    elif high < 2 * low:  # a line that is level looks so, and the axis has round numbers
        low, high = low / 2, high * 2
    x, y = Axis(min(0, *xs) if len(xs) > 1 else 0, max(*xs, reach)), Axis(low, high, log)
    parts = _frame(x, y, x_label, y_label)
    beside = float(LEFT)
    for number, (name, points) in enumerate(drawn.items()):
        colour = (kinds or {}).get(name) or f"s{number % 6}"
        line = " ".join(f"{_x(x, a):.1f},{_y(y, b):.1f}" for a, b in points)
        parts.append(f'<polyline class="line {colour}" points="{line}"/>')
        if len(points) < 30 and not kinds:
            parts += [_dot(_x(x, a), _y(y, b), colour) for a, b in points]
        parts.append(_line(f"line {colour}", beside, beside + 20, TOP - 14, TOP - 14))
        parts.append(_text("name", beside + 26, TOP - 10, name))
        beside += 46 + 7.5 * len(name)
    return _svg(parts, f"{y_label} over {x_label}: {', '.join(drawn)}")


@dataclass(frozen=True)
class Point:
    """One mark of a scatter chart, with what it says when pointed at and where it leads."""

    x: float
    y: float
    title: str
    link: str = ""


def scatter(points: Sequence[Point], *, x_label: str, y_label: str) -> str:
    """SVG of points with positive coordinates on two equal logarithmic axes, with the line y = x."""
    points = [p for p in points if p.x > 0 and p.y > 0]
    if not points:
        return ""
    values = [value for p in points for value in (p.x, p.y)]
    axis = Axis(min(values) / 1.3, max(values) * 1.3, log=True)
    parts = _frame(axis, axis, x_label, y_label, grid_x=True)
    parts.append(
        f'<line class="equal" x1="{_x(axis, axis.low):.1f}" x2="{_x(axis, axis.high):.1f}" '
        f'y1="{_y(axis, axis.low):.1f}" y2="{_y(axis, axis.high):.1f}"/>'
    )
    parts.append(_text("name", WIDTH - RIGHT, TOP - 8, "dashed: measured = stated", "end"))
    for p in points:
        mark = (
            f'<circle class="mark" cx="{_x(axis, p.x):.1f}" cy="{_y(axis, p.y):.1f}" r="4">'
            f"<title>{escape(p.title)}</title></circle>"
        )
        parts.append(f'<a href="{escape(p.link)}">{mark}</a>' if p.link else mark)
    return _svg(parts, f"{y_label} against {x_label}: {len(points)} pairs")


def named(groups: Mapping[str, Sequence[Point]], *, x_label: str, y_label: str) -> str:
    """SVG of points with their titles beside them, on linear axes that fit them.

    A title is written to the right of its point, or to the left, above or below, where it lies over no other;
    else pointing at the point tells it. Points that are not finite are left out.

    Args:
        groups: by CSS class; the titles of the last group are written first.
        x_label, y_label: of the axes.
    """
    finite = {g: [p for p in many if math.isfinite(p.x + p.y)] for g, many in groups.items()}
    points = [p for many in finite.values() for p in many]
    if not points:
        return ""
    x, y = (_fitting(values) for values in ([p.x for p in points], [p.y for p in points]))
    parts = _frame(x, y, x_label, y_label)
    taken = [(_x(x, p.x) - 3, _y(y, p.y) - 3, _x(x, p.x) + 3, _y(y, p.y) + 3) for p in points]
    taken.append((LEFT, HEIGHT - BOTTOM - 1, WIDTH - RIGHT, HEIGHT - BOTTOM + 1))  # the axis
    for group, p in reversed([(group, p) for group, many in finite.items() for p in many]):
        at_x, at_y, width = _x(x, p.x), _y(y, p.y), LETTER * len(p.title)
        told = f"{p.title}: {_number(round(p.x, 3))}, {_number(round(p.y, 3))}"
        parts.append(
            f'<circle class="dot {group}" cx="{at_x:.1f}" cy="{at_y:.1f}" r="3.5">'
            f"<title>{escape(told)}</title></circle>"
        )
        for anchor, aside, below in (("start", 7, 4), ("end", -7, 4), ("middle", 0, -7), ("middle", 0, 15)):
            left = at_x + aside - width * {"start": 0, "end": 1, "middle": 0.5}[anchor]
            box = (left, at_y + below - 9, left + width, at_y + below + 2)
            if left >= LEFT and left + width <= WIDTH and not any(_overlap(box, other) for other in taken):
                parts.append(_text("name", at_x + aside, at_y + below, p.title, anchor))
                taken.append(box)
                break
    return _svg(parts, f"{y_label} against {x_label}: {', '.join(p.title for p in points)}")


def _fitting(values: Sequence[float]) -> Axis:
    """An axis with room on both ends; from 0 where a value is 0."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.5
    return Axis(0 if low == 0 else low - room, high + room)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def cloud(
    points: Mapping[str, Sequence[tuple[float, float]]],
    lines: Mapping[str, Sequence[tuple[float, float]]],
    *,
    x_label: str,
    y_label: str,
) -> str:
    """SVG of points >= 0 on linear axes from 0, and lines through them; the names are CSS classes.

    The axis of y ends where 99 % of the points are below, so that one outlier does not flatten all others.
    """
    everything = [p for many in points.values() for p in many]
    heights = sorted(b for _, b in everything)
    high = heights[math.ceil(0.99 * len(heights)) - 1]
    high = max(high, *(b for many in lines.values() for _, b in many), 1e-9)
    x, y = Axis(0, max(*(a for a, _ in everything), 1)), Axis(0, 1.05 * high)
    parts = _frame(x, y, x_label, y_label)
    for name, many in points.items():
        parts += [_dot(_x(x, a), _y(y, b), f"{name} faint") for a, b in many if b <= y.high]
    for name, many in lines.items():
        way = " ".join(f"{_x(x, min(a, x.high)):.1f},{_y(y, b):.1f}" for a, b in many)
        parts.append(f'<polyline class="line {name}" points="{way}"/>')
    if beyond := sum(b > y.high for _, b in everything):
        parts.append(_text("name", WIDTH - RIGHT, TOP - 8, f"{beyond} above", "end"))
    return _svg(parts, f"{y_label} against {x_label}: {len(everything)} points")


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)


def _frame(
    x: Axis, y: Axis, x_label: str, y_label: str, *, whole_y: bool = False, grid_x: bool = False
) -> list[str]:
    parts, bottom = [], HEIGHT - BOTTOM
    for tick in y.ticks():
        if whole_y and tick != int(tick):
            continue
        at = _y(y, tick)
        parts.append(_line("grid", LEFT, WIDTH - RIGHT, at, at))
        parts.append(_text("tick", LEFT - 7, at + 4, _number(tick), anchor="end"))
    if grid_x:
        parts += [_line("grid", _x(x, tick), _x(x, tick), TOP, bottom) for tick in x.ticks()]
    parts += [_text("tick", _x(x, tick), bottom + 17, _number(tick), anchor="middle") for tick in x.ticks()]
    parts.append(_line("axis", LEFT, WIDTH - RIGHT, bottom, bottom))
    parts.append(_text("label", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, anchor="middle"))
    turned = f'transform="translate(14 {(TOP + bottom) / 2:.0f}) rotate(-90)"'
    parts.append(f'<text class="label" {turned} text-anchor="middle">{escape(y_label)}</text>')
    return parts


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle class="dot {colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'


def _number(value: float) -> str:
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:,.10g}"


def _svg(parts: Sequence[str], title: str, height: int = HEIGHT) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
