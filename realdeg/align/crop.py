"""What both photos see: the common field, and the integer LR crop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.align.warp import Warp

FIELD_CELLS = 256
SIDE_POINTS = 65  # of a side that is moved out; frames are smooth


@dataclass(frozen=True)
class Box:
    """An axis-parallel crop of an image on whole pixels: columns x..x+width, rows y..y+height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the crop: `image[box.slices]`."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    @property
    def centre(self) -> tuple[float, float]:
        """Centre (x, y) with pixel centres on integers."""
        return self.x + (self.width - 1) / 2, self.y + (self.height - 1) / 2

    @property
    def corners(self) -> npt.NDArray[Any]:
        """(4, 2) centres of the corner pixels."""
        right, bottom = self.x + self.width - 1, self.y + self.height - 1
        return np.array([[self.x, self.y], [right, self.y], [right, bottom], [self.x, bottom]], np.float64)

    def inset(self, pixels: int) -> Box:
        """The box without `pixels` on each side; its sides may become zero or negative."""
        return Box(self.x + pixels, self.y + pixels, self.width - 2 * pixels, self.height - 2 * pixels)


def common_field(
    lr_size_hw: tuple[int, ...],
    hr_size_hw: tuple[int, ...],
    hr_from_lr: Warp,
    margin: float = 0.0,
    cells: int = FIELD_CELLS,
) -> Box | None:
    """Largest LR box whose every pixel both photos fill.

    Args:
        lr_size_hw: size of the LR photo (rows, columns).
        hr_size_hw: size of the HR photo.
        hr_from_lr: where LR pixels lie in HR.
        margin: HR px to stay away from HR's border.
        cells: steps of a side by which the box is searched, before its sides are moved out by pixels.

    Returns:
        The box; None where the photos do not overlap.
    """
    height, width = lr_size_hw
    xs = np.unique(np.linspace(0, width, min(width, cells) + 1).round()).astype(int)
    ys = np.unique(np.linspace(0, height, min(height, cells) + 1).round()).astype(int)
    # A cell is filled when its four outer pixel corners are: both frames are convex, or nearly so.
    nodes = np.stack(np.meshgrid(xs - 0.5, ys - 0.5), axis=-1)
    inside = _inside(nodes, hr_size_hw, hr_from_lr, margin)
    filled = inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:] & inside[1:, 1:]
    best = _largest_rectangle(filled, xs, ys)
    if best is None:
        return None
    left, top, right, bottom = best
    box = Box(int(xs[left]), int(ys[top]), int(xs[right] - xs[left]), int(ys[bottom] - ys[top]))
    reach = int(max(np.diff(xs).max(), np.diff(ys).max()))
    return _grown(box, reach, (height, width), lambda points: _inside(points, hr_size_hw, hr_from_lr, margin))


