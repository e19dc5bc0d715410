"""How much the samples of one LR photo differ where it matters: the diversity score of NTIRE 2021.

Each sample has a map of its distance to HR (LPIPS, or squared differences). Taking the nearest sample anew
at each pixel is better than any one sample; the score says by how much. Noise raises it too, as maps of
noise are independent: it means little without LPIPS and LR-PSNR beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from realdeg.metrics.psnr import Image

Map = npt.NDArray[Any]


class Diversity:
    """Score of samples that come one by one; two maps are held, whatever their number."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self._lowest: npt.NDArray[np.float64] | None = None

    def add(self, distances: Map) -> None:
        """Take the next sample in.

        Args:
            distances: (H, W) of the sample to HR, >= 0.

        Raises:
            ValueError: not of the others' shape, or not all finite and >= 0.
        """
        taken = np.array(distances, np.float64)
        if taken.ndim != 2 or (self._lowest is not None and taken.shape != self._lowest.shape):
            shape = "(H, W)" if self._lowest is None else self._lowest.shape
            raise ValueError(f"a map of shape {taken.shape} in place of {shape}")
        if not (taken.size and np.isfinite(taken).all() and taken.min() >= 0):
            raise ValueError("distances are finite and >= 0")
        self.means.append(float(taken.mean()))
        self._lowest = taken if self._lowest is None else np.minimum(self._lowest, taken, out=self._lowest)

    @property
    def mean(self) -> float:
        """Mean distance of the samples, what the challenge reports as LPIPS."""
        return sum(self._some()) / len(self.means)

    @property
    def global_best(self) -> float:
        """Distance of the nearest sample: min over samples of the mean over pixels."""
        return min(self._some())

    @property
    def local_best(self) -> float:
        """Distance where each pixel takes the nearest sample: mean over pixels of the min over samples."""
        self._some()
        assert self._lowest is not None
        return float(self._lowest.mean())

    @property
    def score(self) -> float:
        """100 (global best - local best) / global best, in [0, 100]; 0 for one sample, or one that is HR."""
        if self.global_best == 0:
            return 0.0
        return max(0.0, 100 * (self.global_best - self.local_best) / self.global_best)  # rounding may give -0

    def _some(self) -> list[float]:
        if not self.means:
            raise ValueError("no sample was given")
        return self.means


def diversity(maps: Iterable[Map]) -> Diversity:
    """Score of maps that are at hand, or that a generator makes.

    Args:
        maps: (n, H, W), or n of (H, W); each as of `Diversity.add`.

    Raises:
        ValueError: as of `Diversity.add`, or no map.
    """
    result = Diversity()
    for one in maps:
        result.add(one)
    result._some()
    return result


def squared_error_map(sr: Image, hr: Image) -> npt.NDArray[np.float64]:
    """Distances for use without the weights of LPIPS: mean over RGB of squared differences at each pixel.

    Args:
        sr: (H, W, 3) uint8.
        hr: likewise.

    Returns:
        (H, W) in [0, 1].

    Raises:
        ValueError: shapes differ, or not 8-bit RGB.
    """
    for image in (sr, hr):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape != hr.shape or image.shape[2] != 3:
            raise ValueError(f"two (H, W, 3) uint8 are compared, not {sr.shape} {sr.dtype} and {hr.shape}")
    return np.square((sr.astype(np.float64) - hr) / 255).mean(2)
