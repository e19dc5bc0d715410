"""Where HR lies against LR in a finished pair: by place, as one shift, and what moves on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from realdeg.align import psf
from realdeg.align.pair import softness
from realdeg.align.residual import MIN_WINDOWS, OVERLAP, RAYLEIGH_P95, WINDOWS, Residual, measure
from realdeg.arraytypes import Array
from realdeg.check.moved import drawable, moved
from realdeg.imaging.resample import resize

CELLS = 3  # down and across, of what is told by place
NEAR = 1.5  # LR px: up to here windows find their shift by themselves
NOTABLE = 0.1  # LR px; pairs that are off by more are measured once more without it
FAR = 0.25  # of the side; pairs are not looked for farther off
BETTER = 0.05  # by so much the correlation rises where a far shift is true
ROUNDS = 8
LEAST_SD = 0.004  # LR px: what the measurement is true to on exact pairs
BLUR = 0.45  # LR px, of the bicubic reduction itself
CHANCE = 3.5  # standard deviations; of 200 windows one in ten sets has one so far out by chance
SMALLEST_SIDE = 96  # px that are left where LR is looked at on coarser pixels
LARGEST_STEP = 4
SLOW = 3.0  # px; what varies more slowly is no content that fixes a place
SAME = 0.4  # correlation of a window in LR and HR that show one thing
APART = 0.25  # LR px: what moves on its own moves by more


@dataclass(frozen=True, eq=False)
class Geometry:
    """What the finished files say of a pair's registration, LR px.

    Attributes:
        residual: of `realdeg.align.residual`, with what was found as a far shift added to its windows.
        far: (x, y) whole LR px that were taken away before windows were measured.
        shift: (x, y) displacement of HR's content against LR's, common to the whole picture.
        shift_sd: its standard deviation, from how windows scatter about a linear field.
        linear: (2, 2) what the displacement gains from one side to the other, along x in the first row and
            along y in the second.
        linear_sd: its standard deviation.
        beside: share of the windows that contradict the linear field, as their neighbours do.
        softness: px of LR that its smallest detail has, at least 1.
    """

    residual: Residual
    far: tuple[int, int]
    shift: tuple[float, float]
    shift_sd: float
    linear: Array
    linear_sd: float
    beside: float
    softness: float

    @property
    def error(self) -> float:
        """p95 of the displacement beyond noise, in units of the smallest detail of LR."""
        return self.residual.beyond_noise / self.softness

    @property
    def sure_error(self) -> float:
        """What of it is sure: few windows of weak texture may be off together."""
        return max(0.0, self.error - 2 * self.shift_sd / self.softness)

    def by_place(self, size_hw: tuple[int, int]) -> str:
        """Median displacement in each of 3 x 3 parts of LR, row by row; "-" where nothing shows it."""
        told = []
        x, y = self.residual.centre.T
        for row in range(CELLS):
            for column in range(CELLS):
                inside = (y * CELLS // size_hw[0] == row) & (x * CELLS // size_hw[1] == column)
                some = self.residual.shift[inside]
                told.append(f"{np.hypot(*np.median(some, axis=0)):.3f}" if len(some) else "-")
        return " ".join(told)


def look(lr: Array, hr: Array, scale: int, valid: Array | None = None) -> Geometry | None:
    """Measure a pair.

    Args:
        lr: (h, w, 3) uint8 or uint16.
        hr: (scale*h, scale*w, 3) of the same kind.
        scale: HR size / LR size, 1 or more.
        valid: (h, w), 0 where the pair is not valid.

    Returns:
        None where too few windows show anything.
    """
    soft = _softness(lr, hr, scale)
    step = min(int(soft), LARGEST_STEP, min(lr.shape[:2]) // SMALLEST_SIDE)
    if step > 1:  # nothing is to be seen in pixels finer than that
        height, width = (side // step * step for side in lr.shape[:2])
        lr, hr = (resize(image[: s * height, : s * width], 1 / step) for image, s in ((lr, 1), (hr, scale)))
        valid = None if valid is None else cv2.erode(valid, np.ones((step, step)))[:height:step, :width:step]
    step = max(1, step)
    far = _far(lr, hr, scale)
    box_lr, box_hr = _boxes(far, lr.shape[:2])
    # Displaced by `far`, LR's x is HR's x + far: both are cut to what they share.
    cut_lr, cut_hr = lr[box_lr], hr[tuple(slice(scale * one.start, scale * one.stop) for one in box_hr)]
    there = None if valid is None else valid[box_lr]
    found = _measured(cut_lr, cut_hr, scale, there, lambda centre: np.zeros_like(centre))
    if found is None:
        return None
    shift, linear = _field(found, cut_lr.shape[:2])[:2]
    linear = linear if np.abs(linear).max() / 2 > NOTABLE else np.zeros((2, 2))
    if max(np.abs(shift).max(), np.abs(linear).max() / 2) > NOTABLE:
        # Windows look at one place in both, which holds displacements back: once more without them.
        shift = drawable(scale * shift) / scale
        height, width = cut_lr.shape[:2]
        middle, size = np.array([(width - 1) / 2, (height - 1) / 2]), np.array([width, height])
        drawn = moved(cut_hr, scale * shift, scale * linear / (scale * size[:, None]))
        again = _measured(
            cut_lr, drawn, scale, there, lambda centre: shift + (centre - middle) / size @ linear
        )
        found = again or found
    found = _of_whole(found, far, box_lr, step)
    shift, linear, off, typical = _field(found, tuple(step * side for side in lr.shape[:2]))
    own = max(LEAST_SD, typical / np.sqrt(max(1.0, (len(off) - 3) / OVERLAP)))
    return Geometry(
        found,
        (step * far[0], step * far[1]),
        (float(shift[0]), float(shift[1])),
        own,
        linear,
        own * np.sqrt(12),  # of a slope from one end to the other
        _beside(off, np.hypot(found.sd / np.sqrt(2), typical), found.centre),
        soft,
    )


def reduced(hr: Array, scale: int) -> Array:
    """(h, w) float32 luma of HR on LR's grid, 8-bit levels."""
    return resize(grey(hr), 1 / scale).astype(np.float32)


