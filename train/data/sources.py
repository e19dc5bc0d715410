"""What is evaluated: pairs of a dataset, or HR images that are reduced on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from realdeg.errors import EXIT_USAGE, UserError
from realdeg.identity import file_hash
from realdeg.imaging.resample import METHODS, Method, resample, resize
from realdeg.io.find import Found, look, twin_problem
from realdeg.io.finding_settings import Finding
from train.data.cache import as_uint8, check_measurable, check_sizes
from train.data.pairs import Pair, read_pairs


@dataclass(frozen=True)
class TestImage:
    """One LR/HR pair, read when it is needed.

    Attributes:
        key: names it.
        read: gives (h, w, 3) and (s h, s w, 3), uint8; raises UserError.
        files: that are read; HR is the last.
        marks: hashes of HR and of what it was made of.
    """

    key: str
    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    files: tuple[Path, ...]
    marks: frozenset[str] = frozenset()


def from_dataset(
    data: Path, split: str, scale: int | None, shave: int | None = None
) -> tuple[int, list[TestImage]]:
    """Scale and pairs of a dataset folder; arguments and errors as of `read_pairs`.

    Args:
        shave: pixels that measuring cuts off each side; None: the scale.
    """
    scale, pairs = read_pairs(data, split, scale=scale)
    cut = scale if shave is None else shave

    def of(pair: Pair) -> TestImage:
        def both() -> tuple[np.ndarray, np.ndarray]:
            lr, hr = as_uint8(pair.lr), as_uint8(pair.hr)
            check_sizes([pair.key], [lr], [hr], scale=scale)
            check_measurable(pair.key, hr, cut)
            return lr, hr

        return TestImage(pair.key, both, (pair.lr, pair.hr), pair.marks)

    return scale, [of(pair) for pair in pairs]


def from_hr(
    folder: Path,
    method: str,
    scale: int,
    shave: int | None = None,
    finding: Finding = Finding(),
    leave: Callable[[Mapping[str, int]], None] = lambda left_out: None,
) -> list[TestImage]:
    """HR images of a folder, cropped to multiples of the scale and reduced by it.

    Args:
        folder: with images, at any depth.
        method: of `realdeg.imaging.resample`; all but "nearest" and "area" are antialiased.
        scale: s.
        shave: pixels that measuring cuts off each side; None: the scale.
        finding: which files are images; of those that share a name none can be read.
        leave: gets what was left out of the folder, by why: how many.

    Raises:
        UserError: an unknown method, or no images.
    """
    if method not in METHODS:
        remedy = f"one of {', '.join(METHODS)}"
        raise UserError("--downscale", f"unknown: {method!r}", remedy, exit_code=EXIT_USAGE)

    def of(key: str, path: Path) -> TestImage:
        def both() -> tuple[np.ndarray, np.ndarray]:
            hr = as_uint8(path)
            h, w = hr.shape[0] // scale, hr.shape[1] // scale
            hr = np.ascontiguousarray(hr[: scale * h, : scale * w])
            check_measurable(key, hr, scale if shave is None else shave)
            return reduced(hr, method, scale), hr

        return TestImage(key, both, (path,), frozenset({file_hash(path)}))

    def twin(one: Found, group: Sequence[Found]) -> TestImage:
        def neither() -> tuple[np.ndarray, np.ndarray]:
            raise twin_problem(one, group)

        return TestImage(f"{one.key}{one.path.suffix}", neither, (one.path,))

    listing = look(folder, finding)
    leave(listing.left_out)
    twins = [twin(one, group) for group in listing.twins for one in group]
    return [*(of(one.key, one.path) for one in listing.single), *twins]


def reduced(hr: np.ndarray, method: str, scale: int) -> np.ndarray:
    """(s h, s w, 3) uint8 -> (h, w, 3) uint8 by a named method; "matlab_bicubic" is MATLAB's to the byte."""
    if method == "matlab_bicubic":
        return np.asarray(resize(hr, 1 / scale), np.uint8)
    size = hr.shape[0] // scale, hr.shape[1] // scale
    small = resample(hr.astype(np.float32), size, cast(Method, method))
    return np.rint(np.clip(small, 0, 255)).astype(np.uint8)
