"""Mean and spread of images that come one by one (Welford, Technometrics 1962)."""

from __future__ import annotations

import torch
from torch import Tensor


class Moments:
    """Two images are held, whatever the number of those that come: their mean, and squares about it.

    Squares are taken about the mean so far: sums of squares of nearly equal images would cancel in float32.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._squares = torch.empty(0)

    def add(self, image: Tensor) -> None:
        """Take the next image in; it is not kept.

        Args:
            image: float, of the shape of the others.

        Raises:
            ValueError: of another shape.
        """
        if self.count and image.shape != self._mean.shape:
            raise ValueError(f"an image of shape {tuple(image.shape)} after {tuple(self._mean.shape)}")
        self.count += 1
        if self.count == 1:
            self._mean, self._squares = image.float().clone(), torch.zeros_like(image, dtype=torch.float32)
            return
        before = image - self._mean
        self._mean += before / self.count
        self._squares += before * (image - self._mean)

    @property
    def mean(self) -> Tensor:
        """The mean image, float32.

        Raises:
            ValueError: nothing came.
        """
        if not self.count:
            raise ValueError("no image was given")
        return self._mean.clone()

    @property
    def std(self) -> Tensor:
        """Standard deviation at each value, float32, by n - 1; 0 for one image.

        Raises:
            ValueError: nothing came.
        """
        if not self.count:
            raise ValueError("no image was given")
        return (self._squares / max(self.count - 1, 1)).clamp(min=0).sqrt()