def grey(image: Array) -> Array:
    """(H, W) float32 luma, 8-bit levels."""
    plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return plane if image.dtype == np.uint8 else plane / 257


def correlation(a: Array, b: Array) -> float:
    """Zero-mean normalised cross-correlation of two planes; 0 where one is flat."""
    a, b = (plane - plane.mean(dtype=np.float64) for plane in (a, b))
    size = float(np.sqrt((a * a).sum(dtype=np.float64) * (b * b).sum(dtype=np.float64)))
    return float((a * b).sum(dtype=np.float64)) / size if size > 1e-6 else 0.0


def _far(lr: Array, hr: Array, scale: int) -> tuple[int, int]:
    """Whole LR px by which HR's content lies beside LR's, where that is far; (0, 0) else."""
    small, seen = grey(lr), reduced(hr, scale)
    taper = cv2.createHanningWindow(small.shape[::-1], cv2.CV_32F) if min(small.shape) > 8 else None
    if taper is None:
        return 0, 0
    (x, y), _ = cv2.phaseCorrelate(small - small.mean(), seen - seen.mean(), taper)
    far = round(x), round(y)
    height, width = small.shape
    if max(abs(x), abs(y)) < NEAR or abs(x) > FAR * width or abs(y) > FAR * height:
        return 0, 0
    box_lr, box_hr = _boxes(far, small.shape)
    near = correlation(small, seen)
    return far if correlation(small[box_lr], seen[box_hr]) > near + BETTER else (0, 0)


