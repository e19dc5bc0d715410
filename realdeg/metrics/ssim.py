"""Structural similarity (Wang et al., 2004), on BT.601 luma or RGB."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from realdeg.imaging.colour import luma
from realdeg.metrics.psnr import LUMA_D2C, Convention, Image, shaved

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Plane = npt.NDArray[np.float64]


def ssim_y(sr: Image, hr: Image, *, shave: int, convention: Convention = "standard") -> float:
    """SSIM on luma.

    Args:
        sr: (H, W, 3) uint8 RGB.
        hr: likewise.
        shave: pixels cut from each side first, by custom the scale; 0 in the d2c convention.
        convention: "standard": as MATLAB and BasicSR, 11 x 11 Gaussian of sigma 1.5, valid region only,
            population moments, luma in 0..255 with offset; "d2c": D2C-SR's official form in RGB order:
            zero padding, no offset, range 1.

    Raises:
        ValueError: shapes differ, or less than 11 px a side are left.
    """
    a, b = (shaved(image, shave, sr.shape) for image in (sr, hr))
    if convention == "d2c":
        return _ssim(a @ LUMA_D2C, b @ LUMA_D2C, padded=True)
    return _ssim(luma(a), luma(b))


def ssim_rgb(sr: Image, hr: Image, *, shave: int) -> float:
    """Mean of the three channels' SSIM; arguments and errors as `ssim_y`."""
    a, b = (shaved(image, shave, sr.shape).astype(np.float64) for image in (sr, hr))
    return float(np.mean([_ssim(a[..., i], b[..., i]) for i in range(3)]))


def _ssim(a: Plane, b: Plane, *, padded: bool = False) -> float:
    if min(a.shape) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW} px a side, got {a.shape}")
    window = cv2.getGaussianKernel(WINDOW, SIGMA)
    cut = 0 if padded else WINDOW // 2

    def mean(image: Plane) -> Plane:
        border = cv2.BORDER_CONSTANT if padded else cv2.BORDER_REFLECT
        blurred: Plane = cv2.sepFilter2D(image, cv2.CV_64F, window, window, borderType=border)
        return blurred[cut : blurred.shape[0] - cut, cut : blurred.shape[1] - cut]

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    numerator = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return float((numerator / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))).mean())
