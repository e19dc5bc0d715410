"""LPIPS of many images to one."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from realdeg.errors import Unfit
from train.losses.perceptual import LPIPS

SMALLEST = 31  # px a side that AlexNet's three poolings leave something of


class Distance:
    """LPIPS to one HR image, whose features are computed once.

    Args:
        net: on the device where it is to run.
        hr: (H, W, 3) uint8.

    Raises:
        Unfit: the image is too small.
    """

    def __init__(self, net: LPIPS, hr: np.ndarray) -> None:
        height, width = hr.shape[:2]
        if min(height, width) < SMALLEST:
            problem = f"its HR is {width}x{height}, LPIPS needs {SMALLEST} px a side"
            raise Unfit("HR", problem, "leave LPIPS out with --lpips off, or remove the pair")
        self.net = net
        self.size = height, width
        with torch.inference_mode():
            self.features = net.features(self._image(hr))

    def map(self, sr: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (H, W) float32 >= 0."""
        with torch.inference_mode():
            found = self.net.between(self.net.features(self._image(sr)), self.features, self.size)
        return found[0, 0].float().cpu().numpy()

    def __call__(self, sr: np.ndarray) -> float:
        """LPIPS: the mean of the map."""
        return float(self.map(sr).mean(dtype=np.float64))

    def _image(self, pixels: np.ndarray) -> Tensor:
        device = self.net.heads[0].device
        return torch.tensor(pixels).permute(2, 0, 1)[None].to(device).float() / 255