def _boxes(far: tuple[int, int], size_hw: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """What both show, in LR and in HR on LR's grid, where LR's x is HR's x + far."""
    sides = []
    for by, length in zip(far[::-1], size_hw, strict=True):
        sides.append((slice(max(0, -by), length - max(0, by)), slice(max(0, by), length - max(0, -by))))
    (rows, their_rows), (columns, their_columns) = sides
    return (rows, columns), (their_rows, their_columns)


def _measured(
    lr: Array, hr: Array, scale: int, valid: Array | None, by: Callable[[Array], Array]
) -> Residual | None:
    """The residual of HR that was moved, by LR px at places of LR, as if it had not been.

    Only windows count that show the same content, moved as they are said to be: in sky and out of focus the
    phases of noise may agree by chance, their pixels do not.
    """
    found = measure(lr, hr, scale, valid)
    if found is None:
        return None
    lr, seen = grey(lr), reduced(hr, scale)
    side = max((w for w in WINDOWS if w * 6 <= min(lr.shape)), default=WINDOWS[0])
    lr, seen = (plane - cv2.GaussianBlur(plane, (0, 0), SLOW) for plane in (lr, seen))
    same = []
    for (x, y), shift in zip(found.centre - (side - 1) / 2, found.shift, strict=True):
        box = slice(int(y), int(y) + side), slice(int(x), int(x) + side)
        whole, room = np.rint(shift).astype(int), np.array(lr.shape[::-1]) - side
        left, top = np.clip(np.array([int(x), int(y)]) + whole, 0, room)
        same.append(correlation(lr[box], seen[top : top + side, left : left + side]) > SAME)
    if sum(same) < MIN_WINDOWS:
        return None
    centre, shift, sd = (one[np.array(same)] for one in (found.centre, found.shift, found.sd))
    shift = shift + by(centre)
    # As the residual does it: means over neighbours, each by its certainty.
    steps = [np.diff(np.unique(centre[:, i])) for i in (0, 1)]
    reach = np.array([1.2 * one.min() if len(one) else 0.0 for one in steps]) + 1
    near = (np.abs(centre[:, None] - centre[None]) <= reach).all(-1) / (sd**2 + 0.02**2)
    share = near / near.sum(1, keepdims=True)
    size, spread = np.hypot(*(share @ shift).T), OVERLAP * (share**2 @ sd**2)
    weight = 1 / (sd**2 + 0.01**2)
    mean = weight @ shift / weight.sum()
    return Residual(
        float(np.percentile(size, 95)),
        RAYLEIGH_P95 * float(np.sqrt(spread.mean() / 2)),
        float(np.median(size)),
        float(mean[0]),
        float(mean[1]),
        found.zncc,
        centre,
        shift,
        sd,
    )


def _of_whole(found: Residual, far: tuple[int, int], box: tuple[slice, slice], step: int) -> Residual:
    """The residual of the whole pair, LR px, of one measured without the far shift and on coarser px."""
    shift = step * (found.shift + np.array(far))
    p95, median = (step * one for one in (found.p95, found.median))
    if far != (0, 0):
        size = np.hypot(*shift.T)
        p95, median = float(np.percentile(size, 95)), float(np.median(size))
    return replace(
        found,
        p95=p95,
        noise=step * found.noise,
        median=median,
        mean_x=step * (found.mean_x + far[0]),
        mean_y=step * (found.mean_y + far[1]),
        centre=step * (found.centre + np.array([box[1].start, box[0].start])) + (step - 1) / 2,
        shift=shift,
        sd=step * found.sd,
    )


def _beside(off: Array, spread: Array, centre: Array) -> float:
    """Share of the windows that lie beside the field as one of their neighbours does: noise does so alone."""
    far = np.hypot(*off.T) > np.maximum(CHANCE * spread, APART)
    if far.sum() < 2:
        return 0.0
    near = np.diff(np.unique(centre[:, 0]))
    reach = 1.5 * float(near.max()) if len(near) else 0.0
    at, by = centre[far], off[far]
    close = np.abs(at[:, None] - at[None]).max(-1) <= reach
    size = np.hypot(*by.T)
    alike = (by @ by.T) > 0.7 * size[:, None] * size[None]
    np.fill_diagonal(close, False)
    return float((close & alike).any(1).sum() / len(off))


def _field(found: Residual, size_hw: tuple[int, ...]) -> tuple[Array, Array, Array, float]:
    """A linear field through the windows, robustly.

    Returns:
        (2,) its value in the middle, (2, 2) what it gains over each side, (N, 2) what windows have beside it,
        and their typical scatter a component.
    """
    height, width = size_hw
    x, y = found.centre.T
    design = np.stack([np.ones(len(x)), (x - (width - 1) / 2) / width, (y - (height - 1) / 2) / height], -1)
    weight = 1 / (found.sd**2 / 2 + 0.02**2)
    robust = weight.copy()
    # Slopes are small in good pairs, and few windows must not make them up.
    prior = np.diag([0.0, 1 / 0.1**2, 1 / 0.1**2])
    for _ in range(ROUNDS):
        normal = design.T @ (robust[:, None] * design) / OVERLAP + prior
        solution = np.linalg.solve(normal, design.T @ (robust[:, None] * found.shift) / OVERLAP)
        off = found.shift - design @ solution
        size = np.hypot(*off.T)
        typical = max(0.02, float(np.median(size)) / 1.18)  # of a component, were they normal
        robust = weight / (1 + (size / (2.5 * typical)) ** 2)
    return solution[0], solution[1:].T, off, typical


def _softness(lr: Array, hr: Array, scale: int) -> float:
    """Of LR, as registration tells it."""
    found = psf.estimate(grey(lr), reduced(hr, scale), BLUR if scale > 1 else 0.0)
    return softness(found.sigma) if found else 1.0