def _inside(
    points: npt.NDArray[Any], hr_size_hw: tuple[int, ...], hr_from_lr: Warp, margin: float
) -> npt.NDArray[np.bool_]:
    """(...,) whether LR points (..., 2) lie within HR, `margin` px from its border."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hr = hr_from_lr(points)
    inside = (hr_from_lr.ahead(points) > 0) & (hr >= margin - 0.5).all(-1)
    inside &= (hr[..., 0] <= hr_size_hw[1] - 0.5 - margin) & (hr[..., 1] <= hr_size_hw[0] - 0.5 - margin)
    result: npt.NDArray[np.bool_] = inside
    return result


def _grown(
    box: Box,
    reach: int,
    size_hw: tuple[int, int],
    inside: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]],
) -> Box:
    """The box with each side moved out by up to `reach` px, as long as all of the side lies inside."""
    left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    height, width = size_hw
    for _ in range(2):  # what one side gains may let another go further, or less far
        y = np.linspace(top - 0.5, bottom - 0.5, SIDE_POINTS)
        steps = np.arange(1, reach + 1)
        out = np.stack(np.meshgrid(left - steps - 0.5, y, indexing="ij"), -1)
        left -= _prefix(inside(out).all(1) & (left - steps >= 0))
        out = np.stack(np.meshgrid(right + steps - 0.5, y, indexing="ij"), -1)
        right += _prefix(inside(out).all(1) & (right + steps <= width))
        x = np.linspace(left - 0.5, right - 0.5, SIDE_POINTS)
        out = np.stack(np.meshgrid(top - steps - 0.5, x, indexing="ij")[::-1], -1)
        top -= _prefix(inside(out).all(1) & (top - steps >= 0))
        out = np.stack(np.meshgrid(bottom + steps - 0.5, x, indexing="ij")[::-1], -1)
        bottom += _prefix(inside(out).all(1) & (bottom + steps <= height))
    return Box(left, top, right - left, bottom - top)


def _prefix(good: npt.NDArray[np.bool_]) -> int:
    """How many are true before the first that is not."""
    return len(good) if good.all() else int(np.argmin(good))


def _largest_rectangle(
    filled: npt.NDArray[Any], xs: npt.NDArray[Any], ys: npt.NDArray[Any]
) -> tuple[int, int, int, int] | None:
    """Largest all-true rectangle of cells: (left, top, right, bottom) edges."""
    padded = np.pad(filled, ((0, 0), (1, 1))).astype(np.int8)
    if (np.diff(padded, axis=1) > 0).sum(1).max() > 1:
        return _of_any_shape(filled, xs, ys)
    return _of_one_run_a_row(filled, xs, ys)


def _of_one_run_a_row(
    filled: npt.NDArray[Any], xs: npt.NDArray[Any], ys: npt.NDArray[Any]
) -> tuple[int, int, int, int] | None:
    """The same where every row is one run of cells, as frames are: all pairs of rows at once."""
    rows, columns = filled.shape
    some = filled.any(1)
    left = np.where(some, filled.argmax(1), columns)
    right = np.where(some, columns - filled[:, ::-1].argmax(1), 0)
    below = np.triu(np.ones((rows, rows), bool))  # [top, last row]
    lefts = np.maximum.accumulate(np.where(below, left, 0), axis=1)
    rights = np.minimum.accumulate(np.where(below, right, columns), axis=1)
    wide = np.where(below, xs[rights] - xs[np.minimum(lefts, columns)], 0)
    area = np.maximum(wide, 0) * np.maximum(ys[1:][None] - ys[:-1][:, None], 0)
    best = area.max()
    if best <= 0:
        return None
    tops, lasts = np.nonzero(area == best)
    # Of equal ones the first that the stack over histograms meets: topmost end, then leftmost, then tallest.
    order = np.lexsort((tops, rights[tops, lasts], lasts))
    top, last = int(tops[order[0]]), int(lasts[order[0]])
    return int(lefts[top, last]), top, int(rights[top, last]), last + 1


def _of_any_shape(
    filled: npt.NDArray[Any], xs: npt.NDArray[Any], ys: npt.NDArray[Any]
) -> tuple[int, int, int, int] | None:
    """The same for any cells, by the stack over histograms: thirty times slower."""
    best, best_area = None, 0
    top_of = np.arange(filled.shape[1]) * 0
    for row in range(filled.shape[0]):
        top_of = np.where(filled[row], top_of, row + 1)
        stack: list[tuple[int, int]] = []  # (left edge, top edge), tops rising downwards: heights rise
        for column in range(filled.shape[1] + 1):
            top = int(top_of[column]) if column < filled.shape[1] else row + 1
            left = column
            while stack and stack[-1][1] < top:
                left, above = stack.pop()
                area = int((xs[column] - xs[left]) * (ys[row + 1] - ys[above]))
                if area > best_area:
                    best, best_area = (left, above, column, row + 1), area
            if not stack or stack[-1][1] > top:
                stack.append((left, top))
    return best
