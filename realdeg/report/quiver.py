"""Displacements left after registration, as arrows over the LR picture (inline SVG)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from realdeg.report.certificate import Arrow

LONGEST = 1.6  # times the spacing of the arrows; longer ones are cut and end in a bar
HEAD = 0.2  # times the spacing


@dataclass(frozen=True)
class Quiver:
    """A drawing and what must be said beside it.

    Attributes:
        svg: the drawing; its sets of arrows are groups of the classes "tiles" and "blind".
        factor: by which the arrows are enlarged.
        key_px: length of the arrow in the legend before it is enlarged, LR px.
        key_share: its length in the drawing, % of the drawing's width.
        tiles, blind: arrows of each set.
        weak, disagreeing, cut: how many tiles are so; how many arrows are shortened.
    """

    svg: str
    factor: float
    key_px: float
    key_share: float
    tiles: int
    blind: int
    weak: int
    disagreeing: int
    cut: int


def quiver(tiles: Sequence[Arrow], blind: Sequence[Arrow], size_hw: tuple[int, int]) -> Quiver | None:
    """Draw the tiles of the fit and the blind measurement, enlarged by one round factor.

    The factor makes the arrow at the 90th percentile of the tiles that agree about 0.8 spacings long.

    Args:
        tiles: left after the fit.
        blind: measured on the finished files.
        size_hw: of LR, px.

    Returns:
        None where there is no arrow.
    """
    height, width = size_hw
    spacing = (
        min(_spacing(arrows, width * height) for arrows in (tiles, blind) if arrows) if tiles or blind else 0
    )
    if not spacing:
        return None
    factor = _factor([*tiles, *blind], spacing)
    parts, cuts = [], 0
    for name, arrows in (("tiles", tiles), ("blind", blind)):
        drawn = [_arrow(arrow, factor, spacing) for arrow in arrows]
        cuts += sum(cut for _, cut in drawn)
        parts.append(f'<g class="set {name}">{"".join(text for text, _ in drawn)}</g>')
    key_px = _round_down(0.25 * width / factor)
    label = f"{len(tiles)} displacements of the fit and {len(blind)} blind ones, enlarged {factor:g} times"
    svg = (
        f'<svg class="arrows" viewBox="-0.5 -0.5 {width} {height}" role="img" aria-label="{escape(label)}" '
        f'style="--thick:{_number(min(spacing / 20, width / 200))}">{"".join(parts)}</svg>'
    )
    return Quiver(
        svg,
        factor,
        key_px,
        round(100 * key_px * factor / width, 3),
        len(tiles),
        len(blind),
        sum(arrow.state == "weak" for arrow in tiles),
        sum(arrow.state == "disagrees" for arrow in tiles),
        cuts,
    )


def _arrow(arrow: Arrow, factor: float, spacing: float) -> tuple[str, bool]:
    """One arrow from its place, its title, and whether it was cut; a dot where nothing was measured."""
    x, y, length = arrow.x, arrow.y, arrow.length
    where = f"x {x:.0f}, y {y:.0f}: "
    if arrow.dx is None or arrow.dy is None or length is None:
        return _mark(arrow, _disc(x, y, 0.04 * spacing), where + "not measured"), False
    long = length * factor
    cut = long > LONGEST * spacing
    title = f"{where}{arrow.dx:+.4f}, {arrow.dy:+.4f} LR px"
    title += "" if arrow.sd is None else f", sd {arrow.sd:.4f}"
    title += "" if arrow.state == "ok" else f" ({arrow.state})"
    drawn = min(long, LONGEST * spacing)
    path = _disc(x, y, 0.035 * spacing)
    if drawn > 0.02 * spacing:
        ux, uy = arrow.dx / length, arrow.dy / length
        tip_x, tip_y = x + drawn * ux, y + drawn * uy
        size = min(HEAD * spacing, 0.6 * drawn)
        wings = [
            (tip_x - size * (ux - side * 0.5 * uy), tip_y - size * (uy + side * 0.5 * ux)) for side in (1, -1)
        ]
        path += f"M{_at(x, y)}L{_at(tip_x, tip_y)}M{_at(*wings[0])}L{_at(tip_x, tip_y)}L{_at(*wings[1])}"
        if cut:
            bar = [(tip_x + side * 0.5 * size * uy, tip_y - side * 0.5 * size * ux) for side in (1, -1)]
            path += f"M{_at(*bar[0])}L{_at(*bar[1])}"
    if arrow.state == "disagrees":  # a diamond around the place: told apart without its colour
        d = 0.17 * spacing
        path += f"M{_at(x - d, y)}L{_at(x, y - d)}L{_at(x + d, y)}L{_at(x, y + d)}Z"
    return _mark(arrow, path, title), cut


def _mark(arrow: Arrow, path: str, title: str) -> str:
    return (
        f'<g class="arrow {arrow.state}"><title>{escape(title)}</title>'
        f'<path class="halo" d="{path}"/><path d="{path}"/></g>'
    )


def _disc(x: float, y: float, r: float) -> str:
    """A small ring at the arrow's place."""
    radius, across = _number(r), _number(2 * r)
    return f"M{_at(x - r, y)}a{radius} {radius} 0 1 0 {across} 0a{radius} {radius} 0 1 0 -{across} 0"


def _factor(arrows: Sequence[Arrow], spacing: float) -> float:
    lengths = sorted(a.length for a in arrows if a.length and a.state == "ok")
    lengths = lengths or sorted(a.length for a in arrows if a.length)
    if not lengths:
        return 1.0
    typical = min(1e6, lengths[min(len(lengths) - 1, int(0.9 * len(lengths)))])
    return max(1.0, _round_down(0.8 * spacing / max(typical, 1e-6)))


def _spacing(arrows: Sequence[Arrow], area: float) -> float:
    return math.sqrt(area / len(arrows))


def _round_down(value: float) -> float:
    """The largest of 1, 2, 3, 5 times a power of ten that is not above `value` > 0."""
    power = 10.0 ** math.floor(math.log10(value))
    step = next(m for m in (5, 3, 2, 1) if m * power <= value * (1 + 1e-9))
    return float(f"{step * power:.6g}")


def _at(x: float, y: float) -> str:
    return f"{_number(x)} {_number(y)}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
